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
	recentBudget = 1 << 20 // points of all backends together, 3 to 25 MB
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

func newRecent(instance string, interval time.Duration) *recent {
	return &recent{instance: instance, interval: interval, backends: map[string]*track{}}
}

// add keeps the samples of backends and forgets what is too old.
func (r *recent) add(at time.Time, samples []haproxystats.Sample, owner func(string) (service, stack string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	limit := r.limit()
	for _, s := range samples {
		name, service := s.Proxy, ""
		if owner != nil && s.Type != haproxystats.Frontend {
			service, _ = owner(s.Proxy)
		}
		switch {
		case s.Type == haproxystats.Backend:
		case s.Type == haproxystats.Server && service == "" && owner != nil: // several services may share the backend
			name = s.Proxy + "/" + s.Sv
			if service, _ = owner(name); service == "" {
				continue
			}
		default:
			continue
		}
		t, ok := r.backends[name]
		if !ok {
			t = &track{}
			r.backends[name] = t
		}
		t.service, t.last = service, at
		t.add(pointOf(at, s), limit)
	}
	for name, t := range r.backends {
		if at.Sub(t.last) > recentWindow {
			delete(r.backends, name)
		}
	}
}

// pointOf reads a sample. Of a server there are no means, only what is open at the time.
func pointOf(at time.Time, s haproxystats.Sample) recentPoint {
	number := func(column string) int64 { n, _ := s.Int(column); return n }
	p := recentPoint{
		at: at.UnixMilli(), scurMean: float32(s.ScurMean), scurMax: float32(s.ScurMax), reqRateMean: float32(s.ReqRateMean), qcur: float32(number("qcur")),
		waited: float32(number("qtime") + number("ctime") + number("rtime")), errors: errorsOf(s), arrived: uint64(number("stot")), sent: uint64(number("bout")),
	}
	p.done = p.arrived
	if done, ok := s.Int("req_tot"); ok {
		p.done = uint64(done)
	}
	if s.Type == haproxystats.Server {
		p.scurMean, p.scurMax, p.reqRateMean = float32(number("scur")), float32(number("scur")), float32(math.NaN())
	}
	return p
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

// ServeHTTP answers GET /v1/stats?since=UNIXMILLIS&service=NAME, both optional, with
//
//	{"instance":"proxy-1","interval":1,
//	 "workers":[[1767225600000, workers, draining, reloads], …],
//	 "reloads":[{"at":1767225600000,"total":3,"reason":"new backend shop"}, …],
//	 "backends":{"demo_app-8080":{"service":"demo_app","points":[
//	  [1767225600000, scur_mean, scur_max, req_rate_mean, qcur, errors, arrived, done, sent, waited], …]}}}
//
// All is after since, oldest first; interval is in seconds; req_rate_mean is null when it is not known; reloads, errors,
// arrived, done and sent count since the proxy started, errors being answers 5xx (over TCP failed connections and broken
// answers), arrived and done requests (TCP: connections), sent bytes to clients; waited is HAProxy's mean of milliseconds
// in the queue, to connect and to the response. Where several services share a backend there are its servers instead,
// as backend/server, with what is open at the time for scur_mean and scur_max.
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
		for _, n := range [...]uint64{uint64(p.errors), p.arrived, p.done, p.sent} {
			out = strconv.AppendUint(append(out, ','), n, 10)
		}
		out = append(strconv.AppendFloat(append(out, ','), float64(p.waited), 'f', -1, 32), ']')
	}
	return append(out, "]}"...)
}

func appendJSON(out []byte, text string) []byte {
	quoted, _ := json.Marshal(text) // a text can always be encoded
	return append(out, quoted...)
}
