package conformance

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"sluice/internal/label"
	"sluice/routing"
)

// testCase is one public case of the routing behaviour. In parameters and headers {P} stands for the port of the entry,
// {B} for that of the second one (BIND_PORTS), {free} for a port that is not bound, and @name for the port of a fixture
// server of that name.
type testCase struct {
	number      string
	environment []string // a proxy of its own with these settings
	services    []service
	refused     map[string]int // services that the API refuses, and its code; others are answered 200
	requests    []request
	reported    []string // what some problem must say: service, label or reason
	needs       []string // settings that the services do not name; labels are found by themselves
}

// service is declared with outboundHostname=127.0.0.1 and, unless it says otherwise, the port of a fixture server of its name.
type service struct {
	name       string
	parameters []string
}

func svc(name string, parameters ...string) service { return service{name, parameters} }

type request struct {
	method, host, path, user string
	header                   []string
	raw                      string           // sent as it is, with lines ended by \r\n, instead of all that; want judges the first answer
	second                   bool             // over the second entry
	name                     string           // that TLS asks for; "" is the host
	secure                   bool             // over the entry with TLS, with the host as server name
	certificate              *tls.Certificate // of the client
	want                     string           // the fixture server that answers 200, or a code
	check                    func(s seen) error
}

// get asks for `host/path` or `/path`.
func get(target, want string, options ...func(*request)) request {
	at := strings.IndexByte(target, '/')
	r := request{host: target[:at], path: target[at:], want: want}
	for _, option := range options {
		option(&r)
	}
	return r
}

func method(name string) func(*request)     { return func(r *request) { r.method = name } }
func header(lines ...string) func(*request) { return func(r *request) { r.header = lines } }
func user(pair string) func(*request)       { return func(r *request) { r.user = pair } }
func second(r *request)                     { r.second = true }
func secure(r *request)                     { r.secure = true }

// showing brings a certificate of the client's own, whoever has issued it.
func showing(c issued) func(*request) {
	return func(r *request) { r.secure, r.certificate = true, &c.tls }
}

// sees wants the fixture server to get this path and query.
func sees(path string) func(*request) {
	return checked(func(s seen) error { return equal("path at the backend", s.answer.Path, path) })
}

// gets wants the fixture server to get exactly these values of a header.
func gets(name string, values ...string) func(*request) {
	return checked(func(s seen) error {
		return equal(name+" at the backend", s.answer.Header.Values(name), values)
	})
}

// answers wants the client to get exactly these values of a header.
func answers(name string, values ...string) func(*request) {
	return checked(func(s seen) error { return equal(name+" of the answer", s.header.Values(name), values) })
}

func checked(check func(seen) error) func(*request) {
	return func(r *request) {
		before := r.check
		r.check = func(s seen) error {
			if before != nil {
				if err := before(s); err != nil {
					return err
				}
			}
			return check(s)
		}
	}
}

func equal(what string, got, want any) error {
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		return fmt.Errorf("%s: got %q, want %q", what, got, want)
	}
	return nil
}

