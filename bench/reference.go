package main

import (
	"fmt"
	"strings"

	"sluice/routing"
)

// answer is what every backend says, so that all sides do the same work behind the routing.
const answer = "    http-request return status 200 content-type text/plain string ok\n"

// plain begins the references that owe nothing to our configuration; it wants the address.
const plain = `global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
frontend services
    bind %s
`

// answering lets HAProxy answer in each backend itself, and run one thread: then the routing is most of the work.
func answering(text string) string {
	text = strings.Replace(text, "global\n", "global\n    nbthread 1\n", 1)
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "server ") && !strings.Contains(line, "successor") {
			continue
		}
		b.WriteString(line)
		if strings.HasPrefix(line, "backend ") && !strings.HasPrefix(line, "backend handover") {
			b.WriteString(answer)
		}
	}
	return b.String()
}

// floored replaces the lookup by the cheapest there can be: a header names the backend. Everything else stays.
func floored(text string) (string, error) {
	var b strings.Builder
	lines := 0
	for line := range strings.Lines(text) {
		word := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(word, "http-request set-var(txn.") || strings.HasPrefix(word, "http-request allow "):
			lines++
		case word == "use_backend %[var(txn.be)]":
			lines++
			b.WriteString("    use_backend %[req.hdr(x-backend)]\n")
		default:
			b.WriteString(line)
		}
	}
	if lines < 5 {
		return "", fmt.Errorf("found %d lines of the lookup: has the template changed?", lines)
	}
	return b.String(), nil
}

// named chooses the backend by name from a header and does nothing else at all: the floor of any routing.
func named(t routing.Table, address string) string {
	var b strings.Builder
	fmt.Fprintf(&b, plain, address)
	b.WriteString("    use_backend %[req.hdr(x-backend)]\n")
	for _, backend := range t.Backends {
		fmt.Fprintf(&b, "backend %s\n"+answer, backend.Name)
	}
	return b.String()
}

// bare is a HAProxy that has nothing to decide.
func bare(address string) string {
	return fmt.Sprintf(plain, address) + "    default_backend only\nbackend only\n" + answer
}

// chained writes routes as Docker Flow Proxy does: two ACLs and a use_backend for each service, tried one after another.
func chained(t routing.Table, address string) string {
	var front, back strings.Builder
	fmt.Fprintf(&front, plain, address)
	for _, r := range t.Routes {
		conditions := ""
		if r.Path != "/" {
			fmt.Fprintf(&front, "    acl url_%s path_beg %s/ path %s\n", r.Backend, r.Path, r.Path)
			conditions = " url_" + r.Backend
		}
		if r.Host != "" {
			fmt.Fprintf(&front, "    acl domain_%s hdr_beg(host) -i %s\n", r.Backend, r.Host)
			conditions += " domain_" + r.Backend
		}
		fmt.Fprintf(&back, "    use_backend %s if%s\n", r.Backend, conditions)
	}
	for _, b := range t.Backends {
		fmt.Fprintf(&back, "backend %s\n"+answer, b.Name)
	}
	return front.String() + back.String()
}
