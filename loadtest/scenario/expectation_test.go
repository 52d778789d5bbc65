package scenario

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestExpectationsAreSentences(t *testing.T) {
	tests := []struct {
		text string
		want Expectation
	}{
		{"errors = 0", Expectation{Subject: "errors", Op: "="}},
		{"errors <= 0.1% in peak", Expectation{Subject: "errors", Op: "<=", Value: 0.001, Unit: Share, Phase: "peak"}},
		{"p99.9 < 1.5s", Expectation{Subject: "p99.9", Op: "<", Value: 1500, Unit: Milliseconds}},
		{"sent >= 99%", Expectation{Subject: "sent", Op: ">=", Value: 0.99, Unit: Share}},
		{"replicas >= 4 in two words", Expectation{Subject: "replicas", Op: ">=", Value: 4, Phase: "two words"}},
		{"replicas >= 4 by 40s", Expectation{Subject: "replicas", Op: ">=", Value: 4, By: 40 * time.Second}},
		{"final replicas = 1 within 1m", Expectation{Subject: "final replicas", Op: "=", Value: 1, Within: time.Minute}},
	}
	for _, tt := range tests {
		got, err := ParseExpectation(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
		tt.want.Text = tt.text
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

func TestExpectationsThatMakeNoSenseAreRefused(t *testing.T) {
	tests := []struct{ text, want string }{
		{"errors", `want a sentence like "errors = 0"`},
		{"error = 0", "(did you mean errors?)"},
		{"errors == 0", "want one of = < <= > >="},
		{"p99 < 200", "p99 is a time such as 200ms"},
		{"sent >= 0.99", "sent is a share such as 99%"},
		{"errors < 101%", "want 0% to 100%"},
		{"errors < NaN%", "want 0% to 100%"},
		{"replicas >= 4.5", "replicas is a whole number"},
		{"replicas >= 4 within 10s", `replicas may end with "in PHASE" or "by 40s"`},
		{"final replicas = 1 in peak", `final replicas may end with "within 60s"`},
		{"replicas >= 4 by noon", "by wants a time such as 40s"},
		{"p99 < 1s in", `p99 may end with "in PHASE"`},
	}
	for _, tt := range tests {
		if _, err := ParseExpectation(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q in it", tt.text, err, tt.want)
		}
	}
}

func FuzzParseExpectation(f *testing.F) {
	f.Add("final replicas = 1 within 60s")
	f.Add("errors < 1% in peak")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseExpectation(text)
		if err != nil {
			return
		}
		again, err := ParseExpectation(e.Text)
		if diff := cmp.Diff(e, again); err != nil || diff != "" {
			t.Fatalf("%q does not read back: %v\n%s", e.Text, err, diff)
		}
	})
}
