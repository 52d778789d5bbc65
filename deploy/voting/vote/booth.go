package main

import (
	"context"
	"embed"
	"net/http"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"sluice/deploy/voting/ballot"
	"sluice/deploy/voting/web"
)

// Cookies of the page. They have no path: the browser keeps them for the folder that it asked for, /vote/.
const (
	voterCookie  = "voter"
	choiceCookie = "choice"
)

//go:embed static
var files embed.FS

//go:embed page.html
var pageText string

// queue takes votes; it gives an error when it did not take one until ctx ended.
type queue interface {
	Put(ctx context.Context, v ballot.Vote) error
}

// booth shows the page and takes votes.
type booth struct {
	name     string
	queue    queue
	work     time.Duration
	patience time.Duration // of a voter who waits for Redis
	page     web.Page
	log      zerolog.Logger
}

func newBooth(name string, q queue, work, patience time.Duration, log zerolog.Logger) (http.Handler, error) {
	page, err := web.NewPage(pageText)
	if err != nil {
		return nil, err
	}
	b := booth{name, q, work, patience, page, log}
	mux := web.Mux(files)
	mux.HandleFunc("GET /{$}", b.show)
	mux.HandleFunc("POST /{$}", b.take)
	return mux, nil
}

func (b booth) show(w http.ResponseWriter, r *http.Request) {
	choice := ""
	if c, err := r.Cookie(choiceCookie); err == nil && slices.Contains(ballot.Choices(), c.Value) {
		choice = c.Value
	}
	w.Header().Set("X-Task", b.name)
	b.answer(w, http.StatusOK, choice, "")
}

func (b booth) answer(w http.ResponseWriter, code int, choice, problem string) {
	if err := b.page.Show(w, code, struct{ ID, Choice, Problem, Task string }{ballot.NewID(), choice, problem, b.name}); err != nil {
		b.log.Error().Err(err).Msg("page not shown")
	}
}

// take queues a vote. Who has no cookie becomes a new voter.
func (b booth) take(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Task", b.name)
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	v := ballot.Vote{ID: r.PostFormValue("id"), Choice: r.PostFormValue("vote"), At: time.Now().UTC()}
	if v.ID == "" {
		v.ID = ballot.NewID()
	}
	if c, err := r.Cookie(voterCookie); err == nil && ballot.ValidID(c.Value) {
		v.Voter = c.Value
	} else {
		v.Voter = ballot.NewID()
	}
	if err := v.Check(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), b.patience)
	defer cancel()
	time.Sleep(b.work)
	if err := b.queue.Put(ctx, v); err != nil {
		b.log.Warn().Err(err).Str("vote", v.ID).Msg("vote not taken")
		w.Header().Set("Retry-After", "5")
		b.answer(w, http.StatusServiceUnavailable, "", "Your vote could not be taken right now. Please try again in a moment.")
		return
	}
	remember(w, voterCookie, v.Voter)
	remember(w, choiceCookie, v.Choice)
	w.Header().Set("Location", "./") // the page, behind whatever prefix
	w.WriteHeader(http.StatusSeeOther)
}

// remember sets a cookie for a year.
func remember(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}
