package policy_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"sluice/policy"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a service behind proxies, measured once a second and scaled by a policy. It is driven second by second.
type world struct {
	policy  policy.Policy
	state   policy.State
	now     time.Time
	load    map[string]float64 // metric -> what the proxies measure together
	proxies int
	silent  map[int]bool // proxies that write nothing
	startup time.Duration
	global  bool
	input   policy.Input
	changes int
	decided time.Time
}

func newWorld(t testing.TB, labels map[string]string, replicas int) *world {
	t.Helper()
	w := &world{
		policy: parse(t, labels), now: epoch, load: map[string]float64{}, proxies: 1, silent: map[int]bool{},
		startup: 2 * time.Second, input: policy.Input{Replicated: true},
	}
	w.external(replicas)
	for i := range w.input.Tasks {
		w.input.Tasks[i] = policy.Task{Running: true, Since: epoch.Add(-time.Hour)}
	}
	return w
}

func parse(t testing.TB, labels map[string]string) policy.Policy {
	t.Helper()
	p, _, problems := policy.Parse("go-demo", labels, time.LoadLocation)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	return p
}

// external sets the replicas as somebody else would.
func (w *world) external(replicas int) {
	w.input.Replicas = replicas
	for len(w.input.Tasks) < replicas {
		w.input.Tasks = append(w.input.Tasks, policy.Task{Since: w.now})
	}
	w.input.Tasks = slices.Clone(w.input.Tasks[:replicas])
}

// second passes one second: tasks start, proxies write, the policy decides and is obeyed. It answers the zero Decision
// while the policy's interval has not passed.
func (w *world) second() policy.Decision {
	w.now = w.now.Add(time.Second)
	w.settle()
	w.measure()
	w.input.Replicated = !w.global
	if w.now.Sub(w.decided) < w.policy.Interval {
		return policy.Decision{}
	}
	w.decided = w.now
	d, st := w.policy.Evaluate(w.now, w.input, w.state)
	w.state = st
	if d.From != d.To {
		w.state = w.state.Applied(w.now, d)
		w.external(d.To)
		w.changes++
	}
	return d
}

func (w *world) settle() {
	w.input.Tasks = slices.Clone(w.input.Tasks)
	for i, task := range w.input.Tasks {
		if !task.Running && w.now.Sub(task.Since) >= w.startup {
			w.input.Tasks[i] = policy.Task{Running: true, Since: task.Since.Add(w.startup)}
		}
	}
}

// measure adds a point of every metric from every proxy that can be heard; the proxies share the load evenly.
func (w *world) measure() {
	for metric, total := range w.load {
		for n := range w.proxies {
			if !w.silent[n+1] {
				share := total / float64(w.proxies)
				if slices.Contains([]string{"responseTime", "errorRate", "cpu", "memory"}, metric) {
					share = total
				}
				w.add(metric, "proxy-"+strconv.Itoa(n+1), share)
			}
		}
	}
}

func (w *world) add(metric, proxy string, value float64) {
	i := slices.IndexFunc(w.input.Series, func(s policy.Series) bool { return s.Metric == metric && s.Proxy == proxy })
	if i < 0 {
		i = len(w.input.Series)
		w.input.Series = append(w.input.Series, policy.Series{Metric: metric, Proxy: proxy, Backend: "go-demo-be8080_1"})
	}
	s := &w.input.Series[i]
	s.Points = append(s.Points, policy.Point{At: w.now.Add(-300 * time.Millisecond), Value: value, Weight: 1})
}

// ready is how many tasks serve.
func (w *world) ready() int {
	n := 0
	for _, task := range w.input.Tasks {
		if task.Running {
			n++
		}
	}
	return n
}

func noise(r *rand.Rand, share float64) float64 { return max(0, 1+share*r.NormFloat64()) }
