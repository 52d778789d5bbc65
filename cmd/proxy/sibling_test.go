package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAChangeAtOneProxyIsInForceAtAll(t *testing.T) {
	f := newFleet(t, 3)
	a, b, c := f.members[0], f.members[1], f.members[2]
	if code, answer := a.declare("shop", "/shop", "users", "joe:geheim"); code != http.StatusOK || !strings.Contains(answer.Message, distributed) {
		t.Fatalf("got %d %+v", code, answer)
	}
	for _, m := range f.members {
		if diff := cmp.Diff([]string{"shop /shop"}, names(m.declared)); diff != "" {
			t.Errorf("%s: %s", m.addr, diff)
		}
	}
	if code, answer := b.declare("here", "/here", "distribute", "false"); code != http.StatusOK || answer.Message != "" {
		t.Errorf("got %d %+v", code, answer)
	}
	if code, answer := c.call("remove", "serviceName", "shop", "distribute", "TRUE"); code != http.StatusOK {
		t.Fatalf("got %d %+v", code, answer)
	}
	for _, m := range f.members {
		want := []string(nil)
		if m == b {
			want = []string{"here /here"}
		}
		if diff := cmp.Diff(want, names(m.declared)); diff != "" {
			t.Errorf("%s: %s", m.addr, diff)
		}
	}
	if code, _ := a.declare("x", "/x", "distribute", "maybe"); code != http.StatusBadRequest {
		t.Errorf("distribute=maybe: got %d", code)
	}
}

func TestASiblingThatHangsIsNamedAndHoldsUpNobody(t *testing.T) {
	f := newFleet(t, 3)
	f.members[0].declare("warm", "/up")
	f.members[2].cut.Store(true)
	code, answer := f.members[0].declare("shop", "/1")
	if code != http.StatusInternalServerError || answer.Status != "NOK" || !strings.Contains(answer.Message, "not taken by 127.0.0.4") || strings.Contains(answer.Message, "127.0.0.3") {
		t.Errorf("got %d %+v", code, answer)
	}
	for _, m := range f.members[:2] {
		if got := names(m.declared); len(got) != 2 {
			t.Errorf("%s has %v", m.addr, got)
		}
	}
	// From the second change on nobody waits for it: the time in which one exchange with it ends is enough for many.
	for i := range 20 {
		f.members[0].declare("shop", fmt.Sprint("/", i))
	}
	began := time.Now()
	if code, _ := f.members[0].call("ping"); code != http.StatusOK || time.Since(began) > f.members[0].siblings.pace.await {
		t.Errorf("ping: %d after %s", code, time.Since(began))
	}
	f.members[2].cut.Store(false)
	if diff := cmp.Diff([]string{"shop /19", "warm /up"}, f.converge()); diff != "" {
		t.Error(diff)
	}
	if code, answer := f.members[0].declare("shop", "/last"); code != http.StatusOK {
		t.Errorf("after it is back: %d %+v", code, answer)
	}
}

func TestAProxyThatWasAwayDoesNotBringARemovedServiceBack(t *testing.T) {
	f := newFleet(t, 3)
	a, b, c := f.members[0], f.members[1], f.members[2]
	a.declare("old", "/old")
	a.declare("kept", "/kept")
	f.converge()
	c.stop()
	if code, answer := b.call("remove", "serviceName", "old"); code != http.StatusInternalServerError || !strings.Contains(answer.Message, "127.0.0.4") {
		t.Errorf("with a sibling away: got %d %+v", code, answer)
	}
	b.declare("new", "/new")
	a.stop() // nobody needs to remember but the file
	c.start(f.addresses)
	a.start(f.addresses)
	if diff := cmp.Diff([]string{"kept /kept", "new /new"}, f.converge()); diff != "" {
		t.Error(diff)
	}
}

func TestAllStartAtOnceFromTheirFiles(t *testing.T) {
	f := newFleet(t, 3)
	for i, m := range f.members {
		m.cut.Store(true)
		m.declare(fmt.Sprint("own", i), "/own", "distribute", "true")
		m.declare("shared", fmt.Sprint("/", i))
	}
	for _, m := range f.members {
		m.stop()
		m.cut.Store(false)
	}
	var starting sync.WaitGroup
	for _, m := range f.members {
		starting.Go(func() { m.start(f.addresses) })
	}
	starting.Wait()
	if diff := cmp.Diff([]string{"own0 /own", "own1 /own", "own2 /own", "shared /2"}, f.converge()); diff != "" {
		t.Error(diff)
	}
}

