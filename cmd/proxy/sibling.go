package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/daemon"
	"sluice/internal/label"
)

// Proxies of one service keep alike what their APIs were given. Each thing carries the stamp of its last change, the later
// stamp wins wherever two proxies meet, and removals are things too; so it does not matter who tells whom, how often and
// in which order. Proxies meet in an exchange (sibling_exchange.go): one sends the other what it lacks, and both learn
// what the other has. There is one at the start, at every change, now and then, and after a failure again and again.
//
// The state files need nobody: a proxy starts with its own and the exchange brings what it missed.
type siblings struct {
	instance string
	token    string
	port     int
	service  string
	shelves  map[string]shelf
	lookup   func(ctx context.Context, name string) ([]netip.Addr, error)
	client   *http.Client
	pace     siblingPace
	log      zerolog.Logger
	again    func() // makes the reconciler look again
	// inForce waits until what was taken is in force, and says which of the certificates among it HAProxy refuses.
	inForce func(ctx context.Context, certificates map[string]thing) error

	found chan struct{} // one slot: look the siblings up again

	mu     sync.Mutex
	peers  map[netip.Addr]*peer
	looked error // outcome of the last lookup; errNotLooked before the first
}

var errNotLooked = errors.New("the siblings have not been looked up yet")

// shelf is a kind of named things that siblings keep alike.
type shelf interface {
	versions() (map[string]stamp, error)
	give(names []string) (map[string]thing, error)
	take(things map[string]thing) error
}

// The kinds.
const (
	servicesKind     = "services"
	certificatesKind = "certificates"
)

// siblingPace are the pauses and patience among siblings.
type siblingPace struct {
	first, longest time.Duration // between attempts that fail
	resync         time.Duration // between exchanges when nothing changes
	lookup         time.Duration
	timeout        time.Duration // of one exchange
	await          time.Duration // how long a change waits until all have taken it
	known          time.Duration // the same for a sibling that did not answer before
}

func usualPace() siblingPace {
	return siblingPace{first: 100 * time.Millisecond, longest: 30 * time.Second, resync: time.Minute, lookup: 5 * time.Second,
		timeout: 6 * time.Second, await: 7 * time.Second, known: 300 * time.Millisecond}
}

// peer is one address of the siblings' name. Only what it is known to have is remembered, not what it shall be sent: that
// is the difference to what is here.
type peer struct {
	addr     netip.Addr
	poke     chan struct{} // one slot
	stop     context.CancelFunc
	instance string                      // "" before the first exchange
	known    map[string]map[string]stamp // what it has; nil is unknown
	failure  error                       // of the last exchange
	failedAt time.Time                   // of the last exchange that failed
	remark   string                      // of its last answer
}

func newSiblings(c controlSettings, instance string, log zerolog.Logger) *siblings {
	s := &siblings{
		instance: instance, token: c.APIToken, port: c.Port, service: c.ServiceName, shelves: map[string]shelf{}, pace: usualPace(), log: log,
		lookup: func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		},
		client: &http.Client{
			// No proxy of the environment, and no redirect, gets the token.
			Transport:     &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second, DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	s.init()
	return s
}

func (s *siblings) init() {
	s.found, s.peers, s.looked = make(chan struct{}, 1), map[netip.Addr]*peer{}, errNotLooked
}

// withoutSiblings reports a SERVICE_NAME that does nothing. It is no error: stack files of Docker Flow Proxy have it.
func withoutSiblings(c controlSettings) (problems []label.Problem) {
	if c.ServiceName != "" && c.APIToken == "" {
		problems = append(problems, label.Problem{Service: "(settings)", Label: "SERVICE_NAME", Value: c.ServiceName,
			Reason: "needs API_TOKEN: without a token the proxies of the service take no changes from one another"})
	}
	return problems
}

// run follows the siblings' addresses and keeps one loop for each, until ctx ends.
func (s *siblings) run(ctx context.Context) {
	if s == nil {
		return
	}
	var loops sync.WaitGroup
	defer loops.Wait()
	for ctx.Err() == nil {
		began := time.Now()
		s.look(ctx, &loops)
		select {
		case <-ctx.Done():
		case <-time.After(s.pace.lookup):
		case <-s.found:
			// Somebody who is not known yet has spoken. Its name may need a moment.
			select {
			case <-ctx.Done():
			case <-time.After(time.Until(began.Add(s.pace.lookup / 5))):
			}
		}
	}
}

// look asks for the addresses. While the name cannot be looked up, the known ones stay.
func (s *siblings) look(ctx context.Context, loops *sync.WaitGroup) {
	asking, cancel := context.WithTimeout(ctx, s.pace.timeout)
	defer cancel()
	addresses, err := s.lookup(asking, "tasks."+s.service)
	if err == nil && len(addresses) == 0 {
		err = errors.New("the name has no address")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.looked == nil || err == nil && s.looked != nil {
		s.log.Info().Err(err).Str("name", "tasks."+s.service).Int("addresses", len(addresses)).Msg("siblings are looked up")
	}
	if s.looked = err; err != nil {
		return
	}
	present := map[netip.Addr]bool{}
	for _, addr := range addresses {
		addr = addr.Unmap()
		present[addr] = true
		if s.peers[addr] == nil {
			following, stop := context.WithCancel(ctx)
			p := &peer{addr: addr, poke: make(chan struct{}, 1), stop: stop}
			s.peers[addr] = p
			loops.Go(func() { s.follow(following, p) })
		}
	}
	for addr, p := range s.peers {
		if !present[addr] {
			p.stop()
			delete(s.peers, addr)
		}
	}
}

// follow exchanges with one sibling whenever there is a reason to.
func (s *siblings) follow(ctx context.Context, p *peer) {
	pause := s.pace.first
	for ctx.Err() == nil {
		more, err := s.exchange(ctx, p)
		if ctx.Err() != nil {
			return
		}
		s.note(p, err)
		wait := s.pace.resync
		switch {
		case err != nil:
			wait, pause = pause, min(2*pause, s.pace.longest)
		case more:
			wait, pause = 0, s.pace.first
		default:
			pause = s.pace.first
		}
		select {
		case <-ctx.Done():
		case <-p.poke:
		case <-time.After(wait):
		}
	}
}

// note keeps the outcome, and logs when it is another one than before.
func (s *siblings) note(p *peer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		p.failedAt = time.Now()
	}
	if before := p.failure; (err == nil) != (before == nil) {
		s.log.Info().Err(err).Stringer("sibling", p.addr).Bool("reached", err == nil).Msg("sibling")
	}
	p.failure = err
}

// changed makes every sibling hear of a change.
func (s *siblings) changed() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		poke(p.poke)
	}
}

