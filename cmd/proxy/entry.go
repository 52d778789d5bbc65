package main

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/rs/zerolog"

	"sluice/internal/label"
	"sluice/routing"
)

// entry is a place at which HAProxy takes requests.
type entry struct {
	address string // "*" for all
	port    int
	tls     bool
	proxied bool   // the address of the client comes in the PROXY protocol
	setting string // where it was written
	text    string // as it was written
}

func (e entry) bind() string {
	if strings.Contains(e.address, ":") {
		return net.JoinHostPort(e.address, strconv.Itoa(e.port))
	}
	return fmt.Sprintf("%s:%d", e.address, e.port)
}

// line is the entry behind the word `bind` of haproxy.cfg.
func (e entry) line() string {
	if e.proxied {
		return e.bind() + " accept-proxy"
	}
	return e.bind()
}

// entries reads both settings; what stands in both is bound once.
func (r routeSettings) entries() (all []entry, err error) {
	for _, setting := range []struct{ name, ports string }{{"DEFAULT_PORTS", r.DefaultPorts}, {"BIND_PORTS", r.BindPorts}} {
		for text := range strings.SplitSeq(setting.ports, ",") {
			if text = strings.TrimSpace(text); text == "" {
				continue
			}
			e, ok := parseEntry(text)
			if !ok {
				return nil, fmt.Errorf("%s: is not a port, address:port, port:ssl or one of them with accept-proxy behind the port, got %q", setting.name, text)
			}
			e.setting = setting.name
			if !slices.ContainsFunc(all, func(other entry) bool { return other.bind() == e.bind() }) {
				all = append(all, e)
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("DEFAULT_PORTS: there is no port")
	}
	return all, nil
}

// parseEntry reads [address:]port[ accept-proxy][:ssl], as Docker Flow Proxy does; an IPv6 address may stand in brackets.
func parseEntry(text string) (e entry, ok bool) {
	e = entry{address: "*", text: text}
	rest, tls := strings.CutSuffix(text, ":ssl")
	e.tls = tls
	if first, option, more := strings.Cut(rest, " "); more && strings.TrimSpace(option) == "accept-proxy" {
		rest, e.proxied = first, true
	}
	number := rest
	if colon := strings.LastIndexByte(rest, ':'); colon >= 0 {
		e.address, number = strings.Trim(rest[:colon], "[]"), rest[colon+1:]
	}
	n, err := strconv.Atoi(number)
	e.port = n
	plain := !strings.ContainsFunc(e.address, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("*.:-_", r))
	})
	return e, err == nil && n >= 1 && n <= 65535 && e.address != "" && plain
}

// defaultPorts is DEFAULT_PORTS where nobody says otherwise.
const defaultPorts = "80,443:ssl"

// plainPorts are the ports that shall end TLS but cannot for as long as there is no certificate.
type plainPorts struct {
	entries []entry
	quiet   bool // DEFAULT_PORTS is as it was: who left it so may want no TLS and is told in the log alone
	told    bool
}

func newPlainPorts(r routeSettings, entries []entry) plainPorts {
	return plainPorts{entries: slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return !e.tls }), quiet: r.DefaultPorts == defaultPorts}
}

// judge reports the ports while nothing ends TLS.
func (p *plainPorts) judge(want routing.Config, s routing.Settings, log zerolog.Logger) (problems []label.Problem) {
	if len(want.Certificates) > 0 || s.TLS.CrtList != "" {
		p.told = false
		return nil
	}
	for _, e := range p.entries {
		const reason = "there is no certificate: the port is bound without TLS"
		if !p.quiet || e.setting != "DEFAULT_PORTS" {
			problems = append(problems, label.Problem{Service: "(settings)", Label: e.setting, Value: e.text, Reason: reason})
		} else if !p.told {
			log.Info().Str("port", e.text).Msg(reason)
		}
	}
	p.told = true
	return problems
}
