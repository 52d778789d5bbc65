package routing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// lookup is how the frontend finds the backend of a request: maps, whose cost does not grow with the number of services,
// and conditions only for the routes that need one. The lines are tried in order until a backend is found.
//
//	block  the routes of one priority and entry, in the order of compareRoutes
//	stage  of a block: exact hosts; wildcards, the longest first; other ways to match a host; any host
//	step   of a stage: exact paths (a map), other ways to match a path (conditions), prefixes (a map)
//
// A key of a map leads to a backend, or to a marker "@n" where more than host and path decides (a user agent, a header,
// an excluded path): conditions behind the lookup then choose among the routes of that key and of shorter ones.
type lookup struct {
	lines   []line
	maps    map[string][]Entry
	markers int
	ends    bool           // an "allow" ends the work as soon as a backend is found
	chosen  bool           // a line since the last "allow" may have found one
	hosts   bool           // there are routes with exact hosts
	numbers map[string]int // how maps call backends
}

// line is a line of the frontend, with the service and labels that asked for it; origin is "" for all of them.
type line struct{ text, origin string }

// String is the line as haproxy.cfg has it.
func (l line) String() string {
	if l.origin == "" {
		return l.text
	}
	return l.text + " # " + l.origin
}

// alternative is a marker and the routes that a request that finds it chooses from, in order.
type alternative struct {
	marker string
	routes []Route
}

// Expressions of the frontend. txn.path is the path with "/?" behind it.
const (
	unfound = "!{ var(txn.be) -m found }"
	found   = "{ var(txn.be) -m found }"
	fastKey = "base,concat(/?)" // the host as it came, which is mostly its normal form
	hostVar = "var(txn.host)"
	hostKey = hostVar + ",concat(,txn.path)"
	pathKey = "var(txn.path)"

	hostForm = "req.fhdr(host,1),host_only,lower,rtrim(.)" // what txn.host holds: of the same Host that base begins with
	pathForm = "path,concat(/?)"                           // what txn.path holds
)

// newLookup reads routes that rank has sorted. Where it may, an "allow" looks into each map and ends the work, so that most
// requests meet one line of it; else each line has to ask whether a backend is found already.
func newLookup(routes []Route, f frame) *lookup {
	l := &lookup{maps: map[string][]Entry{routesMap: nil}, ends: f.Ends, chosen: f.Early, numbers: f.Numbers}
	l.hosts = slices.ContainsFunc(routes, func(r Route) bool { return r.hostRank() == 0 })
	var steps []step
	blocks := split(routes, func(r Route) string { return fmt.Sprint(r.Priority, r.Bind) })
	for i, block := range blocks {
		steps = append(steps, l.block(block, i)...)
	}
	if len(blocks) == 0 {
		steps = l.ordinary(nil, ".map")
	}
	if l.hosts && len(blocks) == 1 && isFast(blocks[0]) {
		// Keys of routes without host begin with a slash: a request without Host finds them here.
		l.find(step{key: fastKey, file: routesMap, choices: choicesOf(steps, routesMap)}, false)
	}
	path, host := inline(steps)
	if path {
		l.add("", "set-var(txn.path) %s%s", pathForm, l.condition(""))
	}
	if host {
		l.add("", "set-var(txn.host) %s%s", hostForm, l.condition(""))
	}
	for i, s := range steps {
		if s.condition != nil {
			l.conditional(*s.condition, s.when)
		} else {
			l.find(s, i == len(steps)-1)
		}
	}
	if last := len(l.lines) - 1; l.lines[last].text == "http-request allow if "+found {
		l.lines = l.lines[:last] // nothing is left to be spared
	}
	return l
}

// inline writes the normal form of host or path into the one step that asks for it, where no other does. It tells which of
// the two need a variable.
func inline(steps []step) (path, host bool) {
	hosts, conditions := 0, 0
	for _, s := range steps {
		if s.condition != nil {
			conditions++
		} else if strings.HasPrefix(s.key, hostVar) {
			hosts++
		}
	}
	host = conditions > 0 || hosts > 1
	path = conditions > 0 || hosts > 0 || len(steps) > 1
	for i, s := range steps {
		if form, found := strings.CutPrefix(s.key, hostVar); found && !host {
			steps[i].key = hostForm + form
		} else if s.key == pathKey && !path {
			steps[i].key = pathForm
		}
	}
	return path, host
}

// condition is what a line of the lookup asks for beside when: that nothing is found yet, unless an "allow" has seen to it.
func (l *lookup) condition(when string) string {
	if !l.ends || l.chosen {
		when = " " + unfound + when
	}
	if when == "" {
		return ""
	}
	return " if" + when
}

// leave ends the work for requests that have found a backend.
func (l *lookup) leave() {
	if l.ends {
		l.add("", "allow if %s", found)
		l.chosen = false
	}
}

// step is one look into a map, or one route with a condition; when are conditions, each behind a blank.
type step struct {
	key, file, when string
	choices         []alternative
	condition       *Route
}

