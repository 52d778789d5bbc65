package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

func TestMux(t *testing.T) {
	mux := Mux(fstest.MapFS{"static/own.css": {Data: []byte("a{}")}})
	for _, row := range []struct {
		name, path, location string
		want                 int
	}{
		{"its own file", "/static/own.css", "", http.StatusOK},
		{"a shared file", "/static/base.css", "", http.StatusOK},
		{"no file", "/static/other.css", "", http.StatusNotFound},
		{"not the folder", "/static/..", "./", http.StatusTemporaryRedirect},
		{"no listing", "/static/", "", http.StatusNotFound},
		{"health", "/healthz", "", http.StatusOK},
		{"the prefix without its slash", "/vote", "./vote/", http.StatusMovedPermanently},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, row.path, nil))
			if w.Code != row.want {
				t.Errorf("answered %d, want %d", w.Code, row.want)
			}
			if row.want == http.StatusMovedPermanently && w.Header().Get("Location") != row.location {
				t.Errorf("leads to %q, want %q", w.Header().Get("Location"), row.location)
			}
		})
	}
}
