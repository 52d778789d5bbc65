package hold

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"sluice/loadtest/result"
	"sluice/loadtest/scenario"
)

// notes counts what happened and ends the run when it has seen enough.
type notes struct {
	mu     sync.Mutex
	count  map[result.Hold]int
	again  int
	errs   []string
	enough func(map[result.Hold]int) bool
	stop   func()
}

func (n *notes) add(h result.Held) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count[h.What]++
	if h.Again {
		n.again++
	}
	if h.Err != nil {
		n.errs = append(n.errs, h.Err.Error())
	}
	if n.enough(n.count) {
		n.stop()
	}
}

// hold runs until enough has happened, at most two minutes, with a timeout that is never reached.
func hold(t *testing.T, h scenario.Hold, enough func(map[result.Hold]int) bool) *notes {
	t.Helper()
	return holdWith(t, h, 20*time.Second, enough)
}

func holdWith(t *testing.T, h scenario.Hold, timeout time.Duration, enough func(map[result.Hold]int) bool) *notes {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	n := &notes{count: map[result.Hold]int{}, enough: enough, stop: stop}
	h.Rate = 1000
	Run(ctx, &scenario.Scenario{Hold: []scenario.Hold{h}, Timeout: timeout}, time.Now(), n.add)
	return n
}

// chat is a server that sends back what it is sent; react may do something else with the number of messages that came on all connections.
func chat(t *testing.T, react func(n int, c *websocket.Conn) bool) string {
	var mu sync.Mutex
	messages := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		for {
			kind, data, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			mu.Lock()
			messages++
			n := messages
			mu.Unlock()
			if react != nil && react(n, conn) {
				continue
			}
			if conn.Write(r.Context(), kind, data) != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "http", "ws", 1)
}

func TestConnectionsAreHeldAndClosedAtTheEnd(t *testing.T) {
	for _, message := range []string{"", "hello"} {
		t.Run(message, func(t *testing.T) {
			h := scenario.Hold{URL: chat(t, nil), Connections: 20, Every: 20 * time.Millisecond, Message: message, Reopen: true}
			n := hold(t, h, func(c map[result.Hold]int) bool { return c[result.Opened] == 20 && c[result.Echoed] >= 100 })
			delete(n.count, result.Echoed)
			if diff := cmp.Diff(map[result.Hold]int{result.Opened: 20, result.Closed: 20}, n.count); diff != "" {
				t.Errorf("%v; (-want +got):\n%s", n.errs, diff)
			}
		})
	}
}

func TestALostConnectionIsNotedAndOpenedAgain(t *testing.T) {
	url := chat(t, func(n int, c *websocket.Conn) bool {
		if n == 5 {
			_ = c.CloseNow()
		}
		return n == 5
	})
	h := scenario.Hold{URL: url, Connections: 3, Every: 20 * time.Millisecond, Message: "hello", Reopen: true}
	n := hold(t, h, func(c map[result.Hold]int) bool { return c[result.Opened] == 4 })
	if n.count[result.Lost] != 1 || n.again != 1 || n.count[result.Closed] != 3 {
		t.Errorf("%v, %d opened again, want one lost and opened again, and three closed at the end", n.count, n.again)
	}
}

func TestAConnectionWithoutEchoIsLost(t *testing.T) {
	h := scenario.Hold{URL: chat(t, func(int, *websocket.Conn) bool { return true }), Connections: 1, Every: time.Second, Message: "hello"}
	n := holdWith(t, h, 2*time.Second, func(c map[result.Hold]int) bool { return c[result.Lost] == 1 })
	if n.count[result.Lost] != 1 || n.count[result.Echoed] != 0 {
		t.Errorf("%v %v, want one lost without an echo", n.count, n.errs)
	}
}

func TestWhatIsNoWebSocketIsRefusedAndNoRedirectIsFollowed(t *testing.T) {
	url := chat(t, nil)
	n := hold(t, scenario.Hold{URL: url + "/elsewhere", Connections: 2, Every: time.Second}, func(c map[result.Hold]int) bool { return c[result.Refused] == 2 })
	if n.count[result.Refused] != 2 || n.count[result.Opened] != 0 || !strings.Contains(n.errs[0], "302") {
		t.Errorf("%v %v, want two refused with status 302", n.count, n.errs)
	}
}
