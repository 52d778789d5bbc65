package observe

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeSource answers its nth look with answers[n], and fails where that is nil and when they are used up.
type fakeSource struct {
	name    string
	answers []*Reading
	looks   *int
}

func (f fakeSource) Name() string { return f.name }

func (f fakeSource) Look(context.Context) (Reading, error) {
	n := *f.looks
	*f.looks++
	if n >= len(f.answers) || f.answers[n] == nil {
		return Reading{}, errors.New("connection refused")
	}
	return *f.answers[n], nil
}

func running(n int) *Reading {
	return &Reading{Replicas: map[string]Replicas{"app": {Desired: n, Running: n}}}
}

func TestWatcherKeepsWhatItsSourcesSayBySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		up := Decision{At: start.Add(1500 * time.Millisecond), From: 1, To: 2, Reason: "more"}
		stale := Decision{At: start.Add(-time.Second), From: 3, To: 1, Reason: "before the run"}
		truth := fakeSource{"swarm", []*Reading{running(1), nil, nil, running(2), nil}, new(int)}
		second := fakeSource{"scaler", []*Reading{
			running(5),
			{Replicas: map[string]Replicas{"app": {Desired: 2, Running: 1}}, Decisions: []Decision{stale}},
			{Decisions: []Decision{up, stale}, Loads: []Load{{Service: "app", At: start.Add(900 * time.Millisecond), Connections: new(7.0)}}},
			{Decisions: []Decision{up, stale}},
			{},
		}, new(int)}
		w := NewWatcher(start, truth, second)
		ctx, stop := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer stop()
		w.Run(ctx)
		got := w.Timeline(5)
		want := []*Replicas{
			{Desired: 1, Running: 1}, // the first source is believed
			{Desired: 2, Running: 1}, // where it is silent, the second
			{Desired: 2, Running: 1}, // which still knew a moment ago
			{Desired: 2, Running: 2},
			nil, // nobody knows
		}
		if diff := cmp.Diff(want, got.Services["app"].Replicas); diff != "" {
			t.Errorf("replicas (-want +got):\n%s", diff)
		}
		if total := got.Services["app"].Total(); total[0] == nil || *total[0].Connections != 7 || total[4] != nil {
			t.Errorf("connections %v, want 7 in second 0 and none in second 4", total)
		}
		if diff := cmp.Diff([]Decision{up}, got.Decisions); diff != "" {
			t.Errorf("decisions (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]Gap{{"swarm", 1, 2, "connection refused"}, {"swarm", 4, 4, "connection refused"}}, got.Gaps); diff != "" {
			t.Errorf("gaps (-want +got):\n%s", diff)
		}
	})
}

func TestASecondWithoutALookTakesTheValueBefore(t *testing.T) {
	s := series[int]{0: {value: 1}, 2: {value: 2}, 6: {value: 3}}
	got := s.fill(9, func(_, second int) bool { return second == 7 })
	one, two, three := new(1), new(2), new(3)
	if diff := cmp.Diff([]*int{one, one, two, two, two, nil, three, nil, nil}, got); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

func TestWhatTwoSourcesTellOfOneEventIsOneEvent(t *testing.T) {
	start := time.Unix(1000, 0)
	w := NewWatcher(start, fakeSource{name: "proxy"}, fakeSource{name: "InfluxDB"})
	at := start.Add(1234567 * time.Microsecond)
	w.Add(at, 0, Reading{
		Reloads:   []Reload{{"one", at.Truncate(time.Millisecond), "new backend"}},
		Decisions: []Decision{{Service: "app", At: at, From: 1, To: 2}},
	}, nil)
	w.Add(at, 1, Reading{
		Reloads:   []Reload{{"one", at, "new backend"}, {"two", at, "new backend"}},
		Decisions: []Decision{{Service: "app", At: at.Truncate(time.Millisecond), From: 1, To: 2}, {Service: "shop", At: at, From: 1, To: 2}},
	}, nil)
	if got := w.Timeline(2); len(got.Reloads) != 2 || len(got.Decisions) != 2 {
		t.Errorf("reloads %v, decisions %v: want two of each", got.Reloads, got.Decisions)
	}
}

func TestALaterLookDoesNotForgetFailures(t *testing.T) {
	start := time.Unix(1000, 0)
	w := NewWatcher(start, fakeSource{name: "proxy"})
	at := func(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }
	w.Add(at(2), 0, Reading{Loads: []Load{{Backend: "a", At: at(0), Rate: new(1.0)}, {Backend: "a", At: at(1), Rate: new(2.0), Errors: new(5.0)}}}, nil)
	w.Add(at(3), 0, Reading{Loads: []Load{{Backend: "a", At: at(1), Rate: new(2.0)}, {Backend: "a", At: at(2), Rate: new(3.0), Errors: new(6.0)}}}, nil)
	loads := w.Timeline(3).Services[""].Backends[0].Loads
	if loads[0].Errors != nil || loads[1].Errors == nil || *loads[1].Errors != 5 || *loads[2].Errors != 6 {
		t.Errorf("failures of three seconds: %v %v %v, want none known, 5 and 6", loads[0].Errors, loads[1].Errors, loads[2].Errors)
	}
}

func TestASourceThatComesBackGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWatcher(time.Now(), fakeSource{"swarm", []*Reading{running(1), nil, nil, nil, running(4)}, new(int)})
		ctx, stop := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer stop()
		w.Run(ctx)
		got := w.Timeline(5).Services["app"].Replicas
		if got[0] == nil || got[1] != nil || got[2] != nil || got[3] != nil || got[4] == nil || got[4].Running != 4 {
			t.Errorf("replicas %v, want a gap from second 1 to 3 and then 4", got)
		}
	})
}

type hangingSource struct{}

func (hangingSource) Name() string { return "proxy" }
func (hangingSource) Look(ctx context.Context) (Reading, error) {
	<-ctx.Done()
	return Reading{}, ctx.Err()
}

func TestWatcherIsNotHeldUpByASourceThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWatcher(time.Now(), hangingSource{}, fakeSource{"swarm", slices.Repeat([]*Reading{running(1)}, 8), new(int)})
		ctx, stop := context.WithTimeout(t.Context(), 7500*time.Millisecond)
		defer stop()
		w.Run(ctx)
		got := w.Timeline(8)
		for i, replicas := range got.Services["app"].Replicas {
			if replicas == nil {
				t.Errorf("nothing was seen in second %d", i)
			}
		}
		if diff := cmp.Diff([]Gap{{"proxy", 0, 6, "context deadline exceeded"}}, got.Gaps); diff != "" {
			t.Errorf("gaps (-want +got):\n%s", diff)
		}
	})
}
