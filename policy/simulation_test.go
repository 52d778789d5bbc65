package policy_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sluice/policy"
)

func newWorldOf(t interface {
	Helper()
	Fatal(...any)
}, labels string) *world {
	t.Helper()
	set := map[string]string{}
	for word := range strings.FieldsSeq(labels) {
		key, value, _ := strings.Cut(word, "=")
		set[key] = value
	}
	p, _, problems := policy.Parse("go-demo", set, time.LoadLocation)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w := &world{
		policy: p, now: epoch, load: map[string]float64{}, proxies: 1, silent: map[int]bool{}, startup: 4 * time.Second,
		input: policy.Input{Replicated: true},
	}
	w.input.Replicas, w.input.Tasks = 1, []policy.Task{{Running: true, Since: epoch.Add(-time.Hour)}}
	return w
}

// service answers requests in half a second each; a replica takes that many a second, the rest waits.
type service struct{ capacity, backlog float64 }

// second answers the concurrent sessions while that many requests arrive, and whether it was overloaded.
func (s *service) second(arrivals float64, replicas int) (sessions float64, overloaded bool) {
	served := min(s.backlog+arrivals, s.capacity*float64(replicas))
	s.backlog = max(0, s.backlog+arrivals-served)
	return served/2 + s.backlog, s.backlog > 0
}

// Requests per second that a replica takes, and what it should: 100 sessions would be its limit, the target is 60.
const capacity, target = 200, "60"

func TestSteadyNoisyLoadDoesNotFlap(t *testing.T) {
	for _, level := range []float64{0.3, 0.95, 1, 1.02, 1.5, 2.01, 2.95, 4, 4.99, 7.3, 11.97, 20.05} { // in replicas at target
		r := rand.New(rand.NewPCG(7, uint64(level*1000)))
		w := newWorldOf(t, "com.df.scale.max=40 com.df.scale.target="+target)
		s, settled := service{capacity: capacity}, 0
		for second := range 1800 {
			sessions, _ := s.second(level*120*noise(r, 0.1), w.ready())
			w.load["sessions"] = sessions
			w.second()
			if second == 300 {
				settled = w.changes
			}
		}
		if after := w.changes - settled; after > 1 {
			t.Errorf("load of %.2f replicas: %d changes in 25 minutes of steady load", level, after)
		}
		if n, least := float64(w.input.Replicas), level; n < least*0.9 || n > least*1.25+1.5 {
			t.Errorf("load of %.2f replicas: ended at %.0f", level, n)
		}
	}
}

func TestStepUpIsFastAndDownIsCalm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	w := newWorldOf(t, "com.df.scale.max=12 com.df.scale.target="+target)
	s := service{capacity: capacity}
	reached, overload, ups, downs := 0, 0, 0, 0
	for second := range 1200 {
		arrivals := 100.0
		if second >= 60 && second < 360 {
			arrivals = 720 // six replicas at target
		}
		sessions, overloaded := s.second(arrivals*noise(r, 0.05), w.ready())
		w.load["sessions"] = sessions
		d := w.second()
		switch d.Verdict {
		case policy.Up:
			ups++
		case policy.Down:
			downs++
			if second < 360 && d.To < 6 { // backlog may have called for more than 6
				t.Errorf("down at %d s, under load: %s", second, d.Reason)
			}
		}
		if reached == 0 && second >= 60 && w.ready() >= 4 {
			reached = second - 60
		}
		if overloaded && second >= 60 {
			overload++
		}
	}
	t.Logf("4 replicas serve after %d s, overloaded for %d s, %d steps up, %d down", reached, overload, ups, downs)
	if reached > 8 {
		t.Errorf("4 replicas served only after %d s", reached)
	}
	if overload > 20 {
		t.Errorf("overloaded for %d s", overload)
	}
	if w.input.Replicas != 1 || downs > 5 {
		t.Errorf("ended at %d replicas after %d steps down", w.input.Replicas, downs)
	}
}
