package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sluice/deploy/voting/ballot"
)

// heap keeps what was voted; err is what it says to a vote.
type heap struct {
	votes []ballot.Vote
	err   error
}

func (h *heap) Put(_ context.Context, v ballot.Vote) error {
	if h.err == nil {
		h.votes = append(h.votes, v)
	}
	return h.err
}

func open(t *testing.T, h *heap) http.Handler {
	t.Helper()
	b, err := newBooth("vote.1", h, 0, time.Minute, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// post votes as a form does.
func post(b http.Handler, values url.Values, cookies ...*http.Cookie) *http.Response {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w.Result()
}

func TestAVoterStaysTheSameAndVotesAreTheirOwn(t *testing.T) {
	h := &heap{}
	b := open(t, h)
	first := post(b, url.Values{"vote": {"sea"}})
	if first.StatusCode != http.StatusSeeOther || first.Header.Get("Location") != "./" {
		t.Fatalf("answered %s to %q", first.Status, first.Header.Get("Location"))
	}
	post(b, url.Values{"vote": {"mountains"}}, first.Cookies()...)
	post(b, url.Values{"vote": {"mountains"}})
	if len(h.votes) != 3 || h.votes[0].Voter != h.votes[1].Voter || h.votes[0].Voter == h.votes[2].Voter || h.votes[0].ID == h.votes[1].ID {
		t.Errorf("queued %+v", h.votes)
	}
	for _, c := range first.Cookies() {
		if c.Path != "" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("cookie %+v is not for the folder of the page and its server alone", c)
		}
	}
}

func TestAFormThatIsSentTwiceIsOneVote(t *testing.T) {
	h := &heap{}
	b := open(t, h)
	w := httptest.NewRecorder()
	b.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	hidden := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(w.Body.String())
	if hidden == nil {
		t.Fatalf("the page has no id:\n%s", w.Body)
	}
	for range 2 {
		post(b, url.Values{"vote": {"sea"}, "id": {hidden[1]}})
	}
	if len(h.votes) != 2 || h.votes[0].ID != hidden[1] || h.votes[1].ID != hidden[1] {
		t.Errorf("queued %+v, want the id %s twice", h.votes, hidden[1])
	}
}

func TestWhatIsNoVoteIsRefused(t *testing.T) {
	for name, values := range map[string]url.Values{
		"nothing":        {},
		"another choice": {"vote": {"lake"}},
		"no id":          {"vote": {"sea"}, "id": {"<script>"}},
		"a book":         {"vote": {"sea"}, "book": {strings.Repeat("a", 10_000)}},
	} {
		t.Run(name, func(t *testing.T) {
			h := &heap{}
			if got := post(open(t, h), values).StatusCode; got != http.StatusBadRequest || len(h.votes) > 0 {
				t.Errorf("answered %d, queued %v", got, h.votes)
			}
		})
	}
}

func TestAVoteThatIsNotTakenIsNotThankedFor(t *testing.T) {
	response := post(open(t, &heap{err: errors.New("away")}), url.Values{"vote": {"sea"}})
	if response.StatusCode != http.StatusServiceUnavailable || len(response.Cookies()) > 0 {
		t.Errorf("answered %s with cookies %v", response.Status, response.Cookies())
	}
}

func TestThePageShowsTheLastVote(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: choiceCookie, Value: "sea"})
	w := httptest.NewRecorder()
	open(t, &heap{}).ServeHTTP(w, r)
	if got := w.Body.String(); strings.Count(got, `aria-pressed="true"`) != 1 || !strings.Contains(got, `value="sea" aria-pressed="true"`) {
		t.Errorf("the page does not show the vote for the sea:\n%s", got)
	}
}
