package reference

import "sluice/policy/simulation"

// DockerScaler is docker-scaler behind Prometheus and Alertmanager, after its tutorial "Auto-Scaling With Docker Scaler
// And Instrumented Metrics": an alert steps up by 2 (com.df.scaleUpBy), another down by 1 (com.df.scaleDownBy); while an
// alert lasts, Alertmanager tells again every 5 minutes, the first time 30 s after it began (group_wait). The tutorial's
// alerts are about response times of its own service; here they are about what a replica carries in the mean of a minute:
// up above the target, down below half of it.
type DockerScaler struct {
	Target float64
	Metric Metric

	up, down alert
}

const (
	alertWait     = 30
	alertRepeat   = 300
	alertWindow   = 60
	alertInterval = 15 // between two evaluations of the alerts
)

// alert fires until its condition ends.
type alert struct {
	firing bool
	next   int // second of the next message
}

// tells whether a message is sent now.
func (a *alert) tells(second int, condition bool) bool {
	switch {
	case !condition:
		a.firing = false
	case !a.firing:
		a.firing, a.next = true, second+alertWait
	case second >= a.next:
		a.next = second + alertRepeat
		return true
	}
	return false
}

// Name is "docker-scaler".
func (d *DockerScaler) Name() string { return "docker-scaler" }

// Decide evaluates both alerts.
func (d *DockerScaler) Decide(m simulation.Moment) int {
	if m.Second%alertInterval != 0 {
		return m.Desired
	}
	each := mean(d.Metric(m), alertWindow) / float64(max(1, m.Ready()))
	up, down := d.up.tells(m.Second, each > d.Target), d.down.tells(m.Second, each < d.Target/2)
	switch {
	case up:
		return m.Desired + 2
	case down:
		return max(1, m.Desired-1)
	}
	return m.Desired
}
