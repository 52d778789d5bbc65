package routing

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"text/template"
	"time"

	"sluice/internal/label"
)

// Settings are the operator's choices that stand in haproxy.cfg beside the routes.
type Settings struct {
	DefaultPath   string        // where HAProxy looks for the maps: "config" (beside haproxy.cfg) or "origin DIR"; "" is "config"
	Entries       []HTTPEntry   // where requests come in
	TLS           TLS           // how the entries with TLS end it
	Handover      string        // address at which a worker takes requests from its predecessor: a socket of this proxy's own (unix@PATH; abns@NAME where nothing runs)
	User, Group   string        // whom HAProxy's workers become; "" keeps the starter's
	Maxconn       int           // per worker; 0 leaves it to HAProxy, which derives it from ulimit -n
	HardStopAfter time.Duration // how long an old worker may finish its connections
	OldWorkers    int           // how many of them there may be; the next reload ends the oldest. 0 is no limit
	Timeouts      Timeouts
	// TrustedProxies are the front proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
	TrustedProxies []netip.Prefix
	ConnectionMode string // HAProxy's option; "" is http-keep-alive
	Statistics     Statistics
	Log            RequestLog
	Capture        []Capture // request headers for the log
	Extra          Extra
}

// Timeouts of HAProxy, as its manual names them.
type Timeouts struct {
	Connect, Client, Server, Queue, Tunnel, HTTPRequest, HTTPKeepAlive time.Duration
}

// Config is a Table as HAProxy runs it.
type Config struct {
	Shape   string              // hash of everything that only a reload can change
	Text    string              // haproxy.cfg, with the servers and maps of the moment
	Maps    map[string][]Entry  // file name -> entries in byte order of their keys
	Servers map[string][]Server // backend -> servers
	// ServerOptions is what the servers of a backend have in common; backends without such labels are missing.
	ServerOptions map[string]ServerOptions
	// Certificates end TLS, the default first; none where no entry does.
	Certificates []CertificateFile
	// Problems say which certificates are left out, and why.
	Problems []label.Problem
}

// Entry is one line of a map. Where Value is a backend's number, Backend is its name.
type Entry struct{ Key, Value, Comment, Backend string }

// routesMap is the map that every configuration refers to: host/path/ and /path/.
const routesMap = "routes.map"

//go:embed *.tmpl
var templateFiles embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"ms":             func(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) },
	"pathExpression": pathExpression,
	"origin":         func(b Backend, directive string) string { return "# " + b.Service + " " + b.Labels[directive] },
}).Funcs(httpFunctions).ParseFS(templateFiles, "*.tmpl"))

// Render writes the configuration of a table. Equal tables and settings give equal bytes. Every line that a label
// asked for names the service and the label in a comment at its end.
func Render(t Table, s Settings) (Config, error) {
	terminates := slices.ContainsFunc(s.Entries, func(e HTTPEntry) bool { return e.TLS })
	fixed := newFrame(t, s, terminates)
	find := newLookup(t.Routes, fixed)
	c := Config{Maps: find.maps, Servers: map[string][]Server{}, ServerOptions: serverOptions(t.Backends)}
	if terminates {
		c.Certificates, c.Problems = certificateFiles(t, s.TLS)
	}
	set := s
	s.Entries = entriesBeside(t.Listeners, s)
	head := struct {
		Settings
		frame
		Shape  string
		Bind   string // what makes an entry end TLS; "" where none does
		Lookup []line
	}{Settings: s, frame: fixed, Lookup: append(find.lines, rawFrontend(t.Backends)...)}
	if terminates {
		head.Bind = s.TLS.bind(len(c.Certificates) > 0)
	}
	head.Lookup = append(head.Lookup, fixed.chosen(t, terminates)...)
	head.DefaultPath = cmp.Or(s.DefaultPath, "config")

	hash := sha256.New()
	if err := templates.ExecuteTemplate(hash, "head", head); err != nil {
		return Config{}, fmt.Errorf("render haproxy.cfg: %w", err)
	}
	if len(c.Certificates) > 0 { // HAProxy gives the default up only when it starts
		fmt.Fprintln(hash, "default", c.Certificates[0].listed())
	}
	var backends strings.Builder
	if err := templates.ExecuteTemplate(&backends, "userlists", userlists(t.Backends)); err != nil {
		return Config{}, fmt.Errorf("render userlists: %w", err)
	}
	if err := renderListeners(&backends, t.Listeners, set, c.Maps); err != nil {
		return Config{}, err
	}
	hash.Write([]byte(backends.String()))
	if err := renderBackends(&backends, hash, t.Backends, fixed); err != nil {
		return Config{}, err
	}
	for _, b := range t.Backends {
		c.Servers[b.Name] = b.Servers
	}
	c.Shape = hex.EncodeToString(hash.Sum(nil)[:8])
	head.Shape = c.Shape
	var text strings.Builder
	if err := templates.ExecuteTemplate(&text, "head", head); err != nil {
		return Config{}, fmt.Errorf("render haproxy.cfg: %w", err)
	}
	c.Text = text.String() + backends.String()
	return c, nil
}

