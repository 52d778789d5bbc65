package hold

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/haproxy/haproxytest"
	"sluice/loadtest/result"
	"sluice/loadtest/scenario"
)

// A worker that drains keeps its WebSockets: a reload costs none, unless the configuration bounds how long it may drain. Both are seen.
func TestReloadsOfHAProxyLoseConnectionsOnlyWhenItMayNotDrain(t *testing.T) {
	const connections = 10
	for _, row := range []struct {
		name, global string
		lost         int
	}{{"draining", "", 0}, {"hard-stop-after", "hard-stop-after 200ms", connections}} {
		t.Run(row.name, func(t *testing.T) {
			server := strings.TrimPrefix(chat(t, nil), "ws://")
			address := haproxytest.Address(t)
			config := func(comment string) map[string][]byte {
				return map[string][]byte{"haproxy.cfg": fmt.Appendf(nil, "global\n  %s\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n"+
					"  timeout tunnel 1m\nlisten l\n  bind %s\n  server s %s\n# %s\n", row.global, address, server, comment)}
			}
			h := haproxytest.Start(t, config("one"))
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
			defer stop()
			var mu sync.Mutex
			count, again, reloaded := map[result.Hold]int{}, 0, 0
			reload := make(chan struct{})
			s := &scenario.Scenario{Timeout: 20 * time.Second, Hold: []scenario.Hold{
				{URL: "ws://" + address + "/", Connections: connections, Rate: 1000, Every: 50 * time.Millisecond, Reopen: true},
			}}
			var run sync.WaitGroup
			run.Go(func() {
				Run(ctx, s, time.Now(), func(held result.Held) {
					mu.Lock()
					defer mu.Unlock()
					if count[held.What]++; held.Again {
						again++
					}
					if held.What == result.Echoed && count[held.What] == 5*connections {
						close(reload)
					}
					if reloaded > 0 && count[result.Echoed] >= reloaded+20*connections && again >= row.lost {
						stop()
					}
				})
			})
			select {
			case <-reload:
			case <-ctx.Done():
				t.Fatalf("waited in vain for echoes: %v", count)
			}
			h.Put(config("two"))
			mu.Lock()
			reloaded = count[result.Echoed]
			mu.Unlock()
			run.Wait()
			if count[result.Lost] != row.lost || again != row.lost || count[result.Closed] != connections {
				t.Errorf("%v, %d opened again; want %d lost and opened again", count, again, row.lost)
			}
		})
	}
}
