package main

import (
	"cmp"
	"context"
	"errors"
	"io"
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

func (a api) handleDFP(mux *http.ServeMux) {
	for name, handler := range map[string]http.HandlerFunc{"reconfigure": a.reconfigure, "remove": a.remove, "reload": a.reload} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			mux.HandleFunc(method+" "+dfpPath+name, a.guard.changing(handler))
		}
	}
	mux.HandleFunc("GET "+dfpPath+"config", a.config)
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
	var now *view
	if err == nil {
		now, err = a.change(r.Context(), func() (uint64, error) { return a.declared.set(name, labelsOf(parameters)) })
	}
	if err != nil {
		answerDFP(w, name, "", err)
		return
	}
	reasons := about(name, now.Problems)
	if !slices.ContainsFunc(now.Table.Backends, func(b routing.Backend) bool { return b.Of(name) }) {
		answerDFP(w, name, "", refusal{http.StatusBadRequest, "not routed: " + cmp.Or(reasons, "it was removed meanwhile")})
		return
	}
	answerDFP(w, name, reasons, nil)
}

// remove is content when there was no such service.
func (a api) remove(w http.ResponseWriter, r *http.Request) {
	parameters, err := readParameters(w, r)
	name := parameters["serviceName"]
	if err == nil && name == "" {
		err = refusal{http.StatusBadRequest, "serviceName is missing"}
	}
	if err == nil {
		_, err = a.change(r.Context(), func() (uint64, error) { return a.declared.remove(name) })
	}
	answerDFP(w, name, "", err)
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
	if r.URL.Query().Get("type") != "json" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, withoutPasswords(v.Config)) // a client that went away is its own affair
		return
	}
	services := map[string]map[string]string{}
	for _, s := range v.Services {
		parameters := map[string]string{"serviceName": s.Name}
		for key, value := range s.Labels {
			name, ours := strings.CutPrefix(key, label.Prefix)
			if !ours || routing.Labels.Foreign(name) {
				continue
			}
			if isSecret(key, value) {
				value = hidden
			}
			parameters[name] = value
		}
		services[s.Name] = parameters
	}
	daemon.Answer(w, http.StatusOK, services)
}

// change keeps a wish, pokes the reconciler and waits until it shows that the wish, or a later one, is in force.
func (a api) change(ctx context.Context, keep func() (version uint64, err error)) (*view, error) {
	version, err := keep()
	if err != nil {
		return nil, err
	}
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
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil, refusal{http.StatusServiceUnavailable, "kept, but not in force yet: " + cmp.Or(v.Failure, "HAProxy is still being changed")}
		}
	}
}

func answerDFP(w http.ResponseWriter, service, message string, err error) {
	if err == nil {
		daemon.Answer(w, http.StatusOK, dfpAnswer{Status: "OK", Message: message, ServiceName: service})
		return
	}
	code := http.StatusInternalServerError
	if r := (refusal{}); errors.As(err, &r) {
		code = r.code
	}
	daemon.Answer(w, code, dfpAnswer{Status: "NOK", Message: err.Error(), ServiceName: service})
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