// passOn tells the siblings of the change of a thing and waits until all have taken it. The error names those that have
// not; they are told again until they do. Note is what they remarked otherwise.
func (s *siblings) passOn(ctx context.Context, kind, name string) (note string, err error) {
	versions, err := s.shelves[kind].versions()
	if err != nil {
		return "", err
	}
	want, shared := versions[name]
	if !shared {
		return "", nil
	}
	began := time.Now()
	s.changed()
	poll := time.NewTicker(applyPoll)
	defer poll.Stop()
	for {
		notes, missing, waiting := s.taken(kind, name, want, time.Since(began), began)
		if !waiting || ctx.Err() != nil {
			if len(missing) > 0 {
				err = fmt.Errorf("in force here, but not taken by %s; they are told again until they take it", strings.Join(missing, ", "))
			}
			return strings.Join(notes, "; "), err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
		}
	}
}

// taken tells who has not taken a change, and whether it is worth waiting longer.
func (s *siblings) taken(kind, name string, want stamp, waited time.Duration, began time.Time) (notes, missing []string, waiting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looked != nil && len(s.peers) == 0 {
		reason := fmt.Sprintf("the siblings, for tasks.%s cannot be looked up (%v)", s.service, s.looked)
		return nil, []string{reason}, waited < s.pace.await && errors.Is(s.looked, errNotLooked)
	}
	for _, addr := range slices.SortedFunc(maps.Keys(s.peers), netip.Addr.Compare) {
		p := s.peers[addr]
		if p.instance == s.instance {
			continue
		}
		if !want.after(p.known[kind][name]) && p.known != nil {
			if p.remark != "" {
				notes = append(notes, addr.String()+": "+p.remark)
			}
			continue
		}
		// One that failed before gets a moment only, one that fails now has had its turn.
		patience := s.pace.await
		if p.failure != nil {
			patience = s.pace.known
		}
		waiting = waiting || waited < patience && !p.failedAt.After(began)
		missing = append(missing, fmt.Sprintf("%s (%v)", addr, cmp.Or(p.failure, errors.New("it has not answered yet"))))
	}
	return notes, missing, waiting
}

func (s *siblings) url(addr netip.Addr) string {
	return "http://" + net.JoinHostPort(addr.String(), strconv.Itoa(s.port)) + siblingsPath
}

// handle adds what siblings ask for.
func (s *siblings) handle(mux *http.ServeMux, g daemon.Guard) {
	if s == nil {
		return
	}
	mux.HandleFunc("POST "+siblingsPath, func(w http.ResponseWriter, r *http.Request) {
		if !g.Knows(r) { // loopback is no sibling
			daemon.Answer(w, http.StatusUnauthorized, exchangeAnswer{Status: "NOK", Message: "the token is missing or wrong"})
			return
		}
		s.answer(w, r)
	})
}
