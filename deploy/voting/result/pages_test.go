package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sluice/deploy/voting/store"
)

type counted struct {
	tally store.Tally
	err   error
}

func (c counted) Tally(context.Context) (store.Tally, error) { return c.tally, c.err }

func open(t *testing.T, ctx context.Context, b *board, c counter) string {
	t.Helper()
	handler, err := newPages(ctx, "result.1", b, c, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestLiveAnswersFollowTheBoardUntilTheTaskLeaves(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	b := newBoard()
	response, err := http.Get(open(t, ctx, b, counted{}) + "/live")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	next := func() string {
		for lines.Scan() {
			if data, ours := strings.CutPrefix(lines.Text(), "data: "); ours {
				return data
			}
		}
		return "the end"
	}
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"at the start nothing is known", func() {}, `{"mountains":0,"sea":0,"votes":0,"known":false}`},
		{"a tally", func() { b.show(state{store.Tally{Mountains: 1, Sea: 2, Votes: 4}, true}) }, `{"mountains":1,"sea":2,"votes":4,"known":true}`},
		{"the same once more is no news, the database that is away is", func() { b.show(state{store.Tally{Mountains: 1, Sea: 2, Votes: 4}, true}); b.lost() }, `{"mountains":1,"sea":2,"votes":4,"known":false}`},
		{"the task leaves", leave, "the end"},
	} {
		step.do()
		if got := next(); got != step.want {
			t.Fatalf("%s: got %s, want %s", step.name, got, step.want)
		}
	}
}

func TestThePageHasTheNumbersWithoutScripts(t *testing.T) {
	b := newBoard()
	b.show(state{store.Tally{Mountains: 1, Sea: 2, Votes: 4}, true})
	_, body := get(t, open(t, t.Context(), b, counted{})+"/")
	for _, want := range []string{`<span id="voters">3</span> <span id="people">people have</span>`, `<span id="percent-mountains">33</span>`, `<span id="percent-sea">67</span>`, ">1 vote</p>", ">2 votes</p>"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s:\n%s", want, body)
		}
	}
}

func TestTheTallyIsCountedNowOrNotAtAll(t *testing.T) {
	if response, body := get(t, open(t, t.Context(), newBoard(), counted{tally: store.Tally{Sea: 2, Votes: 3}})+"/tally"); response.StatusCode != http.StatusOK || strings.TrimSpace(body) != `{"mountains":0,"sea":2,"votes":3}` {
		t.Errorf("answered %s %s", response.Status, body)
	}
	if response, body := get(t, open(t, t.Context(), newBoard(), counted{err: errors.New("away")})+"/tally"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("answered %s %s while the database is away", response.Status, body)
	}
}

func TestSharesAreAHundredTogether(t *testing.T) {
	for _, row := range []struct{ mountains, sea, wantMountains, wantSea int }{
		{0, 0, 0, 0}, {1, 0, 100, 0}, {1, 1, 50, 50}, {1, 2, 33, 67}, {2, 1, 67, 33}, {1, 7, 13, 87},
	} {
		if m, s := (state{Tally: store.Tally{Mountains: row.mountains, Sea: row.sea}}).percent(); m != row.wantMountains || s != row.wantSea {
			t.Errorf("%d and %d are %d %% and %d %%, want %d and %d", row.mountains, row.sea, m, s, row.wantMountains, row.wantSea)
		}
	}
}
