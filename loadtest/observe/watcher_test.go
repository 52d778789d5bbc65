package observe

import (
	"context"
	"errors"
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

func running(n int) *Reading { return &Reading{Replicas: &Replicas{Desired: n, Running: n}} }

func TestWatcherKeepsWhatItsSourcesSayBySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		up := Decision{At: start.Add(1500 * time.Millisecond), From: 1, To: 2, Reason: "more"}
		stale := Decision{At: start.Add(-time.Second), From: 3, To: 1, Reason: "before the run"}
		seven := 7.0
		truth := fakeSource{"swarm", []*Reading{running(1), nil, nil, running(2), nil}, new(int)}
		second := fakeSource{"scaler", []*Reading{
			running(5),
			{Replicas: &Replicas{2, 1}, Decisions: []Decision{stale}},
			{Decisions: []Decision{up, stale}, Loads: []Load{{At: start.Add(900 * time.Millisecond), Connections: seven}}},
			{Decisions: []Decision{up, stale}},
			{},
		}, new(int)}
		w := NewWatcher(start, truth, second)
		ctx, stop := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer stop()
		w.Run(ctx)
		want := Timeline{
			Moments: []Moment{
				{Replicas: &Replicas{1, 1}, Connections: &seven}, // the first source is believed
				{Replicas: &Replicas{2, 1}},                      // where it is silent, the second
				{},                                               // nobody knows
				{Replicas: &Replicas{2, 2}},
				{},
			},
			Decisions: []Decision{up},
			Gaps:      []Gap{{"swarm", 1, 2, "connection refused"}, {"swarm", 4, 4, "connection refused"}},
		}
		if diff := cmp.Diff(want, w.Timeline(5)); diff != "" {
			t.Errorf("timeline (-want +got):\n%s", diff)
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
		w := NewWatcher(time.Now(), hangingSource{}, fakeSource{"swarm", []*Reading{running(1), running(1), running(1)}, new(int)})
		ctx, stop := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer stop()
		w.Run(ctx)
		got := w.Timeline(3)
		for i, m := range got.Moments {
			if m.Replicas == nil {
				t.Errorf("nothing was seen in second %d", i)
			}
		}
		if diff := cmp.Diff([]Gap{{"proxy", 0, 1, "context deadline exceeded"}}, got.Gaps); diff != "" {
			t.Errorf("gaps (-want +got):\n%s", diff)
		}
	})
}
