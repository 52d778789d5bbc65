package report

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"sluice/loadtest/result"
)

// FuzzRead holds that whatever stands in a result.json is read or refused, and that what is read can be shown.
func FuzzRead(f *testing.F) {
	var whole bytes.Buffer
	if err := writeJSON(&whole, example()); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add([]byte(`{"version":"v0","scenario":"old","service":"app","started":"2026-01-02T15:04:05Z","seconds":[{"ok":1,"running":2}],"phases":null}`))
	f.Add([]byte(`{"format":2,"scenario":"s","started":"2026-01-02T15:04:05Z","services":[{"name":"a"}],"proxies":[{}],"seconds":[{},{}],"holders":[{}]}`))
	page := func(to io.Writer, r result.Result) error { // without the library, which takes the fuzzer's time
		return execute(to, "page.html.tmpl", newPage(shell{}, r))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parse("result.json", data)
		if err != nil {
			return
		}
		for _, write := range []func(io.Writer, result.Result) error{page, writeTimeline, writeServices, writeJSON} {
			if err := write(io.Discard, r); err != nil {
				t.Error(err)
			}
		}
		if again, err := json.Marshal(r); err != nil || !json.Valid(again) {
			t.Errorf("write what was read: %v", err)
		}
		other := r
		other.Started = other.Started.Add(1)
		if c, err := Compare([]Run{{"a", r}, {"b", other}}); err == nil {
			_ = c.String()
		}
	})
}
