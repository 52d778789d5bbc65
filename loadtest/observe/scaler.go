package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// answerLimit bounds what is read of one answer, in bytes.
const answerLimit = 8 << 20

// Scaler reads the status of one service from the scaler's API.
type Scaler struct {
	URL     string // of the API, without a path
	Service string
	Client  *http.Client
}

// Name says what failed, in a report.
func (s Scaler) Name() string { return "scaler" }

// Look gives replicas, decisions, and the metric sessions as connections. The scaler's own window smooths these; the proxy's are sharper.
func (s Scaler) Look(ctx context.Context) (Reading, error) {
	var status struct {
		Desired *int      `json:"desired"`
		Running *int      `json:"running"`
		At      time.Time `json:"at"`
		Metrics []struct {
			Metric  string  `json:"metric"`
			Value   float64 `json:"value"`
			Missing string  `json:"missing"` // why there is no value
		} `json:"metrics"`
		Decisions []Decision `json:"decisions"`
	}
	if err := get(ctx, s.Client, s.URL+"/v1/services/"+url.PathEscape(s.Service), &status); err != nil {
		return Reading{}, fmt.Errorf("read status of %s: %w", s.Service, err)
	}
	r := Reading{Decisions: status.Decisions}
	if status.Desired != nil && status.Running != nil {
		r.Replicas = &Replicas{Desired: *status.Desired, Running: *status.Running}
	}
	for _, m := range status.Metrics {
		if m.Metric == "sessions" && m.Missing == "" {
			r.Loads = append(r.Loads, Load{At: status.At, Connections: m.Value})
		}
	}
	return r, nil
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
		return fmt.Errorf("answer %s: %q", res.Status, text)
	}
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}
