package main

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Desk serves a bounded number of requests at a time; others wait in its queue.
type Desk struct {
	name    string
	work    time.Duration
	places  chan struct{} // one token for each request in service
	room    int64         // in service and waiting, at most
	present atomic.Int64  // in service and waiting, now
	served  atomic.Int64
	leaving atomic.Bool
}

// NewDesk makes a desk that signs its answers with name.
func NewDesk(name string, cfg Config) *Desk {
	return &Desk{
		name:   name,
		work:   cfg.Work,
		places: make(chan struct{}, cfg.Capacity),
		room:   int64(cfg.Capacity + cfg.Queue),
	}
}

// Leave makes every answer from now on ask its client to close the connection. Connections that are idle stay open:
// closing one while the proxy sends on it would lose that request.
func (d *Desk) Leave() { d.leaving.Store(true) }

// Served is the number of requests answered with 200, /healthz left out.
func (d *Desk) Served() int64 { return d.served.Load() }

// ServeHTTP answers /healthz at once and everything else after a turn at the desk. Answers say who gave them (X-Task) and
// when the request came (X-Came).
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Task", d.name)
	if d.leaving.Load() {
		w.Header().Set("Connection", "close")
	}
	if r.URL.Path == "/healthz" {
		fmt.Fprintln(w, "ok")
		return
	}
	came := time.Now()
	w.Header().Set("X-Came", came.Format(time.RFC3339Nano))
	defer d.present.Add(-1)
	if d.present.Add(1) > d.room {
		w.Header().Set("Retry-After", "1")
		http.Error(w, d.name+" is full", http.StatusServiceUnavailable)
		return
	}
	select {
	case d.places <- struct{}{}:
	case <-r.Context().Done():
		return // the client has gone
	}
	waited := time.Since(came)
	time.Sleep(d.work)
	<-d.places
	d.served.Add(1)
	fmt.Fprintf(w, "%s served %s in %v after waiting %v\n", d.name, r.URL.Path, d.work, waited.Round(time.Millisecond))
}