// isFast tells whether the first lookup may be by the host as it came: nothing comes before the
// prefixes in the map.
func isFast(block []Route) bool {
	return block[0].Bind == Bind{} && !slices.ContainsFunc(block, func(r Route) bool { return (r.hostRank() == 0 || r.hostRank() == 3) && !r.mapped() })
}

func choicesOf(steps []step, file string) (all []alternative) {
	for _, s := range steps {
		if s.file == file {
			all = append(all, s.choices...)
		}
	}
	return all
}

func (l *lookup) add(origin, format string, args ...any) {
	l.lines = append(l.lines, line{"http-request " + fmt.Sprintf(format, args...), origin})
}

// split cuts sorted routes into runs of equal keys.
func split(routes []Route, key func(Route) string) (runs [][]Route) {
	for i, r := range routes {
		if i == 0 || key(r) != key(routes[i-1]) {
			runs = append(runs, nil)
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], r)
	}
	return runs
}

// block gives the steps of routes with one priority and entry.
func (l *lookup) block(routes []Route, index int) (steps []step) {
	suffix, when := ".map", ""
	if index > 0 {
		suffix = fmt.Sprintf("-%d.map", index)
	}
	if e := routes[0].Bind; e.Port != 0 {
		when += fmt.Sprintf(" { dst_port %d }", e.Port)
	}
	if e := routes[0].Bind; e.Addr.IsValid() {
		when += fmt.Sprintf(" { dst %s }", e.Addr)
	}
	for _, stage := range split(routes, func(r Route) string { return fmt.Sprint(r.hostRank(), r.depth()) }) {
		switch r := stage[0]; r.hostRank() {
		case 0:
			steps = append(steps, l.stage(stage, hostKey, "routes", suffix, when)...)
		case 1:
			key := fmt.Sprintf("var(txn.host),field(2,.,0),field(-1,.,%d),concat(,txn.path)", r.depth())
			steps = append(steps, l.stage(stage, key, "wildcards", suffix, when)...)
		case 2:
			for _, r := range stage {
				steps = append(steps, step{condition: &r, when: when})
			}
		case 3:
			steps = append(steps, l.stage(stage, pathKey, "routes", suffix, when)...)
		}
	}
	if routes[0].Priority == 0 && routes[0].Bind == (Bind{}) {
		return l.ordinary(steps, suffix)
	}
	return steps
}

// ordinary sees to it that routes without a host are looked up even while there are none, and exact hosts as soon as one
// route has one, so that the next such route of a service that is there needs no reload. Where none has a host, nobody
// pays for looking.
func (l *lookup) ordinary(steps []step, suffix string) []step {
	file := "routes" + suffix
	l.maps[file] = append(l.maps[file], []Entry(nil)...) // HAProxy wants the file
	host, path := step{key: hostKey, file: file}, step{key: pathKey, file: file}
	has := func(key string) bool { return slices.ContainsFunc(steps, func(s step) bool { return s.key == key }) }
	if l.hosts && !has(hostKey) {
		steps = append([]step{host}, steps...)
	}
	if !has(pathKey) {
		steps = append(steps, path)
	}
	return steps
}

// depth is the number of labels that a wildcard leaves open nothing of: 2 for *.a.test; 0 for other hosts.
func (r Route) depth() int {
	if r.hostRank() != 1 {
		return 0
	}
	return strings.Count(r.Host, ".")
}

// stage looks a key up. Where other ways to match a path come between exact paths and prefixes, the exact paths have a
// map of their own.
func (l *lookup) stage(routes []Route, key, name, suffix, when string) (steps []step) {
	var exact, others, prefixes []Route
	for _, r := range routes {
		switch r.pathRank() {
		case 0:
			exact = append(exact, r)
		case 1:
			others = append(others, r)
		case 2:
			prefixes = append(prefixes, r)
		}
	}
	if len(others) == 0 {
		prefixes, exact = append(exact, prefixes...), nil
	}
	if len(exact) > 0 {
		file := name + "-exact" + suffix
		steps = append(steps, step{key: key, file: file, when: when, choices: l.fill(file, exact)})
	}
	for _, r := range others {
		steps = append(steps, step{condition: &r, when: when})
	}
	if len(prefixes) > 0 {
		file := name + suffix
		steps = append(steps, step{key: key, file: file, when: when, choices: l.fill(file, prefixes)})
	}
	return steps
}

