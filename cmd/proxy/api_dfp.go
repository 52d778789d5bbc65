package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"sluice/internal/daemon"
	"sluice/internal/label"
	"sluice/routing"
)

// dfpPath is where Docker Flow Proxy has its API; what calls it calls Sluice unchanged.
const dfpPath = "/v1/docker-flow-proxy/"

const (
	applyTimeout = 20 * time.Second // how long a change may take until it is in force
	applyPoll    = 10 * time.Millisecond
)

// dfpAnswer is the body of Docker Flow Proxy's answers.
type dfpAnswer struct {
	Status      string `json:"Status"` // OK or NOK
	Message     string `json:"Message"`
	ServiceName string `json:"ServiceName"`
}

// refuse answers a request that may not change anything.
func refuse(w http.ResponseWriter, code int, message string) {
	daemon.Answer(w, code, dfpAnswer{Status: "NOK", Message: message})
}

func (a api) handleDFP(mux *http.ServeMux) {
	for name, handler := range map[string]http.HandlerFunc{"reconfigure": a.reconfigure, "remove": a.remove, "reload": a.reload} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
			mux.HandleFunc(method+" "+dfpPath+name, a.guard.Changing(handler))
		}
	}
	mux.HandleFunc("GET "+dfpPath+"config", a.config)
	mux.HandleFunc("GET "+dfpPath+"metrics", a.statistics)
	mux.HandleFunc("GET "+dfpPath+"ping", func(w http.ResponseWriter, _ *http.Request) {
		daemon.Answer(w, http.StatusOK, dfpAnswer{Status: "OK"})
	})
	mux.HandleFunc("GET "+dfpPath+"successfulinitreload", a.initReload)
}

// refusal is an answer that is not OK.
type refusal struct {
	code   int
	reason string
}

func (r refusal) Error() string { return r.reason }

// reconfigure declares a service and answers when it is in force. What is declared stays so, even while nothing of it
// can be routed: like the labels of a swarm service it is looked at again whenever something changes.
func (a api) reconfigure(w http.ResponseWriter, r *http.Request) {
	parameters, err := readParameters(w, r)
	if err == nil {
		err = checkParameters(parameters)
	}
	name := parameters["serviceName"]
	spread, err := distribution(parameters, err)
	var now *view
	if err == nil {
		now, err = a.change(r.Context(), func() (uint64, error) { return a.declared.put(name, labelsOf(parameters), spread == here) })
	}
	answer := func(message string, err error) {
		answerWith(w, dfpService(name, 1, labelsOf(parameters)), name, message, err)
	}
	if err != nil {
		answer("", err)
		return
	}
	reasons := about(name, now.Problems)
	if !slices.ContainsFunc(now.Table.Backends, func(b routing.Backend) bool { return b.Of(name) }) {
		answer("", refusal{http.StatusBadRequest, "not routed: " + cmp.Or(reasons, "it was removed meanwhile")})
		return
	}
	note, err := a.passOn(r.Context(), servicesKind, name, spread)
	answer(joined(reasons, note), err)
}

// remove is content when there was no such service.
func (a api) remove(w http.ResponseWriter, r *http.Request) {
	parameters, err := readParameters(w, r)
	name := parameters["serviceName"]
	if err == nil && name == "" {
		err = refusal{http.StatusBadRequest, "serviceName is missing"}
	}
	spread, err := distribution(parameters, err)
	if err == nil {
		_, err = a.change(r.Context(), func() (uint64, error) { return a.declared.put(name, nil, spread == here) })
	}
	note := ""
	if err == nil {
		note, err = a.passOn(r.Context(), servicesKind, name, spread)
	}
	answerDFP(w, name, note, err)
}

func (a api) reload(w http.ResponseWriter, r *http.Request) {
	_, err := a.change(r.Context(), func() (uint64, error) { return a.declared.askReload(), nil })
	answerDFP(w, "", "", err)
}

