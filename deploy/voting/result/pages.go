package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"sluice/deploy/voting/store"
	"sluice/deploy/voting/web"
	"sluice/internal/daemon"
)

// beat is the time after which a live answer gives a sign of life. The proxy ends answers that are silent for long.
const beat = 10 * time.Second

//go:embed static
var files embed.FS

//go:embed page.html
var pageText string

// counter counts the votes now.
type counter interface {
	Tally(ctx context.Context) (store.Tally, error)
}

// pages shows the board.
type pages struct {
	ctx     context.Context // live answers end with it
	name    string
	board   *board
	counter counter
	page    web.Page
	log     zerolog.Logger
}

func newPages(ctx context.Context, name string, b *board, c counter, log zerolog.Logger) (http.Handler, error) {
	page, err := web.NewPage(pageText)
	if err != nil {
		return nil, err
	}
	p := pages{ctx, name, b, c, page, log}
	mux := web.Mux(files)
	mux.HandleFunc("GET /{$}", p.show)
	mux.HandleFunc("GET /live", p.live)
	mux.HandleFunc("GET /tally", p.tally)
	return mux, nil
}

func (p pages) show(w http.ResponseWriter, _ *http.Request) {
	now, _ := p.board.read()
	mountains, sea := now.percent()
	w.Header().Set("X-Task", p.name)
	err := p.page.Show(w, http.StatusOK, struct {
		state
		Voters, MountainsPercent, SeaPercent int
		Task                                 string
	}{now, now.Mountains + now.Sea, mountains, sea, p.name})
	if err != nil {
		p.log.Error().Err(err).Msg("page not shown")
	}
}

// percent are the shares, rounded so that they are 100 together; 0 and 0 before the first vote.
func (s state) percent() (mountains, sea int) {
	all := s.Mountains + s.Sea
	if all == 0 {
		return 0, 0
	}
	mountains = (200*s.Mountains + all) / (2 * all)
	return mountains, 100 - mountains
}

// live answers with server-sent events until the client or this task goes; then the browser comes back, to another task.
func (p pages) live(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	tick := time.NewTicker(beat)
	defer tick.Stop()
	text := "retry: 1000\n\n"
	for {
		now, changed := p.board.read()
		event, err := json.Marshal(now)
		if err != nil {
			p.log.Error().Err(err).Msg("state not sent")
			return
		}
		if _, err := fmt.Fprintf(w, "%sdata: %s\n\n", text, event); err != nil || out.Flush() != nil {
			return // the client has gone
		}
		text = ""
		select {
		case <-changed:
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-p.ctx.Done():
			return
		}
	}
}

// tally counts at this moment, for programs.
func (p pages) tally(w http.ResponseWriter, r *http.Request) {
	t, err := p.counter.Tally(r.Context())
	if err != nil {
		p.log.Warn().Err(err).Msg("votes not counted")
		http.Error(w, "the votes cannot be counted right now", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	daemon.Answer(w, http.StatusOK, t)
}
