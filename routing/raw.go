package routing

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice/internal/label"
)

// Raw are lines of haproxy.cfg that labels write themselves, each with the origin of its label.
type Raw struct {
	Frontend []line // from templateFePath
	Template []line // from templateBePath, in place of what rewrites paths and changes headers
	Backend  []line // from backendExtra, at the end of the backend

	missed bool // something is left out that may have kept requests away
}

const rawDoc = "Lines that stand in haproxy.cfg as they are. They are used only where the operator has set ALLOW_RAW_CONFIG: whoever may write them rules the whole proxy. " +
	"Without it the label is reported, and its destination is left out unless the lines could not have kept any request away (`timeout`, `option`, `http-check` and the like): " +
	"a service must not be open because a line is missing. A line that would begin another section is refused; what HAProxy refuses leaves out this service alone."

var rawLabels = []label.Spec{
	{Name: "backendExtra", Kind: label.Lines, Indexed: true, Example: `http-request set-header X-Team shop\nfullconn 200`,
		Doc: "Lines for the end of the backend, with line breaks or `\\n` between them. Servers and their balance are the proxy's: `server`, `balance` and the like are refused."},
	{Name: "templateBePath", Kind: label.Text, Indexed: true, Example: "/templates/web.be.tmpl",
		Doc: "File in the proxy's container, a Go text/template: its lines stand in the backend in place of those that rewrite paths and change headers. Who may pass, redirects, timeouts and servers stay. Data: the field names of Docker Flow Proxy (`.ServiceName`, `.AclName`, `.Port`, `.ServicePath`, `.ServiceDomain`, `.UserDef` …, and `.ServiceDest` with this destination)."},
	{Name: "templateFePath", Kind: label.Text, Indexed: true, Example: "/templates/web.fe.tmpl",
		Doc: "File of the same kind: its lines stand in the frontend, behind the look-up of the backend (`txn.be`) and before it is used, so that a `use_backend` of theirs comes first."},
	{Name: "userDef", Kind: label.Text, Indexed: true, Example: "gold", Doc: "Any text, for such templates."},
}

// readRaw answers the problems; Raw.missed tells that the destination must not be routed without what they are about.
func readRaw(s Service, g label.Group, opts Options) (raw Raw, problems []label.Problem) {
	origin := func(name string) string { return s.Name + " " + g.Key(name) }
	report := func(name, reason string, missed bool) {
		raw.missed = raw.missed || missed
		problems = append(problems, label.Problem{Service: s.Name, Label: g.Key(name), Value: g.Raw(name), Reason: reason})
	}
	for _, name := range []string{"backendExtra", "templateBePath", "templateFePath", "userDef"} {
		if g.Has(name) && !opts.AllowRaw {
			missed := name != "userDef" && (name != "backendExtra" || slices.ContainsFunc(g.List(name), mayDeny))
			report(name, "is raw configuration, which needs the proxy's ALLOW_RAW_CONFIG", missed)
		}
	}
	if len(problems) > 0 || !opts.AllowRaw {
		return raw, problems
	}
	read := func(name string, lines []string, taken []string) (list []line) {
		for _, text := range lines {
			if strings.HasPrefix(text, "#") {
				continue
			}
			if err := checkRawLine(text, taken); err != nil {
				report(name, err.Error(), true)
				return nil
			}
			list = append(list, line{text, origin(name)})
		}
		return list
	}
	execute := func(name string) []string {
		if !g.Has(name) {
			return nil
		}
		content, exists := opts.Templates[g.Text(name)]
		if !exists {
			report(name, "is not a file that the proxy can read", true)
			return nil
		}
		lines, err := executeTemplate(content, templateData(s, g))
		if err != nil {
			report(name, "is a template that "+err.Error(), true)
		}
		return lines
	}
	raw.Backend = read("backendExtra", g.List("backendExtra"), ownInBackend)
	raw.Template = read("templateBePath", execute("templateBePath"), ownInBackend)
	raw.Frontend = read("templateFePath", execute("templateFePath"), ownInFrontend)
	if g.Has("templateBePath") && raw.Template == nil {
		raw.Template = []line{} // an empty template still takes the place of the generated lines
	}
	return raw, problems
}

// TemplateFiles lists the files that the services' labels name, in byte order; Options.Templates wants their contents.
func TemplateFiles(services []Service) (files []string) {
	for _, s := range services {
		for key, value := range s.Labels {
			if strings.HasPrefix(key, label.Prefix+"templateBePath") || strings.HasPrefix(key, label.Prefix+"templateFePath") {
				files = append(files, strings.TrimSpace(value))
			}
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// What the proxy writes itself, or what would keep it from changing servers at runtime (HAProxy 2.6: "Backend must use a
// dynamic load balancing to support dynamic servers").
var (
	ownInBackend  = []string{"server", "server-template", "default-server", "balance", "hash-type", "mode", "dispatch"}
	ownInFrontend = []string{"mode", "disabled"}
)

// sections are the words that begin one, in HAProxy 2.6 and in its successors.
var sections = []string{"global", "defaults", "frontend", "backend", "listen", "userlist", "peers", "mailers", "resolvers", "cache", "program",
	"http-errors", "fcgi-app", "ring", "log-forward", "namespace_list", "spoe-agent", "spoe-group", "spoe-message", "crt-store", "traces", "log-profile", "acme"}

// firstWord is what a directive begins with. HAProxy looks at words after it has taken quotes away and disregards blanks
// in front, so `"frontend" x` begins a section too; and a word with a dot in front (.if) makes it skip lines.
var firstWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*( |$)`)

// checkRawLine refuses what would not be a line of its section.
func checkRawLine(text string, taken []string) error {
	word := strings.TrimSpace(firstWord.FindString(text))
	begin, _, _ := strings.Cut(text, " ") // the rest may be secret
	switch {
	case word == "":
		return fmt.Errorf("has a line that does not begin with a plain word: %q", begin)
	case slices.Contains(sections, word):
		return fmt.Errorf("has a line that would begin another section: %q", begin)
	case slices.Contains(taken, word):
		return fmt.Errorf("has a line that the proxy writes itself: %q", begin)
	case strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return fmt.Errorf("has a control character in the line %q", begin)
	}
	return nil
}

// harmless directives cannot keep a request from a task.
var harmless = []string{"timeout", "http-check", "option", "compression", "errorfile", "errorloc", "errorloc302", "errorloc303", "retries", "retry-on", "fullconn", "log", "log-tag"}

func mayDeny(text string) bool {
	word, rest, _ := strings.Cut(text, " ")
	return !slices.Contains(harmless, word) || strings.Contains(rest, "http-restrict-req-hdr-names")
}

// linesOf stands above the raw lines of a backend in the frontend, so that Blame finds whose they are.
const linesOf = "# the next %d lines are of "

// rawFrontend are the lines that templates put into the frontend.
func rawFrontend(backends []Backend) (lines []line) {
	for _, b := range backends {
		if n := len(b.Raw.Frontend); n > 0 {
			lines = append(append(lines, line{text: fmt.Sprintf(linesOf+b.Name, n)}), b.Raw.Frontend...)
		}
	}
	return lines
}

// rawOwner finds the backend whose raw line in the frontend has this index.
func rawOwner(lines []string, at int) (backend string, ok bool) {
	for i := at; i >= 0 && strings.HasPrefix(lines[i], "    "); i-- {
		var n int
		if _, err := fmt.Sscanf(lines[i], "    "+linesOf+"%s", &n, &backend); err == nil {
			return backend, at-i <= n
		}
	}
	return "", false
}
