package main

import (
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"sluice/haproxystats"
)

const (
	recentWindow = 15 * time.Minute
	recentBudget = 1 << 20 // points of all backends together, about 32 MB
)

// recent keeps the last minutes of every backend in memory and serves them, so that a scaler can do without InfluxDB.
// It is bounded: with more than 1,000 backends, or points more often than each second, it reaches back less far.
type recent struct {
	instance string
	interval time.Duration

	mu       sync.RWMutex
	backends map[string]*track
	workers  recentWorkers
}

// track is what is kept of one backend.
type track struct {
	service string
	points  []recentPoint // a ring once it is full
	oldest  int           // index in points
	last    time.Time
}

// recentPoint has the fields that scaling needs. They are small: a million points fit in 32 MB.
type recentPoint struct {
	at                int64 // Unix milliseconds
	scurMean, scurMax float32
	reqRateMean, qcur float32 // reqRateMean is NaN when it is unknown
	errors            uint32  // answers 5xx since the proxy started; over TCP failed connections and broken answers
}

func newRecent(instance string, interval time.Duration) *recent {
	return &recent{instance: instance, interval: interval, backends: map[string]*track{}}
}

// add keeps the samples of backends and forgets what is too old.
func (r *recent) add(at time.Time, samples []haproxystats.Sample, owner func(string) (service, stack string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	limit := r.limit()
	for _, s := range samples {
		if s.Type != haproxystats.Backend {
			continue
		}
		t, ok := r.backends[s.Proxy]
		if !ok {
			t = &track{}
			r.backends[s.Proxy] = t
		}
		if owner != nil {
			t.service, _ = owner(s.Proxy)
		}
		qcur, _ := s.Int("qcur")
		t.last = at
		t.add(recentPoint{at.UnixMilli(), float32(s.ScurMean), float32(s.ScurMax), float32(s.ReqRateMean), float32(qcur), errorsOf(s)}, limit)
	}
	for name, t := range r.backends {
		if at.Sub(t.last) > recentWindow {
			delete(r.backends, name)
		}
	}
}

// errorsOf counts what went wrong at a backend. Over HTTP HAProxy answers for a server that fails, so that each is one 5xx.
func errorsOf(s haproxystats.Sample) uint32 {
	if answers, ok := s.Int("hrsp_5xx"); ok {
		return uint32(answers)
	}
	connect, _ := s.Int("econ")
	answer, _ := s.Int("eresp")
	return uint32(connect + answer)
}

// limit is how many points one backend may have.
func (r *recent) limit() int {
	return max(1, min(int(recentWindow/r.interval), recentBudget/max(1, len(r.backends))))
}

func (t *track) add(p recentPoint, limit int) {
	if len(t.points) < limit && t.oldest == 0 {
		t.points = append(t.points, p)
		return
	}
	if len(t.points) != limit { // the limit has changed: put them in order again
		all := t.since(math.MinInt64)
		t.points, t.oldest = append(slices.Clip(all[max(0, len(all)-limit+1):]), p), 0
		return
	}
	t.points[t.oldest] = p
	t.oldest = (t.oldest + 1) % limit
}

// since copies the points after a time, oldest first.
func (t *track) since(millis int64) []recentPoint {
	var found []recentPoint
	for _, half := range [][]recentPoint{t.points[t.oldest:], t.points[:t.oldest]} {
		for _, p := range half {
			if p.at > millis {
				found = append(found, p)
			}
		}
	}
	return found
}

// ServeHTTP answers GET /v1/stats?since=UNIXMILLIS&service=NAME, both optional, with
//
//	{"instance":"proxy-1","interval":1,
//	 "workers":[[1767225600000, workers, draining, reloads], …],
//	 "reloads":[{"at":1767225600000,"total":3,"reason":"new backend shop"}, …],
//	 "backends":{"demo_app-8080":{"service":"demo_app","points":[
//	  [1767225600000, scur_mean, scur_max, req_rate_mean, qcur, errors], …]}}}
//
// All is after since, oldest first; interval is in seconds; req_rate_mean is null when it is not known; reloads and errors
// count since the proxy started, errors being answers 5xx, over TCP failed connections and broken answers.
func (r *recent) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	since := time.Now().Add(-recentWindow).UnixMilli()
	if text := req.URL.Query().Get("since"); text != "" {
		millis, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			http.Error(w, "since: is not a time in Unix milliseconds, got "+strconv.Quote(text), http.StatusBadRequest)
			return
		}
		since = max(since, millis)
	}
	w.Header().Set("Content-Type", "application/json")
	out := append([]byte(nil), `{"instance":`...)
	out = appendJSON(out, r.instance)
	out = append(out, `,"interval":`...)
	out = strconv.AppendFloat(out, r.interval.Seconds(), 'f', -1, 64)
	out = r.appendWorkers(out, since)
	out = append(out, `,"backends":{`...)
	for i, name := range r.names(req.URL.Query().Get("service")) {
		if i > 0 {
			out = append(out, ',')
		}
		out = r.appendTrack(out, name, since)
		if _, err := w.Write(out); err != nil {
			return // a client that went away is its own affair
		}
		out = out[:0]
	}
	_, _ = w.Write(append(out, "}}\n"...))
}

// names lists the backends of a service, of all services when it is "".
func (r *recent) names(service string) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var names []string
	for name, t := range r.backends {
		if service == "" || t.service == service {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (r *recent) appendTrack(out []byte, name string, since int64) []byte {
	r.mu.RLock()
	var service string
	var points []recentPoint
	if t, ok := r.backends[name]; ok {
		service, points = t.service, t.since(since)
	}
	r.mu.RUnlock()
	out = appendJSON(out, name)
	out = append(out, `:{"service":`...)
	out = appendJSON(out, service)
	out = append(out, `,"points":[`...)
	for i, p := range points {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '[')
		out = strconv.AppendInt(out, p.at, 10)
		for _, v := range [...]float32{p.scurMean, p.scurMax, p.reqRateMean, p.qcur} {
			out = append(out, ',')
			if math.IsNaN(float64(v)) {
				out = append(out, "null"...)
				continue
			}
			out = strconv.AppendFloat(out, float64(v), 'f', -1, 32)
		}
		out = append(strconv.AppendUint(append(out, ','), uint64(p.errors), 10), ']')
	}
	return append(out, "]}"...)
}

func appendJSON(out []byte, text string) []byte {
	quoted, _ := json.Marshal(text) // a text can always be encoded
	return append(out, quoted...)
}
