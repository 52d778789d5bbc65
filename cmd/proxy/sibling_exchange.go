package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"sluice/internal/daemon"
)

// siblingsPath is where a proxy takes exchanges.
const siblingsPath = "/v1/siblings"

// exchange is what a proxy sends to a sibling. The answer tells what the other has by names and stamps alone: passwords
// and keys are sent to siblings and never answered.
type exchange struct {
	Instance string                      `json:"instance"`
	Versions map[string]map[string]stamp `json:"versions"` // kind -> name -> last change
	Things   map[string]map[string]thing `json:"things,omitempty"`
}

type exchangeAnswer struct {
	Status   string                      `json:"status"` // OK or NOK
	Message  string                      `json:"message,omitempty"`
	Instance string                      `json:"instance,omitempty"`
	Versions map[string]map[string]stamp `json:"versions,omitempty"`
}

const (
	exchangeMax   = 64 << 20        // bytes of an exchange
	exchangeFull  = 4 << 20         // bytes of things after which the rest is left to the next one
	exchangeChunk = 64              // things that are read at once
	exchangeForce = 3 * time.Second // how long an answer waits until what was taken is in force
)

// exchange sends a sibling what it is known to lack, and learns what it has. More says that it lacks still something.
func (s *siblings) exchange(ctx context.Context, p *peer) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.pace.timeout)
	defer cancel()
	out := exchange{Instance: s.instance}
	if out.Versions, err = s.versions(); err != nil {
		return false, err
	}
	s.mu.Lock()
	lacking, self := p.lacking(out.Versions), p.instance == s.instance
	s.mu.Unlock()
	if self {
		return false, nil
	}
	if out.Things, err = s.things(lacking); err != nil {
		return false, err
	}
	answer, err := s.send(ctx, p, out)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		return false, err
	}
	p.learn(answer.Instance, answer.Versions)
	p.remark = answer.Message
	return p.instance != s.instance && len(p.lacking(out.Versions)) > 0, nil
}

func (s *siblings) send(ctx context.Context, p *peer, out exchange) (answer exchangeAnswer, err error) {
	body, err := json.Marshal(out)
	if err != nil {
		return answer, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url(p.addr), bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	decoding := json.NewDecoder(io.LimitReader(response.Body, exchangeMax)).Decode(&answer)
	if response.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("it answers %d %s", response.StatusCode, brief(answer.Message, 200))
	}
	if decoding != nil {
		return answer, fmt.Errorf("read its answer: %w", decoding)
	}
	if answer.Instance == "" {
		return answer, fmt.Errorf("read its answer: it has no instance")
	}
	return answer, nil
}

// versions tells what is here of all kinds.
func (s *siblings) versions() (map[string]map[string]stamp, error) {
	all := map[string]map[string]stamp{}
	for kind, shelf := range s.shelves {
		versions, err := shelf.versions()
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", kind, err)
		}
		all[kind] = versions
	}
	return all, nil
}

// lacking names, by kind, what the sibling has in an older version or not at all; nothing while that is unknown.
func (p *peer) lacking(here map[string]map[string]stamp) map[string][]string {
	names := map[string][]string{}
	for kind, versions := range here {
		for name, version := range versions {
			if p.known != nil && version.after(p.known[kind][name]) {
				names[kind] = append(names[kind], name)
			}
		}
	}
	return names
}

// things reads what has these names, as much as fits.
func (s *siblings) things(names map[string][]string) (map[string]map[string]thing, error) {
	all := map[string]map[string]thing{}
	size := 0
	for kind, list := range names {
		all[kind] = map[string]thing{}
		for chunk := range slices.Chunk(list, exchangeChunk) {
			if size > exchangeFull {
				break
			}
			given, err := s.shelves[kind].give(chunk)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", kind, err)
			}
			maps.Copy(all[kind], given)
			for name, t := range given {
				size += len(name) + len(t.Value)
			}
		}
	}
	return all, nil
}

// answer takes what a sibling sends and says what is here then.
func (s *siblings) answer(w http.ResponseWriter, r *http.Request) {
	var in exchange
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, exchangeMax)).Decode(&in); err != nil || in.Instance == "" {
		daemon.Answer(w, http.StatusBadRequest, exchangeAnswer{Status: "NOK", Message: "this is no exchange"})
		return
	}
	if in.Instance == s.instance {
		daemon.Answer(w, http.StatusOK, exchangeAnswer{Status: "OK", Instance: s.instance})
		return
	}
	out, err := s.takeAll(r.Context(), in)
	if err != nil {
		s.log.Warn().Err(err).Msg("what a sibling sent cannot be kept")
		daemon.Answer(w, http.StatusInternalServerError, exchangeAnswer{Status: "NOK", Message: err.Error()})
		return
	}
	s.heard(in, out.Versions)
	daemon.Answer(w, http.StatusOK, out)
}

func (s *siblings) takeAll(ctx context.Context, in exchange) (out exchangeAnswer, err error) {
	out = exchangeAnswer{Status: "OK", Instance: s.instance}
	taken := false
	for kind, things := range in.Things {
		shelf, known := s.shelves[kind]
		if !known || len(things) == 0 {
			continue
		}
		if err := shelf.take(things); err != nil {
			return out, fmt.Errorf("take %s: %w", kind, err)
		}
		taken = true
	}
	if taken {
		s.again()
		waiting, cancel := context.WithTimeout(ctx, exchangeForce)
		defer cancel()
		if err := s.inForce(waiting, in.Things[certificatesKind]); err != nil {
			out.Message = brief(err.Error(), 500)
		}
	}
	if out.Versions, err = s.versions(); err != nil {
		return out, err
	}
	// What was passed over counts as heard of, or it would be sent again and again.
	for kind, things := range in.Things {
		for name, t := range things {
			if out.Versions[kind] == nil {
				out.Versions[kind] = map[string]stamp{}
			}
			if t.after(out.Versions[kind][name]) {
				out.Versions[kind][name] = t.stamp
			}
		}
	}
	return out, nil
}

// heard keeps what a sibling says it has. If it lacks something it will be spoken to; if it is new, all are.
func (s *siblings) heard(in exchange, here map[string]map[string]stamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := false
	for _, p := range s.peers {
		if p.instance == in.Instance {
			found = true
			p.learn(in.Instance, in.Versions)
			if len(p.lacking(here)) > 0 {
				poke(p.poke)
			}
		}
	}
	if found {
		return
	}
	poke(s.found)
	for _, p := range s.peers { // one of them may have been started again
		poke(p.poke)
	}
}

// learn adds to what the sibling is known to have; another instance begins anew.
func (p *peer) learn(instance string, versions map[string]map[string]stamp) {
	if p.instance != instance || p.known == nil {
		p.known = map[string]map[string]stamp{}
	}
	p.instance = instance
	for kind, stamps := range versions {
		if p.known[kind] == nil {
			p.known[kind] = map[string]stamp{}
		}
		for name, version := range stamps {
			if version.after(p.known[kind][name]) {
				p.known[kind][name] = version
			}
		}
	}
}