// fill puts routes into a map. Each key has the choice of a request that finds it: the routes of this key and then those
// of shorter keys that begin it, without those that exclude it, up to the first that asks for nothing else.
func (l *lookup) fill(file string, routes []Route) (choices []alternative) {
	byKey := map[string][]Route{}
	for _, r := range routes {
		byKey[r.key()] = append(byKey[r.key()], r)
		for _, key := range r.excluded() {
			byKey[key] = append(byKey[key], []Route(nil)...)
		}
	}
	var above []string // the keys that begin the present one, the shortest first
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		for len(above) > 0 && !strings.HasPrefix(key, above[len(above)-1]) {
			above = above[:len(above)-1]
		}
		above = append(above, key)
		var open []Route
		for _, k := range slices.Backward(above) {
			for _, r := range byKey[k] {
				if !slices.ContainsFunc(r.excluded(), func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
					open = append(open, r)
				}
			}
		}
		if n := slices.IndexFunc(open, func(r Route) bool { return r.conditions() == 0 }); n >= 0 {
			open = open[:n+1]
		}
		entry := Entry{Key: key, Comment: "excluded"}
		if len(open) > 0 {
			entry.Comment = open[0].Service + " " + open[0].Label
		}
		if len(open) == 1 && open[0].conditions() == 0 {
			entry.Value, entry.Backend = l.name(open[0].Backend)
		} else {
			l.markers++
			entry.Value = fmt.Sprintf("@%d", l.markers)
			choices = append(choices, alternative{entry.Value, open})
		}
		l.maps[file] = append(l.maps[file], entry)
	}
	slices.SortFunc(l.maps[file], func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
	return choices
}

// name is what a map calls a backend: its number and, for readers, the name, or the name alone.
func (l *lookup) name(backend string) (value, meaning string) {
	if n, ok := l.numbers[backend]; ok {
		return fmt.Sprintf("#%d", n), backend
	}
	return backend, ""
}

// excluded are the keys below which the route does not count.
func (r Route) excluded() (keys []string) {
	if r.PathMatch == "beg" && len(r.Path) > 1 && strings.HasSuffix(r.Path, "/") {
		keys = append(keys, r.key()+"?") // the path without its last slash does not begin with it
	}
	for _, path := range r.Exclude {
		other := r
		other.Path = path
		keys = append(keys, other.key())
	}
	return keys
}

// find looks into a map and then decides between the routes that a marker stands for. A marker that is left has no route
// whose conditions hold: the search goes on. One line that looks, keeps what it finds and ends the work is cheaper than a
// line for each; there is nothing to end behind the last one.
func (l *lookup) find(s step, last bool) {
	if l.chosen {
		l.leave()
	}
	key, unless := fmt.Sprintf("%s,map_beg(%s)", s.key, s.file), ""
	if len(s.choices) > 0 {
		unless = " !{ var(txn.be) -m beg @ }"
	}
	if l.ends && !(last && unless == "") {
		l.add("", "allow if%s { %s,set-var(txn.be) -m found }%s", s.when, key, unless)
	} else {
		l.add("", "set-var(txn.be) %s%s", key, l.condition(s.when))
	}
	if len(s.choices) > 0 {
		for _, c := range s.choices {
			for _, r := range c.routes {
				l.add(r.Service+" "+r.Label, "set-var(txn.be) str(%s) if { var(txn.be) -m str %s }%s", r.Backend, c.marker, r.asks())
			}
		}
		l.add("", "unset-var(txn.be) if { var(txn.be) -m beg @ }")
		l.leave()
	}
}

// conditional takes the requests of one route by conditions alone.
func (l *lookup) conditional(r Route, when string) {
	text := l.condition(when)
	if text == "" {
		text = " if"
	}
	switch {
	case r.HostMatch != "":
		text += fmt.Sprintf(" { var(txn.host) -m %s %s }", r.HostMatch, patterns(r.Host))
	case r.hostRank() == 1:
		text += fmt.Sprintf(" { var(txn.host) -m end %s }", patterns(r.Host[1:]))
	case r.Host != "":
		text += fmt.Sprintf(" { var(txn.host) -m str %s }", patterns(r.Host))
	}
	switch {
	case !r.mapped():
		text += fmt.Sprintf(" { path -m %s %s }", r.PathMatch, patterns(r.Path))
	case r.key() != strings.TrimPrefix(r.Host, "*.")+"/":
		text += fmt.Sprintf(" { var(txn.path) -m beg %s }", quote(strings.TrimPrefix(r.key(), strings.TrimPrefix(r.Host, "*."))))
	}
	if r.mapped() {
		for _, key := range r.excluded() {
			text += fmt.Sprintf(" !{ var(txn.path) -m beg %s }", quote(strings.TrimPrefix(key, strings.TrimPrefix(r.Host, "*."))))
		}
	} else {
		for _, path := range r.Exclude {
			text += fmt.Sprintf(" !{ path -m %s %s }", r.PathMatch, patterns(path))
		}
	}
	l.add(r.Service+" "+r.Label, "set-var(txn.be) str(%s)%s%s", r.Backend, text, r.asks())
	l.chosen = true
}

// asks are the conditions beside host and path.
func (r Route) asks() string {
	var b strings.Builder
	if len(r.UserAgents) > 0 {
		fmt.Fprintf(&b, " { req.fhdr(user-agent) -m sub -i %s }", patterns(r.UserAgents...))
	}
	for _, h := range r.Headers {
		fmt.Fprintf(&b, " { req.fhdr(%s) -m str %s }", h.Name, patterns(h.Value))
	}
	return b.String()
}
