// Package answer reads a number that a service gives of itself, such as the votes it has counted.
//
//	GET address ─> 42 | {"total": 42} | votes_total{shop="a"} 42
package answer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// limit bounds what is read of an answer, in bytes, and patience how long it may take.
const (
	limit    = 8 << 20
	patience = 5 * time.Second
)

// Reader asks for numbers. It follows no redirect: a redirect may lead to another host.
type Reader struct{ client *http.Client }

// NewReader gives a reader with connections of its own.
func NewReader() Reader {
	return Reader{&http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Read gives the number that the address answers: the whole answer for the field "", the field of a JSON answer for one that begins
// with a dot (.total, .votes.a, .list.0), and otherwise the sum of a metric in Prometheus' text format.
func (r Reader) Read(ctx context.Context, address, field string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, fmt.Errorf("ask %s: %w", address, err)
	}
	res, err := r.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, limit))
	switch {
	case err != nil:
		return 0, fmt.Errorf("read answer of %s: %w", address, err)
	case res.StatusCode != http.StatusOK:
		return 0, fmt.Errorf("ask %s: answer %s", address, res.Status)
	}
	n, err := Find(body, field)
	if err != nil {
		return 0, fmt.Errorf("read answer of %s: %w", address, err)
	}
	return n, nil
}

// Find takes the number out of an answer.
func Find(body []byte, field string) (float64, error) {
	switch {
	case field == "":
		return number(strings.TrimSpace(string(body)))
	case strings.HasPrefix(field, "."):
		return inJSON(body, field)
	default:
		return metric(string(body), field)
	}
}

func number(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%.40q is no number", text)
	}
	return n, nil
}

func inJSON(body []byte, path string) (float64, error) {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return 0, err
	}
	for _, key := range strings.Split(strings.TrimPrefix(path, "."), ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(v) {
				return 0, fmt.Errorf("a list of %d has no %q", len(v), key)
			}
			value = v[i]
		default:
			value = nil
		}
	}
	switch v := value.(type) {
	case float64:
		return v, nil
	case string:
		return number(v)
	default:
		return 0, fmt.Errorf("no number stands at %s", path)
	}
}

// metric adds up all series of a name.
func metric(text, name string) (float64, error) {
	sum, found := 0.0, false
	for line := range strings.Lines(text) {
		rest, ours := strings.CutPrefix(line, name)
		if !ours || rest == "" {
			continue
		}
		switch rest[0] {
		case '{':
			end := strings.LastIndexByte(rest, '}')
			if end < 0 {
				continue
			}
			rest = rest[end+1:]
		case ' ', '\t':
		default: // another name that begins with this one
			continue
		}
		words := strings.Fields(rest) // value, and perhaps a time
		if len(words) == 0 {
			continue
		}
		n, err := number(words[0])
		if err != nil {
			return 0, err
		}
		sum, found = sum+n, true
	}
	if !found {
		return 0, errors.New("no metric is called " + name)
	}
	return sum, nil
}
