package reference_test

import (
	"testing"

	"sluice/policy/reference"
	"sluice/policy/simulation"
)

// moment is a service whose replicas all serve, under a load that has been the same for ten minutes.
func moment(second, replicas int, load float64) simulation.Moment {
	m := simulation.Moment{Second: second, Desired: replicas, Start: 10}
	for range replicas {
		m.Started = append(m.Started, -1000)
	}
	for range 600 {
		m.Sessions = append(m.Sessions, load)
	}
	return m
}

func TestExamplesOfTheHorizontalPodAutoscaler(t *testing.T) {
	tests := []struct {
		name     string
		replicas int
		load     float64
		want     int
	}{
		{"twice the target doubles", 2, 400, 4},
		{"half of it halves, when nothing more was wanted for five minutes", 4, 200, 2},
		{"within the tolerance of 0.1 nothing happens", 10, 1090, 10},
		{"outside of it something does", 10, 1110, 12},
		{"at most double, or four more", 8, 4000, 16},
		{"four more are more than double", 2, 4000, 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &reference.HPA{Target: 100, Metric: reference.Sessions}
			if got := h.Decide(moment(15, tt.replicas, tt.load)); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}

func TestHorizontalPodAutoscalerGoesDownToTheHighestOfFiveMinutes(t *testing.T) {
	h, replicas := &reference.HPA{Target: 100, Metric: reference.Sessions}, 4
	for second := 0; second <= 600; second++ {
		load := 400.0
		if second > 30 {
			load = 100
		}
		next := h.Decide(moment(second, replicas, load))
		if next < replicas && second < 30+300 {
			t.Fatalf("down to %d after %d s", next, second-30)
		}
		replicas = next
	}
	if replicas != 1 {
		t.Errorf("%d replicas in the end, want 1", replicas)
	}
}

func TestPodsThatStartDampTheHorizontalPodAutoscaler(t *testing.T) {
	h, m := &reference.HPA{Target: 100, Metric: reference.Sessions}, moment(15, 4, 400)
	m.Started[2], m.Started[3] = 10, 10 // two of four serve: 200 each, but 100 with those that start
	if got := h.Decide(m); got != 4 {
		t.Errorf("%d, want 4", got)
	}
}

func TestExamplesOfTheKnativePodAutoscaler(t *testing.T) {
	tests := []struct {
		name     string
		replicas int
		load     float64
		want     int
	}{
		{"100 requests at a target of 10 used to 70 %", 10, 100, 15},
		{"panic at twice what the pods carry", 2, 70, 10},
		{"at most half of the ready pods go at a time", 10, 7, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &reference.Knative{Target: 7, Metric: reference.Sessions}
			if got := k.Decide(moment(2, tt.replicas, tt.load)); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}

func TestKnativePodAutoscalerDoesNotGoDownInPanic(t *testing.T) {
	k := &reference.Knative{Target: 10, Metric: reference.Sessions}
	if got := k.Decide(moment(2, 2, 100)); got != 10 {
		t.Fatalf("%d, want 10", got)
	}
	for second := 4; second <= 62; second += 2 {
		if got := k.Decide(moment(second, 10, 20)); got != 10 {
			t.Fatalf("%d after %d s of panic", got, second-2)
		}
	}
	if got := k.Decide(moment(64, 10, 20)); got != 5 {
		t.Errorf("%d after the panic, want half of 10", got)
	}
}

func TestDockerScalerStepsOnAlerts(t *testing.T) {
	d, replicas := &reference.DockerScaler{Target: 100, Metric: reference.Sessions}, 3
	var steps []int
	for second := 0; second <= 900; second++ {
		load := 900.0
		if second > 450 {
			load = 10
		}
		if next := d.Decide(moment(second, replicas, load)); next != replicas {
			steps = append(steps, second, next)
			replicas = next
		}
	}
	// Up by 2 after 30 s and 5 minutes later, then down by 1 in the same way.
	want := []int{30, 5, 330, 7, 495, 6, 795, 5}
	if len(steps) != len(want) {
		t.Fatalf("steps %v, want %v", steps, want)
	}
	for i := range want {
		if steps[i] != want[i] {
			t.Fatalf("steps %v, want %v", steps, want)
		}
	}
}
