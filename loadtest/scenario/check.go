package scenario

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"sluice/internal/label"
)

// check looks at what only the whole file can tell.
func (d *decoder) check(s *Scenario, at places) {
	complete := len(d.problems) == 0
	if s.Name == "" && (at.top["name"] == 0 || complete) {
		d.problem(at.top["name"], "the scenario needs a name")
	}
	if at.top["targets"] == 0 || complete && len(s.Targets) == 0 {
		d.problem(at.top["targets"], "the scenario needs at least one target")
	}
	if at.top["phases"] == 0 || complete && len(s.Phases) == 0 {
		d.problem(at.top["phases"], "the scenario needs at least one phase")
	}
	names := map[string]int{}
	for i := range s.Targets {
		d.checkTarget(&s.Targets[i], at.target[i], s.Allow)
		switch name := s.Targets[i].Name; {
		case strings.ContainsAny(name, " \t\n"):
			d.problem(at.target[i], "the name of a target is one word, not %q", name)
		case name != "" && names[name] > 0:
			d.problem(at.target[i], "the target in line %d is called %q too", names[name], name)
		default:
			names[name] = at.target[i]
		}
	}
	for i, h := range s.Hold {
		d.checkHost("a hold's url", h.URL, []string{"ws", "wss", "http", "https"}, at.hold[i], s.Allow)
	}
	d.checkPhases(s, at)
	d.checkEvents(s)
	if o := s.Observe; o.Service == "" && (o.Scaler != "" || o.Proxies != nil || o.Swarm != "" || o.Influx.URL != "" || o.Others != nil) {
		d.problem(at.top["observe"], "observe needs the name of the service to look at")
	}
	for _, e := range s.Expect {
		d.checkExpectation(s, e)
	}
	if len(d.problems) == 0 {
		d.checkLimit(s, at.top["phases"], at.hold)
	}
}

func (d *decoder) checkEvents(s *Scenario) {
	for _, e := range s.Events {
		if e.Call != nil {
			d.checkHost("an event's url", e.Call.URL, []string{"http", "https"}, e.Line, s.Allow)
		}
		if e.At > s.Duration() && len(d.problems) == 0 {
			d.problem(e.Line, "the event is at %s, the load ends after %s", e.At, s.Duration())
		}
	}
}

func (d *decoder) checkExpectation(s *Scenario, e Expectation) {
	wrong := func(format string, args ...any) {
		d.problem(e.Line, "expectation %q: %s", e.Text, fmt.Sprintf(format, args...))
	}
	if _, _, ok := s.Window(e.Phase); e.Phase != "" && !ok {
		wrong("no phase is called %q%s", e.Phase, label.DidYouMean(e.Phase, phaseNames(s)))
	}
	if strings.Contains(e.Subject, "replicas") && s.Observe.Scaler == "" && s.Observe.Swarm == "" && s.Observe.Influx.URL == "" {
		wrong("observe needs the address of the swarm, of the scaler or of InfluxDB to see replicas")
	}
	if e.Subject == "reloads" && s.Observe.Proxies == nil && s.Observe.Influx.URL == "" {
		wrong("observe needs the address of the proxy to count its reloads")
	}
	if strings.HasPrefix(e.Subject, "held ") && len(s.Hold) == 0 {
		wrong("the scenario holds no connections")
	}
	if e.Subject == "held p99" && !slices.ContainsFunc(s.Hold, func(h Hold) bool { return !h.Stream() }) {
		wrong("only WebSockets (ws://) give signs of life")
	}
	if e.URL != "" {
		d.checkHost("answer", e.URL, []string{"http", "https"}, e.Line, s.Allow)
	}
	if names := targetNames(s); e.Target != "" && !slices.Contains(names, e.Target) {
		wrong("no target has the name %q%s", e.Target, label.DidYouMean(e.Target, names))
	}
	if e.By > s.Duration() {
		wrong("the load ends after %s", s.Duration())
	}
}

func targetNames(s *Scenario) []string {
	var names []string
	for _, t := range s.Targets {
		names = append(names, t.Name)
	}
	return names
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
	if d.checkHost("url", t.URL, []string{"http", "https"}, line, allow) && (t.Method == "" || strings.ContainsFunc(t.Method, func(c rune) bool { return c < 'A' || c > 'Z' })) {
		d.problem(line, "method must be like GET or POST, not %q", t.Method)
	}
}

// checkHost says whether the text is an address; it reports when it is none, or when its host was not named.
func (d *decoder) checkHost(what, text string, schemes []string, line int, allow []string) bool {
	if text == "" {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" {
		d.problem(line, "%s must be like %s://127.0.0.1:80/path, not %q", what, schemes[0], text)
		return false
	}
	if !local(u.Hostname()) && !slices.Contains(allow, u.Hostname()) && !slices.Contains(allow, u.Host) {
		d.problem(line, "%s is not this machine: to load it, name it under allow", u.Hostname())
	}
	return true
}

func local(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (d *decoder) checkLimit(s *Scenario, line int, hold []int) {
	schedule := NewSchedule(s.Phases)
	users := 0
	for _, p := range s.Phases {
		users = max(users, p.Users)
	}
	if asked := schedule.Len(); asked > s.Limit.Requests {
		d.problem(line, "the phases ask for %d requests, more than limit.requests (%d)", asked, s.Limit.Requests)
	} else if asked == 0 && users == 0 {
		d.problem(line, "the phases ask for no request at all")
	}
	if peak := schedule.Peak(); peak > s.Limit.Rate {
		d.problem(line, "the phases reach %g requests/s, more than limit.rate (%g)", peak, s.Limit.Rate)
	}
	if users > s.Connections {
		d.problem(line, "%d users need as many connections, and only %d are allowed", users, s.Connections)
	}
	if long := s.Duration() + s.Watch(); long > s.Limit.Duration {
		d.problem(line, "load and watching take %s, more than limit.duration (%s)", long, s.Limit.Duration)
	}
	for i, h := range s.Hold {
		if h.Rate > s.Limit.Rate {
			d.problem(hold[i], "the connections are opened at %g/s, more than limit.rate (%g)", h.Rate, s.Limit.Rate)
		}
	}
}
