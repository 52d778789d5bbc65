package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// answerLimit bounds what is read of one answer, in bytes.
const answerLimit = 8 << 20

// Scaler reads the status of services from the scaler's API.
type Scaler struct {
	URL      string // of the API, without a path
	Services []string
	Client   *http.Client
	// Connections takes the metric sessions as the services' connections. The scaler's own window smooths it: only for want of better.
	Connections bool
}

// Name says what failed, in a report.
func (s Scaler) Name() string { return "scaler" }

// status is what the scaler's API says of a service.
type status struct {
	Desired *int      `json:"desired"`
	Running *int      `json:"running"`
	Min     *int      `json:"min"`
	Max     *int      `json:"max"`
	At      time.Time `json:"at"`
	Metrics []struct {
		Metric  string  `json:"metric"`
		Value   float64 `json:"value"`
		Target  float64 `json:"target"`
		Missing string  `json:"missing"` // why there is no value
	} `json:"metrics"`
	Decisions []struct {
		At      time.Time `json:"at"`
		From    int       `json:"from"`
		To      int       `json:"to"`
		Verdict string    `json:"verdict"`
		Reason  string    `json:"reason"`
	} `json:"decisions"`
}

// notFound is the answer 404.
type notFound struct{ error }

// Look gives replicas, policies and decisions. What it can read it gives, beside the error for what it cannot. The scaler does not know a service
// without scaling labels: that is an error only when it knows none of them.
func (s Scaler) Look(ctx context.Context) (Reading, error) {
	r := Reading{Replicas: map[string]Replicas{}, Policies: map[string]Policy{}}
	var problems, unknown []error
	for _, name := range s.Services {
		var answer status
		if err := get(ctx, s.Client, s.URL+"/v1/services/"+url.PathEscape(name), &answer); err != nil {
			err = fmt.Errorf("read status of %s: %w", name, err)
			if missing := (notFound{}); errors.As(err, &missing) {
				unknown = append(unknown, err)
			} else {
				problems = append(problems, err)
			}
			continue
		}
		s.add(&r, name, answer)
	}
	if len(unknown) == len(s.Services) {
		problems = append(problems, unknown...)
	}
	return r, errors.Join(problems...)
}

func (s Scaler) add(r *Reading, name string, answer status) {
	if answer.Desired != nil && answer.Running != nil {
		r.Replicas[name] = Replicas{Desired: *answer.Desired, Running: *answer.Running}
	}
	if answer.Min != nil && answer.Max != nil {
		policy := Policy{Min: *answer.Min, Max: *answer.Max}
		for _, m := range answer.Metrics {
			if m.Target > 0 {
				policy.Targets = append(policy.Targets, Target{m.Metric, m.Target})
			}
		}
		r.Policies[name] = policy
	}
	for _, m := range answer.Metrics {
		if s.Connections && m.Metric == "sessions" && m.Missing == "" {
			r.Loads = append(r.Loads, Load{Service: name, At: answer.At, Connections: new(m.Value)})
		}
	}
	for _, d := range answer.Decisions {
		r.Decisions = append(r.Decisions, Decision{name, d.At, d.From, d.To, d.Verdict, d.Reason})
	}
}

// get reads one JSON answer.
func get(ctx context.Context, client *http.Client, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body := io.LimitReader(res.Body, answerLimit)
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(body, 200))
		err := fmt.Errorf("answer %s: %q", res.Status, text)
		if res.StatusCode == http.StatusNotFound {
			err = notFound{err}
		}
		return err
	}
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}
