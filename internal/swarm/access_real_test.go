package swarm_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/swarm"
	"sluice/internal/swarm/swarmtest"
)

// gate stands before the engine, lets pass what is allowed and remembers what was asked.
type gate struct {
	allowed map[string]bool // "GET /tasks"
	mu      sync.Mutex
	asked   map[string]bool
	refused map[string]bool
}

// access reads the column of a program in docs/docker-access.md.
func access(t *testing.T, program string) *gate {
	t.Helper()
	text, err := os.ReadFile("../../docs/docker-access.md")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{allowed: map[string]bool{}, asked: map[string]bool{}, refused: map[string]bool{}}
	column := map[string]int{"proxy": 3, "scaler": 4}[program]
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) > 5 && strings.HasPrefix(cells[2], "/") && cells[column] == "yes" {
			g.allowed[cells[1]+" "+cells[2]] = true
		}
	}
	return g
}

var (
	apiVersion = regexp.MustCompile(`^/v1\.[0-9]+/`)
	objectID   = regexp.MustCompile(`^/(services|configs)/[^/]+`)
)

// open makes a client that reaches the engine through the gate.
func (g *gate) open(t *testing.T) *swarm.Client {
	t.Helper()
	engine := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	engine.FlushInterval = -1 // events
	host := swarmtest.Docker(t).DaemonHost()
	kind, address, _ := strings.Cut(host, "://")
	engine.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, kind, address)
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := objectID.ReplaceAllString(apiVersion.ReplaceAllString(r.URL.Path, "/"), "/$1/{id}")
		asked := r.Method + " " + path
		g.mu.Lock()
		allowed := g.allowed[asked]
		if g.asked[asked] = true; !allowed {
			g.refused[asked] = true
		}
		g.mu.Unlock()
		if !allowed {
			http.Error(w, `{"message":"refused"}`, http.StatusForbidden)
			return
		}
		engine.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	c, err := swarm.Open(strings.Replace(server.URL, "http", "tcp", 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestDockerIsAskedWhatTheTableAllowsAndNothingElse(t *testing.T) {
	t.Parallel()
	service := swarmtest.Start(t, swarmtest.Service{None: true, Labels: map[string]string{"com.df.notify": "true"}})
	for program, use := range map[string]func(ctx context.Context, c *swarm.Client) error{
		"proxy": func(ctx context.Context, c *swarm.Client) error {
			if _, err := c.Services(ctx, swarm.Filter{Label: "com.df.notify"}); err != nil {
				return err
			}
			_, err := c.Networks(ctx)
			return err
		},
		"scaler": func(ctx context.Context, c *swarm.Client) error {
			if _, err := c.Services(ctx, swarm.Filter{}); err != nil {
				return err
			}
			if _, err := c.Config(ctx, "no-such-config"); !errors.Is(err, swarm.ErrNoConfig) {
				return fmt.Errorf("read a config that is not there: %w", err)
			}
			return c.Scale(ctx, service.ID, swarm.Scaling{From: 0, To: 1})
		},
	} {
		g := access(t, program)
		c := g.open(t)
		ctx, cancel := context.WithCancel(t.Context())
		err := use(ctx, c)
		if err == nil {
			_, err = c.Tasks(ctx, []string{service.ID})
		}
		if err != nil {
			t.Errorf("%s: %v", program, err)
		}
		hints := c.Watch(ctx)
		<-hints // the events are followed
		swarmtest.Label(t, service.ID, "changed-for", program)
		<-hints
		cancel()
		g.mu.Lock()
		if diff := cmp.Diff(slices.Sorted(maps.Keys(g.allowed)), slices.Sorted(maps.Keys(g.asked))); diff != "" || len(g.refused) > 0 {
			t.Errorf("%s: what is allowed and what was asked differ: %s", program, diff)
		}
		g.mu.Unlock()
	}
}
