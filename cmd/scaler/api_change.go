package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/daemon"
	"sluice/internal/label"
	"sluice/policy"
)

// What a request may bring, and how long it waits for the loop.
const (
	largestBody = 1 << 20
	requestWait = 20 * time.Second
	mostBy      = 100_000
	longestFor  = 366 * 24 * time.Hour
)

func (a api) handleChanges(mux *http.ServeMux) {
	for path, handler := range map[string]http.HandlerFunc{
		"POST /v1/services/{name}/scale": a.scale, "POST /v1/services/{name}/pause": a.pause, "DELETE /v1/services/{name}/pause": a.resume,
		"POST /v1/alerts": a.alerts, "POST /v1/scale-service": a.scaleService,
	} {
		mux.HandleFunc(path, a.guard.Changing(handler))
	}
}

// pass gives a request to the loop and waits for its answer.
func (a api) pass(ctx context.Context, r request) reply {
	ctx, cancel := context.WithTimeout(ctx, requestWait)
	defer cancel()
	r.answer = make(chan reply, 1)
	select {
	case a.requests <- r:
	case <-ctx.Done():
		return reply{Service: r.service, Reason: "the scaler is busy, nothing was changed", code: http.StatusServiceUnavailable}
	}
	select {
	case answer := <-r.answer:
		return answer
	case <-ctx.Done():
		return reply{Service: r.service, Reason: "the swarm is slow, look at the service before trying again", code: http.StatusServiceUnavailable}
	}
}

func (a api) answer(w http.ResponseWriter, r *http.Request, q request) {
	answer := a.pass(r.Context(), q)
	daemon.Answer(w, answer.code, answer)
}

func refuse(w http.ResponseWriter, code int, message string) {
	daemon.Answer(w, code, map[string]string{"error": message})
}

// scale takes {"to": 8} or {"by": -2}.
func (a api) scale(w http.ResponseWriter, r *http.Request) {
	given, err := parameters(r, "to", "by")
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	ask, err := parseScale(given)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	a.answer(w, r, request{service: r.PathValue("name"), ask: &ask})
}

func parseScale(given map[string]string) (policy.Ask, error) {
	if len(given) != 1 {
		return policy.Ask{}, errors.New("say one of to=8 and by=-2")
	}
	for name, value := range given {
		n, err := strconv.Atoi(strings.TrimPrefix(value, "+"))
		switch {
		case err != nil || n < -mostBy || n > mostBy || name == "to" && n < 0 || name == "by" && n == 0:
			return policy.Ask{}, fmt.Errorf("%s: is no number of replicas, got %q", name, value)
		case name == "to":
			return policy.Ask{To: n}, nil
		default:
			return policy.Ask{By: n}, nil
		}
	}
	return policy.Ask{}, nil
}

// pause takes {"mode": "in", "for": "30m"}: mode is true (by default), in, out or a number, without for it lasts until
// somebody ends it: mode=false, or DELETE.
func (a api) pause(w http.ResponseWriter, r *http.Request) {
	given, err := parameters(r, "mode", "for")
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	p, err := parsePaused(given, time.Now())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	a.answer(w, r, request{service: r.PathValue("name"), pause: &p})
}

func parsePaused(given map[string]string, now time.Time) (policy.Paused, error) {
	mode := "true"
	if text, written := given["mode"]; written {
		mode = text
	}
	pause, err := policy.ParsePause(mode)
	if err != nil {
		return policy.Paused{}, fmt.Errorf("mode: %w, got %q", err, mode)
	}
	p := policy.Paused{Pause: pause}
	if text, written := given["for"]; written {
		length, err := time.ParseDuration(text)
		if err != nil || length <= 0 || length > longestFor {
			return policy.Paused{}, fmt.Errorf("for: is not a duration such as 30m, got %q", text)
		}
		p.Until = now.Add(length)
	}
	if p.Pause == (policy.Pause{}) {
		return policy.Paused{}, nil
	}
	return p, nil
}

func (a api) resume(w http.ResponseWriter, r *http.Request) {
	a.answer(w, r, request{service: r.PathValue("name"), pause: &policy.Paused{}})
}

// alerts takes one step for every service that a notice of Alertmanager or Kapacitor names. What the scaler decides
// about it, be it nothing, is no failure of the notice: it would be sent again.
func (a api) alerts(w http.ResponseWriter, r *http.Request) {
	list, err := readAlerts(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	code, replies := http.StatusOK, []reply{}
	for _, alert := range list {
		answer := a.pass(r.Context(), request{service: alert.service, ask: &policy.Ask{Step: alert.step, Alert: true}})
		if replies = append(replies, answer); answer.code == http.StatusServiceUnavailable {
			code = answer.code // to be sent again
		}
	}
	daemon.Answer(w, code, map[string][]reply{"services": replies})
}

// scaleService is alerts with docker-scaler's answer.
func (a api) scaleService(w http.ResponseWriter, r *http.Request) {
	list, err := readAlerts(r)
	if err != nil {
		daemon.Answer(w, http.StatusBadRequest, map[string]string{"status": "NOK", "message": err.Error()})
		return
	}
	status, code, messages := "OK", http.StatusOK, []string{}
	for _, alert := range list {
		answer := a.pass(r.Context(), request{service: alert.service, ask: &policy.Ask{Step: alert.step, Alert: true}})
		messages = append(messages, answer.Service+": "+answer.Reason)
		if answer.code == http.StatusServiceUnavailable || answer.code == http.StatusNotFound {
			status, code = "NOK", answer.code
		}
	}
	daemon.Answer(w, code, map[string]string{"status": status, "message": strings.Join(messages, "; ")})
}

func readAlerts(r *http.Request) ([]alert, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, largestBody))
	if err != nil {
		return nil, fmt.Errorf("read alert: %w", err)
	}
	return parseAlert(r.URL.Query(), body)
}

// parameters reads what a request says in its address, or in a JSON object as its body.
func parameters(r *http.Request, known ...string) (map[string]string, error) {
	given := map[string]string{}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, largestBody))
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	if len(body) > 0 {
		var object map[string]any
		if err := json.Unmarshal(body, &object); err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		for name, value := range object {
			given[name] = fmt.Sprint(value)
		}
	}
	for name, values := range r.URL.Query() {
		if _, twice := given[name]; twice || len(values) > 1 {
			return nil, fmt.Errorf("%s: is given twice", name)
		}
		given[name] = values[0]
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%s: is not known, only %s%s", name, strings.Join(known, ", "), label.DidYouMean(name, known))
		}
	}
	return given, nil
}
