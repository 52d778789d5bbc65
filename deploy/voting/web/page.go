package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"

	"sluice/internal/daemon"
)

//go:embed static
var shared embed.FS

//go:embed scenes.html
var scenes string

// Mux has what both pages need beside themselves: their static files and the shared ones below /static/, and /healthz,
// which says ok as long as requests are answered: a task is not to be replaced because Redis or PostgreSQL is away.
func Mux(own fs.FS) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /static/{file}", static(own))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { daemon.Health{Status: "ok"}.Answer(w) })
	mux.HandleFunc("GET /{prefix}", toFolder)
	return mux
}

// toFolder leads from /vote to /vote/, below which the page's relative addresses are right. The proxy takes the prefix
// away only where a slash follows it.
func toFolder(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Location", "./"+r.PathValue("prefix")+"/") // relative: the client knows the host and scheme that it asked
	w.WriteHeader(http.StatusMovedPermanently)
}

func static(own fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Join("static", r.PathValue("file"))
		w.Header().Set("Cache-Control", "no-cache") // several versions answer during an update
		for _, files := range []fs.FS{own, shared} {
			if _, err := fs.Stat(files, name); err == nil {
				http.ServeFileFS(w, r, files, name)
				return
			}
		}
		http.NotFound(w, r)
	})
}

// Page is a template that is written whole or not at all.
type Page struct{ template *template.Template }

// NewPage parses the page, which may use the pictures of scenes.html.
func NewPage(text string) (Page, error) {
	t, err := template.New("page").Parse(scenes + text)
	if err != nil {
		return Page{}, fmt.Errorf("parse page: %w", err)
	}
	return Page{t}, nil
}

// Show answers with the page and a status.
func (p Page) Show(w http.ResponseWriter, code int, data any) error {
	var text bytes.Buffer
	if err := p.template.Execute(&text, data); err != nil {
		http.Error(w, "this page cannot be shown", http.StatusInternalServerError)
		return fmt.Errorf("show page: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = text.WriteTo(w) // a client that went away is its own affair
	return nil
}