// missing lists what the case asks for and the proxy does not have yet: labels by the table, settings by its help.
func (c testCase) missing(t *testing.T) (names []string) {
	for _, s := range c.services {
		for _, parameter := range s.parameters {
			name, _, _ := strings.Cut(parameter, "=")
			name, _, _ = strings.Cut(name, ".")
			alias := func(s label.Spec) bool { return slices.Contains(s.Aliases, label.Prefix+name) }
			if _, known := routing.Labels.Lookup(name); !known && !slices.ContainsFunc(routing.Labels.Specs, alias) {
				names = append(names, label.Prefix+name)
			}
		}
	}
	for _, variable := range slices.Concat(c.environment, c.needs) {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "DFP_SERVICE_") && !strings.Contains(help(t), "$"+name+")") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

var helped struct {
	once sync.Once
	text string
	err  error
}

// help is what `proxy run --help` says, without line breaks: every setting stands in it.
func help(t *testing.T) string {
	t.Helper()
	program := binary(t)
	helped.once.Do(func() {
		output, err := exec.Command(program, "run", "--help").Output()
		helped.text, helped.err = strings.Join(strings.Fields(string(output)), " "), err
	})
	if helped.err != nil {
		t.Fatal(helped.err)
	}
	return helped.text
}

// run declares the services of the case, all at once, and sends its requests in their order.
func (c testCase) run(t *testing.T, p *proxy) {
	fill := p.filler(t)
	c.judge(t, p.declare(t, c.filled(fill)))
	for _, r := range c.requests {
		for i := range r.header {
			r.header[i] = fill(r.header[i])
		}
		c.ask(t, p, r)
	}
	c.told(t, p.problems(t), fill)
}

// filler writes ports in the place of {P}, {B}, {free} and @name.
func (p *proxy) filler(t *testing.T) func(text string) string {
	free := freePorts(t, 1)[0]
	ports := map[string]int{}
	return func(text string) string {
		text = strings.NewReplacer("{P}", fmt.Sprint(p.entry), "{B}", fmt.Sprint(p.second), "{S}", fmt.Sprint(p.tls), "{free}", fmt.Sprint(free)).Replace(text)
		if key, name, found := strings.Cut(text, "=@"); found {
			if ports[name] == 0 {
				ports[name] = serve(t, name)
			}
			return fmt.Sprintf("%s=%d", key, ports[name])
		}
		return text
	}
}

// filled are the services of the case with an address and a port each.
func (c testCase) filled(fill func(string) string) (services []service) {
	for _, s := range c.services {
		parameters := []string{"outboundHostname=127.0.0.1"}
		if !slices.ContainsFunc(s.parameters, func(p string) bool { return strings.HasPrefix(p, "port") }) {
			parameters = append(parameters, fill("port=@"+s.name))
		}
		for _, parameter := range s.parameters {
			parameters = append(parameters, fill(parameter))
		}
		services = append(services, service{s.name, parameters})
	}
	return services
}

// judge wants the API to have taken all services but those that the case names.
func (c testCase) judge(t *testing.T, replies map[string]reply) {
	t.Helper()
	for _, s := range c.services {
		want := http.StatusOK
		if code := c.refused[s.name]; code != 0 {
			want = code
		}
		if r := replies[s.name]; r.Code != want || (r.Status == "OK") != (want == http.StatusOK) {
			t.Errorf("reconfigure %s: got %+v, want %d", s.name, r, want)
		}
	}
}

// told wants the problems to say what the case asks for.
func (c testCase) told(t *testing.T, all []problem, fill func(string) string) {
	t.Helper()
	problems := fmt.Sprintf("%+v", all)
	for _, part := range c.reported {
		if !strings.Contains(problems, fill(part)) {
			t.Errorf("no problem says %q: %s", part, problems)
		}
	}
}

func (c testCase) ask(t *testing.T, p *proxy, r request) {
	s := p.do(t, r)
	what := r.method + " " + r.host + r.path + r.raw
	got := fmt.Sprint(s.code)
	if s.code == http.StatusOK && s.answer.Service != "" {
		got = s.answer.Service
	} else if s.refusal != "" {
		got = "refused"
	}
	if got != r.want {
		t.Errorf("%.200s %s %s: got %s, want %s", what, r.user, r.header, got, r.want)
	} else if r.check != nil {
		if err := r.check(s); err != nil {
			t.Errorf("%.200s %s %s: %v", what, r.user, r.header, err)
		}
	}
}

// declare puts these services in the place of those before; all of it becomes one reload.
func (p *proxy) declare(t *testing.T, services []service) map[string]reply {
	var names, stale []string
	for _, s := range services {
		names = append(names, s.name)
	}
	for _, name := range p.declared {
		if !slices.Contains(names, name) {
			stale = append(stale, name)
		}
	}
	p.declared = names
	var mu sync.Mutex
	replies := map[string]reply{}
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := p.remove(stale); err != nil {
			t.Error(err)
		}
	})
	for _, s := range services {
		wait.Go(func() {
			r, err := p.reconfigure(s.name, s.parameters...)
			if err != nil {
				t.Errorf("reconfigure %s: %v", s.name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			replies[s.name] = r
		})
	}
	wait.Wait()
	return replies
}