// renderBackends writes the backends, and into the hash of the shape all of them but their servers, which come and go at runtime.
func renderBackends(w *strings.Builder, shape io.Writer, backends []Backend, f frame) error {
	var text strings.Builder
	for _, b := range backends {
		text.Reset()
		if err := templates.ExecuteTemplate(&text, "backend", b); err != nil {
			return fmt.Errorf("render backend %s: %w", b.Name, err)
		}
		if id, ok := f.Numbers[b.Name]; ok {
			fmt.Fprintf(&text, "    id %d # %s %s\n", id, b.Service, b.Labels["backend"])
		}
		_, _ = io.WriteString(shape, text.String()+b.HTTP.Servers.String()+b.memberOptions()) // a hash takes everything
		w.WriteString(text.String())
		for _, server := range b.Servers {
			fmt.Fprintf(w, "    server %s %s%s\n", server.Name, server.options(b.HTTP.Servers), serverOrigin(b, server))
		}
	}
	return nil
}

// options is what follows a server's name in haproxy.cfg and in `add server` alike. A server added at runtime takes
// nothing from default-server or HAProxy's defaults, so everything is spelled out.
func (s Server) options(shared ServerOptions) string {
	return s.Addr.String() + s.own(shared).String()
}

// own are the server's options where it has some, else those of its backend.
func (s Server) own(shared ServerOptions) ServerOptions {
	if s.Options != (ServerOptions{}) {
		return s.Options
	}
	return shared
}

// Same tells whether both are the same files.
func (c Config) Same(other Config) bool {
	return c.Text == other.Text && maps.EqualFunc(c.Maps, other.Maps, slices.Equal) &&
		slices.EqualFunc(c.Certificates, other.Certificates, func(a, b CertificateFile) bool { return a.listed() == b.listed() && bytes.Equal(a.PEM, b.PEM) })
}

// Files gives the configuration as files of one folder: haproxy.cfg, and beside it the maps and the certificates with
// their private keys.
func (c Config) Files() map[string][]byte {
	files := map[string][]byte{"haproxy.cfg": []byte(c.Text)}
	for name, entries := range c.Maps {
		var b strings.Builder
		for _, e := range entries {
			if e.Backend != "" {
				e.Comment += ": " + e.Backend
			}
			fmt.Fprintf(&b, "# %s\n%s %s\n", e.Comment, e.Key, e.Value)
		}
		files[name] = []byte(b.String())
	}
	if len(c.Certificates) > 0 {
		files[certificateList] = certificateLines(c.Certificates)
	}
	for _, f := range c.Certificates {
		files[f.File] = f.PEM
	}
	return files
}
