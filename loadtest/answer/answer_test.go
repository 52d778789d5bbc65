package answer

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	const metrics = "# HELP votes_total Votes.\n# TYPE votes_total counter\nvotes_total{shop=\"a} b\"} 40\nvotes_total{shop=\"c\"} 2 1700000000000\nvotes_total_created 1e9\nup 1\n"
	tests := []struct {
		name, body, field string
		want              float64
		wantErr           string
	}{
		{"the whole answer", " 42\n", "", 42, ""},
		{"a field", `{"total": 42}`, ".total", 42, ""},
		{"a field far in", `{"votes": {"a": [1, {"n": "7.5"}]}}`, ".votes.a.1.n", 7.5, ""},
		{"a metric with labels", metrics, "votes_total", 42, ""},
		{"a metric without", metrics, "up", 1, ""},
		{"no number", "many", "", 0, `"many" is no number`},
		{"infinite", "+Inf", "", 0, "is no number"},
		{"no JSON", "many", ".total", 0, "invalid character"},
		{"no such field", `{"sum": 42}`, ".total", 0, "no number stands at .total"},
		{"a field of a number", `{"total": 42}`, ".total.a", 0, "no number stands at .total.a"},
		{"beyond a list", `[1]`, ".1", 0, `a list of 1 has no "1"`},
		{"no such metric", metrics, "votes", 0, "no metric is called votes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Find([]byte(tt.body), tt.field)
			if got != tt.want || (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("%g, %v; want %g, %q", got, err, tt.want, tt.wantErr)
			}
		})
	}
}

func TestOnlyAWholeAnswerOfTheAddressItselfCounts(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/broken":
			http.Error(w, "5", http.StatusInternalServerError)
		default:
			fmt.Fprint(w, 5)
		}
	}))
	defer server.Close()
	for path, ok := range map[string]bool{"/": true, "/away": false, "/broken": false} {
		if n, err := NewReader().Read(t.Context(), server.URL+path, ""); (err == nil) != ok || ok && n != 5 {
			t.Errorf("%s: %g, %v", path, n, err)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte(`{"a":[1]}`), ".a.0")
	f.Add([]byte("a{b=\"c\"} 1\n"), "a")
	f.Fuzz(func(t *testing.T, body []byte, field string) {
		if n, err := Find(body, field); err == nil && n != n {
			t.Fatalf("%q of %q is no number", field, body)
		}
	})
}
