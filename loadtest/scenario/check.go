package scenario

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"sluice/internal/label"
)

// check looks at what only the whole file can tell.
func (d *decoder) check(s *Scenario, at places) {
	if at.name == 0 {
		d.problem(0, "the scenario needs a name")
	}
	if at.targets == 0 || len(d.problems) == 0 && len(s.Targets) == 0 {
		d.problem(at.targets, "the scenario needs at least one target")
	}
	if at.phases == 0 || len(d.problems) == 0 && len(s.Phases) == 0 {
		d.problem(at.phases, "the scenario needs at least one phase")
	}
	for i := range s.Targets {
		d.checkTarget(&s.Targets[i], at.target[i], s.Allow)
	}
	d.checkPhases(s, at)
	if o := s.Observe; o.Service == "" && (o.Scaler != "" || o.Proxy != "" || o.Swarm != "") {
		d.problem(at.observe, "observe needs the name of the service to look at")
	}
	for _, e := range s.Expect {
		d.checkExpectation(s, e)
	}
	if len(d.problems) == 0 {
		d.checkLimit(s, at.phases)
	}
}

func (d *decoder) checkExpectation(s *Scenario, e Expectation) {
	if _, _, ok := s.Window(e.Phase); e.Phase != "" && !ok {
		d.problem(e.Line, "expectation %q: no phase is called %q%s", e.Text, e.Phase, label.DidYouMean(e.Phase, phaseNames(s)))
	}
	if strings.Contains(e.Subject, "replicas") && s.Observe.Scaler == "" && s.Observe.Swarm == "" {
		d.problem(e.Line, "expectation %q: observe needs the address of the scaler or of the swarm to see replicas", e.Text)
	}
	if e.By > s.Duration() {
		d.problem(e.Line, "expectation %q: the load ends after %s", e.Text, s.Duration())
	}
}

func (d *decoder) checkPhases(s *Scenario, at places) {
	lines := map[string]int{}
	for i, p := range s.Phases {
		switch {
		case p.Name == "":
			d.problem(at.phase[i], "a phase needs a name")
		case lines[p.Name] > 0:
			d.problem(at.phase[i], "the phase in line %d is called %q too", lines[p.Name], p.Name)
		default:
			lines[p.Name] = at.phase[i]
		}
	}
}

func phaseNames(s *Scenario) []string {
	var names []string
	for _, p := range s.Phases {
		names = append(names, p.Name)
	}
	return names
}

// checkTarget holds that load goes only to this machine and to hosts that the file names.
func (d *decoder) checkTarget(t *Target, line int, allow []string) {
	if t.URL == "" {
		return
	}
	u, err := url.Parse(t.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		d.problem(line, "url must be like http://127.0.0.1:80/path, not %q", t.URL)
		return
	}
	if t.Method == "" || strings.ContainsFunc(t.Method, func(c rune) bool { return c < 'A' || c > 'Z' }) {
		d.problem(line, "method must be like GET or POST, not %q", t.Method)
	}
	if !local(u.Hostname()) && !slices.Contains(allow, u.Hostname()) && !slices.Contains(allow, u.Host) {
		d.problem(line, "%s is not this machine: to load it, name it under allow", u.Hostname())
	}
}

func local(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (d *decoder) checkLimit(s *Scenario, line int) {
	schedule := NewSchedule(s.Phases)
	if asked := schedule.Len(); asked > s.Limit.Requests {
		d.problem(line, "the phases ask for %d requests, more than limit.requests (%d)", asked, s.Limit.Requests)
	} else if asked == 0 {
		d.problem(line, "the phases ask for no request at all")
	}
	if peak := schedule.Peak(); peak > s.Limit.Rate {
		d.problem(line, "the phases reach %g requests/s, more than limit.rate (%g)", peak, s.Limit.Rate)
	}
	if long := s.Duration() + s.Watch(); long > s.Limit.Duration {
		d.problem(line, "load and watching take %s, more than limit.duration (%s)", long, s.Limit.Duration)
	}
}
