package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// visit sends n requests at once and returns how many got each status.
func visit(d *Desk, n int) map[int]int {
	var wg sync.WaitGroup
	codes := make(chan int, n)
	for range n {
		wg.Go(func() {
			w := httptest.NewRecorder()
			d.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/demo/", nil))
			codes <- w.Code
		})
	}
	wg.Wait()
	close(codes)
	count := map[int]int{}
	for code := range codes {
		count[code]++
	}
	return count
}

func TestADeskServesItsCapacityAtATime(t *testing.T) {
	for _, row := range []struct {
		name     string
		cfg      Config
		requests int
		want     map[int]int
		takes    time.Duration
	}{
		{"one turn when all have a place", Config{Capacity: 4, Work: time.Second}, 4, map[int]int{200: 4}, time.Second},
		{"the fifth of four places waits", Config{Capacity: 4, Work: time.Second, Queue: 1}, 5, map[int]int{200: 5}, 2 * time.Second},
		{"a full waiting room sends away", Config{Capacity: 4, Work: time.Second, Queue: 1}, 8, map[int]int{200: 5, 503: 3}, 2 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				if diff := cmp.Diff(row.want, visit(NewDesk("app", row.cfg), row.requests)); diff != "" {
					t.Errorf("statuses (-want +got):\n%s", diff)
				}
				if took := time.Since(began); took != row.takes {
					t.Errorf("took %v, want %v", took, row.takes)
				}
			})
		})
	}
}

func TestAClientThatGivesUpFreesItsSeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDesk("app", Config{Capacity: 1, Work: time.Minute, Queue: 1})
		var first sync.WaitGroup
		first.Go(func() { visit(d, 1) })
		synctest.Wait() // it has the only place
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		d.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
		if got := d.present.Load(); got != 1 {
			t.Errorf("%d requests present, want 1", got)
		}
		first.Wait()
	})
}

func TestADeskThatLeavesAsksClientsToCloseAndStillServes(t *testing.T) {
	d := NewDesk("app", Config{Capacity: 1})
	d.Leave()
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusOK || w.Header().Get("Connection") != "close" {
		t.Errorf("answered %d with Connection %q, want 200 with close", w.Code, w.Header().Get("Connection"))
	}
}
