package routing

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sluice/internal/label"
)

// ServerOptions is what all servers of a backend have in common. The zero value is a server without limit, TLS and
// checks.
type ServerOptions struct {
	Weight  int // 0 is 1
	MaxConn int // 0 for no limit
	TLS     bool
	Check   Check
	Sticky  bool // servers have cookies, derived from their addresses
}

// Check is how HAProxy finds out whether a task is well. The zero value is not at all: the swarm decides.
type Check struct {
	Interval time.Duration // 0 for none
	Path     string        // "" for a connection only
	Host     string
	Expect   string // statuses, as HAProxy writes them
}

// defaultCheckInterval is HAProxy's own.
const defaultCheckInterval = 2 * time.Second

var serverLabels = []label.Spec{
	{Name: "checkTcp", Kind: label.Bool, Indexed: true, Default: "false", Example: "true",
		Doc: "A task that takes no connection three times in a row gets no requests until it does again."},
	{Name: "checkPath", Kind: label.Text, Indexed: true, Example: "/health", Check: checkCheckPath,
		Doc: "A task that three times in a row does not answer GET for this path as checkExpect says gets no requests until it does again."},
	{Name: "checkInterval", Kind: label.Text, Indexed: true, Example: "5", Check: checkTimeout,
		Doc: "Seconds, or a duration such as `500ms`, between two checks of a task. Default: 2."},
	{Name: "checkExpect", Kind: label.List, Indexed: true, Example: "200-299,401", Check: checkStatuses,
		Doc: "Statuses that answer checkPath well. Default: 200 to 399."},
	{Name: "sslVerifyNone", Kind: label.Bool, Indexed: true, Default: "false", Example: "true",
		Doc: "Tasks are reached over TLS; their certificates are not verified."},
	{Name: "maxConn", Kind: label.Int, Indexed: true, Example: "100", Check: checkCount(1, 1_000_000),
		Doc: "Requests that a task gets at once from each proxy; the others wait in a queue."},
	{Name: "weight", Kind: label.Int, Indexed: true, Example: "10", Check: checkCount(1, 256),
		Doc: "Weight of each task, 1 to 256, against the tasks of other services in its serviceGroup. The tasks of one service weigh the same, so it changes nothing where they stand alone."},
}

func (r *httpReader) servers() ServerOptions {
	o := ServerOptions{Weight: r.g.Int("weight"), MaxConn: r.g.Int("maxConn"), TLS: r.g.Bool("sslVerifyNone"), Sticky: r.g.Text("sessionType") != ""}
	path := r.g.Text("checkPath")
	if path != "" || r.g.Bool("checkTcp") {
		o.Check = Check{Interval: cmp.Or(r.duration("checkInterval"), defaultCheckInterval), Path: path}
	} else if r.g.Has("checkInterval") {
		r.refuse("checkInterval", "does nothing without checkPath or checkTcp")
	}
	if path == "" && r.g.Has("checkExpect") {
		r.refuse("checkExpect", "does nothing without checkPath")
	}
	if path != "" {
		o.Check.Expect = cmp.Or(strings.Join(r.g.List("checkExpect"), ","), "200-399")
		o.Check.Host = r.checkHost()
	}
	return o
}

// checkHost is the host that checks ask for: one that requests ask for too, if there is one.
func (r *httpReader) checkHost() string {
	host := cmp.Or(r.g.Text("setHost"), r.service.Name)
	// a serviceDomain may be an expression, and what is behind Host is a log-format, which could read the environment
	if domains := r.g.List("serviceDomain"); !r.g.Has("setHost") && len(domains) > 0 && isHost(domains[0]) {
		host = domains[0]
	}
	return host
}

var checkPathForm = regexp.MustCompile(`^/[!-~]*$`)

func checkCheckPath(value any) error {
	if path := value.(string); len(path) > maxPath || !checkPathForm.MatchString(path) {
		return fmt.Errorf("is not a path such as /health")
	}
	return nil
}

var statusForm = regexp.MustCompile(`^[1-5]\d\d(-[1-5]\d\d)?$`)

func checkStatuses(value any) error {
	items := value.([]string)
	if len(items) == 0 || len(items) > 40 {
		return fmt.Errorf("names %d statuses, not 1 to 40", len(items))
	}
	for _, item := range items {
		low, high, ranged := strings.Cut(item, "-")
		a, _ := strconv.Atoi(low)
		b, _ := strconv.Atoi(high)
		if !statusForm.MatchString(item) || ranged && b < a {
			return fmt.Errorf("has an item that is neither a status nor a range such as 200-299: %q", item)
		}
	}
	return nil
}

// String is what follows a server's address in haproxy.cfg and in `add server`, blank in front.
func (o ServerOptions) String() string {
	text := fmt.Sprintf(" weight %d", cmp.Or(o.Weight, 1))
	if o.MaxConn > 0 {
		text += fmt.Sprintf(" maxconn %d", o.MaxConn)
	}
	if o.TLS {
		text += " ssl verify none"
	}
	if o.Check.Interval > 0 {
		text += fmt.Sprintf(" check inter %dms", o.Check.Interval.Milliseconds())
	}
	return text
}

// prepare gives the commands that a server added at runtime needs before it gets requests: HAProxy 2.6 gives it neither
// checks nor a cookie by itself. They may be sent again.
func (o ServerOptions) prepare(backend, server string) (commands []Command) {
	if o.Check.Interval > 0 {
		commands = append(commands, Command{Backend: backend, Line: "enable health " + backend + "/" + server, Reason: "task came"})
	}
	if o.Sticky {
		commands = append(commands, Command{Backend: backend, Line: "enable dynamic-cookie backend " + backend, Reason: "task came"})
	}
	return commands
}

// serverOptions gives what Diff needs to add servers.
func serverOptions(backends []Backend) map[string]ServerOptions {
	options := map[string]ServerOptions{}
	for _, b := range backends {
		if b.HTTP.Servers != (ServerOptions{}) {
			options[b.Name] = b.HTTP.Servers
		}
	}
	return options
}

// serverOrigin ends a server's line where labels asked for some of it.
func serverOrigin(b Backend, server Server) string {
	if len(b.TCP.Members) > 0 {
		return memberOrigin(b, server)
	}
	if keys := serverKeys(b); keys != "" {
		return " # " + b.Service + " " + keys
	}
	return ""
}

// serverKeys are the labels that asked for options of servers.
func serverKeys(b Backend) string {
	var asked []string
	for _, name := range []string{"weight", "maxConn", "sslVerifyNone", "checkTcp", "checkPath", "checkInterval"} {
		if b.HTTP.Origins[name] != "" {
			asked = append(asked, b.HTTP.Origins[name])
		}
	}
	return strings.Join(asked, " ")
}
