package hold

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/loadtest/result"
	"sluice/loadtest/scenario"
)

// ticking is a server whose answers go on; the nth of them, counted from 1, ends, or falls silent, as end says after three ticks.
func ticking(t *testing.T, end func(n int64) (over, quiet bool)) string {
	var answers atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		over, quiet := end(answers.Add(1))
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			if i == 3 && over {
				return
			}
			if i < 3 || !quiet {
				fmt.Fprint(w, "data: tick\n\n")
				http.NewResponseController(w).Flush()
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestStreamsAreHeldAndClosedAtTheEnd(t *testing.T) {
	url := ticking(t, func(int64) (over, quiet bool) { return false, false })
	n := hold(t, scenario.Hold{URL: url, Connections: 20, Every: 10 * time.Second, Reopen: true}, func(c map[result.Hold]int) bool { return c[result.Opened] == 20 })
	if diff := cmp.Diff(map[result.Hold]int{result.Opened: 20, result.Closed: 20}, n.count); diff != "" {
		t.Errorf("%v; (-want +got):\n%s", n.errs, diff)
	}
}

func TestAStreamThatEndsIsLostAndOpenedAgain(t *testing.T) {
	url := ticking(t, func(n int64) (over, quiet bool) { return n == 2, false })
	n := hold(t, scenario.Hold{URL: url, Connections: 3, Reopen: true}, func(c map[result.Hold]int) bool { return c[result.Opened] == 4 })
	if n.count[result.Lost] != 1 || n.again != 1 || n.count[result.Closed] != 3 || !strings.Contains(n.errs[0], "the server ended the answer after 36 bytes") {
		t.Errorf("%v, %d opened again, %v; want one lost and opened again, and three closed at the end", n.count, n.again, n.errs)
	}
}

func TestAStreamMayBeSilentUnlessItIsSaidHowLong(t *testing.T) {
	url := ticking(t, func(n int64) (over, quiet bool) { return false, true })
	n := hold(t, scenario.Hold{URL: url, Connections: 1, Every: 50 * time.Millisecond}, func(c map[result.Hold]int) bool { return c[result.Lost] == 1 })
	if n.count[result.Lost] != 1 || n.errs[0] != "nothing came for 50ms" {
		t.Errorf("%v %v, want one lost in silence", n.count, n.errs)
	}
}

func TestAStreamIsRefusedByAnyAnswerButSuccessAndNoRedirectIsFollowed(t *testing.T) {
	url := ticking(t, func(int64) (over, quiet bool) { return false, false })
	n := hold(t, scenario.Hold{URL: url + "/elsewhere", Connections: 2}, func(c map[result.Hold]int) bool { return c[result.Refused] == 2 })
	if n.count[result.Refused] != 2 || n.count[result.Opened] != 0 || n.errs[0] != "answer 302 Found" {
		t.Errorf("%v %v, want two refused with status 302", n.count, n.errs)
	}
}