// initReload tells whether the first configuration after the start is in force.
func (a api) initReload(w http.ResponseWriter, _ *http.Request) {
	if v := a.view(); !v.Applied {
		answerDFP(w, "", "", refusal{http.StatusServiceUnavailable, cmp.Or(v.Failure, "the first configuration is not in force yet")})
		return
	}
	answerDFP(w, "", "", nil)
}

// config answers haproxy.cfg, or all services and their parameters; passwords and keys in neither.
func (a api) config(w http.ResponseWriter, r *http.Request) {
	v := a.view()
	if !strings.EqualFold(r.URL.Query().Get("type"), "json") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, withoutPasswords(v.Config)) // a client that went away is its own affair
		return
	}
	services := map[string]map[string]any{}
	for _, s := range v.Services {
		name := routing.ShownName(s)
		if _, taken := services[name]; taken {
			name = s.Name // two stacks may have one short name
		}
		services[name] = dfpService(name, s.Replicas, s.Labels)
	}
	daemon.Answer(w, http.StatusOK, services)
}

// statistics answers HAProxy's own, as CSV, as Docker Flow Proxy does here. Prometheus reads /metrics.
func (a api) statistics(w http.ResponseWriter, r *http.Request) {
	csv, err := a.showStat(r.Context())
	if err != nil {
		answerDFP(w, "", "", err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(csv) // a client that went away is its own affair
}

// change keeps a wish, pokes the reconciler and waits until it shows that the wish, or a later one, is in force. The
// siblings hear of it at the same time.
func (a api) change(ctx context.Context, keep func() (version uint64, err error)) (*view, error) {
	version, err := keep()
	if err != nil {
		return nil, err
	}
	a.siblings.changed()
	return a.await(ctx, version)
}

// inForce waits until a step has looked at all that is here now, and says what became of certificates that a sibling sent.
func (a api) inForce(ctx context.Context, certificates map[string]thing) error {
	v, err := a.await(ctx, a.declared.askLook())
	if err != nil {
		return err
	}
	var reasons []string
	for _, name := range slices.Sorted(maps.Keys(certificates)) {
		c, unusable := newCertificate(a.certDir, name, certificates[name].Value)
		if says := v.saysOf(c); unusable == nil && !v.takes(c) && says != "" {
			reasons = append(reasons, fmt.Sprintf("certificate %s is not used: %s", name, says))
		}
	}
	if len(reasons) > 0 {
		return errors.New(joined(reasons...))
	}
	return nil
}

func (a api) await(ctx context.Context, version uint64) (*view, error) {
	ctx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	a.again()
	poll := time.NewTicker(applyPoll)
	defer poll.Stop()
	for {
		v := a.view()
		if v.Declared >= version {
			return v, nil
		}
		notYet := refusal{http.StatusServiceUnavailable, "kept, but not in force yet: " + cmp.Or(v.Failure, "HAProxy is still being changed")}
		if v.Unread {
			return nil, notYet // nobody knows when the swarm can be read
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil, notYet
		}
	}
}

func answerDFP(w http.ResponseWriter, service, message string, err error) {
	answerWith(w, map[string]any{}, service, message, err)
}

// answerWith adds Docker Flow Proxy's three fields to what else an answer has.
func answerWith(w http.ResponseWriter, body map[string]any, service, message string, err error) {
	code, status := http.StatusOK, "OK"
	if err != nil {
		code, status, message = http.StatusInternalServerError, "NOK", err.Error()
	}
	if r := (refusal{}); errors.As(err, &r) {
		code = r.code
	}
	body["Status"], body["Message"], body["ServiceName"] = status, message, service
	daemon.Answer(w, code, body)
}

// about says in one line what could not be used of a service.
func about(service string, problems []label.Problem) string {
	var reasons []string
	for _, p := range problems {
		if p.Service == service {
			reasons = append(reasons, strings.TrimPrefix(p.String(), service+": "))
		}
	}
	return strings.Join(reasons, "; ")
}
