package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// events streams server-sent events, one each time every has passed, until the client or this server leaves.
func events(leaving context.Context, every time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		out := http.NewResponseController(w)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for n := 0; ; n++ {
			if _, err := fmt.Fprintf(w, "id: %d\ndata: tick\n\n", n); err != nil {
				return // the client left
			}
			if err := out.Flush(); err != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			case <-leaving.Done():
				return
			}
		}
	}
}
