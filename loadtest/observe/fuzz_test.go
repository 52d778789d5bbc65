package observe

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"
)

// answers is a transport that gives the same body to every request.
type answers []byte

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(a))}, nil
}

// FuzzLook holds that whatever the proxy or the scaler answers is read or refused.
func FuzzLook(f *testing.F) {
	f.Add([]byte(`{"instance":"one","workers":[[1,1,0,4],[2]],"reloads":[{"at":1,"reason":"r"}],"backends":{"a":{"service":"app","points":[[1,2,3,null,0,7],[2],[3,1,1,1,1,9]]}}}`))
	f.Add([]byte(`{"desired":1,"running":1,"min":1,"max":8,"metrics":[{"metric":"sessions","value":1,"target":10}],"decisions":[{"at":"2026-01-01T00:00:05Z","from":1,"to":2}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		client := &http.Client{Transport: answers(body)}
		sources := []Source{
			Proxy{URLs: []string{"http://proxy"}, Services: []string{"app"}, Client: client, Lookup: itself},
			Scaler{URL: "http://scaler", Services: []string{"app"}, Client: client, Connections: true},
		}
		w := NewWatcher(time.Unix(0, 0), sources...)
		for rank, source := range sources {
			reading, err := source.Look(t.Context())
			w.Add(time.Unix(1, 0), rank, reading, err)
		}
		timeline := w.Timeline(3)
		timeline.Latest("app")
	})
}