// TestRandomChangesConverge changes a few services at all proxies at once, while proxies are cut off, end and come back.
func TestRandomChangesConverge(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			f := newFleet(t, 3)
			var wait sync.WaitGroup
			for i, m := range f.members {
				wait.Go(func() {
					random := rand.New(rand.NewPCG(seed, uint64(i)))
					for n := range 25 {
						name := fmt.Sprint("s", random.IntN(4))
						switch random.IntN(12) {
						case 0:
							m.cut.Store(!m.cut.Load())
						case 1:
							m.stop()
							m.start(f.addresses)
						case 2, 3, 4:
							m.call("remove", "serviceName", name)
						default:
							m.declare(name, fmt.Sprintf("/%d/%d", i, n))
						}
					}
				})
			}
			wait.Wait()
			for _, m := range f.members {
				m.cut.Store(false)
			}
			f.converge()
			// And it goes on in order: the last of some changes is what all have.
			for i := range 6 {
				f.members[i%3].declare("s0", fmt.Sprint("/last/", i))
			}
			if got := f.converge(); len(got) == 0 || got[0] != "s0 /last/5" {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestAnAnswerTellsNoSecret(t *testing.T) {
	f := newFleet(t, 2)
	f.members[0].declare("shop", "/shop", "users", "joe:geheim")
	for _, token := range []string{fleetToken, "wrong", ""} {
		request, err := http.NewRequest(http.MethodPost, f.members[1].server.URL+siblingsPath, strings.NewReader(`{"instance":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Api-Token", token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if good := token == fleetToken; err != nil || bytes.Contains(body, []byte("geheim")) || bytes.Contains(body, []byte("shop")) != good || (response.StatusCode == http.StatusOK) != good {
			t.Errorf("token %q: %d %s %v", token, response.StatusCode, body, err)
		}
	}
}

func TestASiblingThatRedirectsOrRefusesIsNotBelieved(t *testing.T) {
	f := newFleet(t, 3)
	f.members[1].moved.Store(true)
	f.members[0].stop()
	f.members[0].token = "another"
	f.members[0].start(f.addresses)
	code, answer := f.members[0].declare("shop", "/shop")
	for _, want := range []string{"127.0.0.3 (it answers 307", "127.0.0.4 (it answers 401 the token is missing or wrong)"} {
		if code != http.StatusInternalServerError || !strings.Contains(answer.Message, want) {
			t.Errorf("got %d %+v, want %s", code, answer, want)
		}
	}
}

func TestANameThatCannotBeLookedUpIsSaid(t *testing.T) {
	f := newFleet(t, 1)
	m := f.members[0]
	m.stop()
	m.start(func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such name") })
	if code, answer := m.declare("shop", "/shop"); code != http.StatusInternalServerError || !strings.Contains(answer.Message, "tasks.proxy cannot be looked up (no such name)") {
		t.Errorf("got %d %+v", code, answer)
	}
	if got := names(m.declared); len(got) != 1 {
		t.Errorf("it is not in force here: %v", got)
	}
	m.stop()
	m.start(f.addresses)
	if code, answer := m.declare("shop", "/shop"); code != http.StatusOK {
		t.Errorf("alone under its name: got %d %+v", code, answer)
	}
}

func TestAnAddressThatLeavesIsForgotten(t *testing.T) {
	f := newFleet(t, 2)
	gone := f.members[1]
	f.converge()
	var mu sync.Mutex
	left := false
	m := f.members[0]
	m.stop()
	m.start(func(context.Context, string) ([]netip.Addr, error) {
		mu.Lock()
		defer mu.Unlock()
		if left {
			return []netip.Addr{m.addr}, nil
		}
		return []netip.Addr{m.addr, gone.addr}, nil
	})
	gone.stop()
	if code, _ := m.declare("shop", "/1"); code != http.StatusInternalServerError {
		t.Errorf("with a dead sibling: %d", code)
	}
	mu.Lock()
	left = true
	mu.Unlock()
	await(t, "its address is forgotten", func() bool { code, _ := m.declare("shop", "/2"); return code == http.StatusOK })
}
