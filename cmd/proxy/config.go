package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"sluice/internal/daemon"
	"sluice/routing"
)

// routeSettings decide what the configuration is. Names are those of Docker Flow Proxy where it has them.
type routeSettings struct {
	Network        string   `env:"NETWORK" default:"proxy" help:"Overlay network on which the proxy reaches the tasks."`
	DefaultPorts   string   `env:"DEFAULT_PORTS" default:"80,443:ssl" placeholder:"80,443:ssl" help:"Ports of the http entries, separated by commas: 80, 127.0.0.1:7080 or 443:ssl; with accept-proxy behind the port (443 accept-proxy:ssl) the PROXY protocol says who the client is. Without a certificate a port with :ssl is bound without TLS, which is reported unless this is left as it is."`
	BindPorts      string   `env:"BIND_PORTS" placeholder:"PORT,…" help:"More ports of the same kind."`
	HTTPSOnly      bool     `name:"https-only" env:"HTTPS_ONLY" help:"Send requests of services that do not say otherwise to https."`
	Users          string   `env:"USERS" placeholder:"USER:PASSWORD,…" help:"Who may use services without users of their own; by default everybody."`
	UsersEncrypted bool     `name:"users-pass-encrypted" env:"USERS_PASS_ENCRYPTED" help:"The passwords of USERS are hashes of crypt(3)."`
	TrustedProxies []string `env:"TRUSTED_PROXIES" placeholder:"CIDR" help:"Front proxies whose X-Forwarded-For and X-Forwarded-Proto are believed and passed on; by default none: what clients say there is replaced."`
	Maxconn        int      `env:"MAXCONN" help:"Connections per HAProxy worker; by default what the limit of open files allows."`
	tlsSettings

	dialect
	frontendSettings

	TimeoutConnect       seconds `env:"TIMEOUT_CONNECT" default:"5" help:"Seconds until a task must have taken a connection."`
	TimeoutClient        seconds `env:"TIMEOUT_CLIENT" default:"20" help:"Seconds a client may be silent."`
	TimeoutServer        seconds `env:"TIMEOUT_SERVER" default:"20" help:"Seconds a task may be silent."`
	TimeoutQueue         seconds `env:"TIMEOUT_QUEUE" default:"30" help:"Seconds a request may wait for a task."`
	TimeoutTunnel        seconds `env:"TIMEOUT_TUNNEL" default:"3600" help:"Seconds a WebSocket may be silent."`
	TimeoutHTTPRequest   seconds `env:"TIMEOUT_HTTP_REQUEST" default:"5" help:"Seconds until a client must have sent its request."`
	TimeoutHTTPKeepAlive seconds `env:"TIMEOUT_HTTP_KEEP_ALIVE" default:"15" help:"Seconds a connection may wait for its next request."`
	HardStopAfter        seconds `env:"HARD_STOP_AFTER" default:"900" help:"Seconds after which an old HAProxy worker ends connections that are still open."`
	MaxOldWorkers        int     `env:"MAX_OLD_WORKERS" default:"50" help:"Old HAProxy workers that may finish connections at a time; a reload beyond that ends the oldest; 0 is no limit. Reloads get rarer before: each old worker makes the pause between two of them 0.1 seconds longer."`
}

// seconds is a duration given as a bare number, as Docker Flow Proxy has it, or in Go's form.
type seconds time.Duration

func (s *seconds) UnmarshalText(text []byte) error {
	if n, err := strconv.ParseFloat(string(text), 64); err == nil && n > 0 && n < 1e9 {
		*s = seconds(n * float64(time.Second))
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("is not a number of seconds above 0 or a duration such as 1m30s, got %q", text)
	}
	*s = seconds(d)
	return nil
}

// options reads what settings has checked.
func (r routeSettings) options(dir string) routing.Options {
	// Without a DIR this may be another machine than the proxy's, where its CA_FILE is not known.
	options := routing.Options{Network: r.Network, HTTPSOnly: r.HTTPSOnly, Secrets: userSecrets(dir), ClientCA: r.CAFile != "" || dir == ""}
	options.Users, _ = routing.ParseUsers(r.Users, r.UsersEncrypted)
	_ = r.dialect.fill(&options) // checked by settings
	entries, _ := r.entries()
	for _, e := range entries {
		options.EntryPorts = append(options.EntryPorts, e.port)
		if e.tls {
			options.TLSPorts = append(options.TLSPorts, e.port)
			options.HTTPSPort = cmp.Or(options.HTTPSPort, e.port)
		}
	}
	return options
}

// secretFolders are where the proxy's Docker secrets are, the first one first; DIR/secrets stands beside /run/secrets where
// there is a DIR.
func secretFolders(dir string) []string {
	if dir == "" {
		return []string{"/run/secrets"}
	}
	return []string{filepath.Join(dir, "secrets"), "/run/secrets"}
}

// userSecrets reads the secrets dfp_users_*. Without a DIR this may be another machine than the proxy's: then none means
// that nothing is known of them, and the answer is nil.
func userSecrets(dir string) map[string]string {
	secrets := map[string]string{}
	for _, folder := range slices.Backward(secretFolders(dir)) { // the first one has the last word
		files, _ := filepath.Glob(filepath.Join(folder, "dfp_users_*"))
		for _, file := range files {
			if content, err := os.ReadFile(file); err == nil { // one that is missing is reported where a label names it
				secrets[filepath.Base(file)] = string(content)
			}
		}
	}
	if dir == "" && len(secrets) == 0 {
		return nil
	}
	return secrets
}

// maxSocket leaves room in a socket's path, 107 bytes, for the port of an entry and the suffix under which HAProxy binds
// it first.
const maxSocket = 107 - len("-65535.4194304.tmp")

func (r routeSettings) settings(dir string) (routing.Settings, error) {
	// Several proxies of one network namespace have folders of their own, so the folder gives the socket its name.
	own := sha256.Sum256([]byte(dir))
	s := routing.Settings{Handover: fmt.Sprintf("abns@sluice-%x", own[:6]), Maxconn: r.Maxconn, HardStopAfter: time.Duration(r.HardStopAfter), OldWorkers: r.MaxOldWorkers, TLS: r.tls(), Timeouts: routing.Timeouts{
		Connect: time.Duration(r.TimeoutConnect), Client: time.Duration(r.TimeoutClient), Server: time.Duration(r.TimeoutServer),
		Queue: time.Duration(r.TimeoutQueue), Tunnel: time.Duration(r.TimeoutTunnel),
		HTTPRequest: time.Duration(r.TimeoutHTTPRequest), HTTPKeepAlive: time.Duration(r.TimeoutHTTPKeepAlive)}}
	entries, err := r.entries()
	if err != nil {
		return s, err
	}
	if err := r.check(); err != nil {
		return s, err
	}
	if _, err := routing.ParseUsers(r.Users, r.UsersEncrypted); r.Users != "" && err != nil {
		return s, fmt.Errorf("USERS: %w", err)
	}
	for _, text := range r.TrustedProxies {
		prefix, err := routing.ParsePrefix(text)
		if err != nil {
			return s, fmt.Errorf("TRUSTED_PROXIES: %w, got %q", err, text)
		}
		s.TrustedProxies = append(s.TrustedProxies, prefix)
	}
	for _, e := range entries {
		s.Entries = append(s.Entries, routing.HTTPEntry{Address: e.line(), Port: e.port, TLS: e.tls})
	}
	if err := r.dialect.fill(&routing.Options{}); err != nil {
		return s, err
	}
	if err := r.frontendSettings.fill(&s, r.AllowRawConfig); err != nil {
		return s, err
	}
	// Only root can give its rights away, and only to a user that exists: Debian's package makes haproxy.
	if os.Geteuid() == 0 {
		if _, err := user.Lookup("haproxy"); err == nil {
			s.User, s.Group = "haproxy", "haproxy"
		}
	}
	// While a reload fails to bind an address, HAProxy 2.6 pauses the old worker. A socket with a path can pause and
	// resume; with an abstract one the worker ends.
	if socket := filepath.Join(dir, "next.sock"); dir != "" && len(socket) <= maxSocket && (s.User == "" || enterable(dir)) {
		s.Handover = "unix@" + socket
	}
	return s, nil
}

// enterable tells whether everybody may enter the folder: workers that are another user have to find a socket there.
func enterable(dir string) bool {
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode()&0o001 == 0 {
			return false
		}
	}
	return true
}

// place says where the proxy keeps its files and which HAProxy it runs.
type place struct {
	Dir     string `env:"DIR" default:"/var/lib/sluice" type:"path" help:"Folder for the configuration, sockets and the spool."`
	HAProxy string `name:"haproxy" env:"HAPROXY" default:"haproxy" help:"The haproxy program."`
}

func (p place) socket() string    { return filepath.Join(p.Dir, "master.sock") }
func (p place) configDir() string { return filepath.Join(p.Dir, "haproxy") }
func (p place) spoolDir() string  { return filepath.Join(p.Dir, "spool") }

// declaredFile keeps the services that the API gave.
func (p place) declaredFile() string { return filepath.Join(p.Dir, "services.json") }

// stampsFile keeps when the certificates of the API were changed.
func (p place) stampsFile() string { return filepath.Join(p.Dir, "certificates.json") }

// controlSettings are everything that the controller needs. They are read once, here.
type controlSettings struct {
	routeSettings
	place
	daemon.Log
	daemon.API
	daemon.Influx
	Swarm         bool          `env:"SWARM" default:"true" negatable:"" help:"Route the services of the swarm; without it only those of the API and the environment."`
	APIToken      string        `name:"api-token" env:"API_TOKEN" placeholder:"TOKEN" help:"What a request must bring that changes something (Authorization: Bearer TOKEN, or X-Api-Token); by default only loopback may change."`
	ServiceName   string        `env:"SERVICE_NAME" placeholder:"NAME" help:"Name of the swarm service that this proxy is a task of: what its API is given is passed on to the others (tasks.NAME, same port). Needs API_TOKEN."`
	DockerHost    string        `env:"DOCKER_HOST" placeholder:"ADDRESS" help:"API of a swarm manager; by default the local socket."`
	DrainTimeout  time.Duration `env:"DRAIN_TIMEOUT" default:"30s" help:"How long connections may finish after SIGTERM."`
	StatsInterval time.Duration `env:"STATS_INTERVAL" default:"1s" help:"Time between two points of every backend."`
	StatsServers  bool          `env:"STATS_SERVERS" default:"true" negatable:"" help:"Export every server of every backend too."`
	StatsInstance string        `env:"STATS_INSTANCE" placeholder:"NAME" help:"Name of this proxy in the statistics; by default the host's name."`
	SpoolLimit    int64         `env:"SPOOL_LIMIT" default:"268435456" help:"Bytes of points kept while InfluxDB does not take them."`
}

// routing are the options of a proxy that runs: the port of its API is no service's.
func (s controlSettings) routing() routing.Options {
	options := s.options(s.Dir)
	options.OwnPorts = []int{s.Port, s.StatsPort}
	return options
}

func (s controlSettings) validate() error {
	if _, err := s.settings(s.Dir); err != nil {
		return err
	}
	if _, err := declaredByEnvironment(os.Environ()); err != nil {
		return err
	}
	if s.InfluxURL != "" {
		if err := s.Influx.Config().Validate(); err != nil {
			return err
		}
	}
	switch {
	case s.StatsInterval < 100*time.Millisecond:
		return fmt.Errorf("STATS_INTERVAL: is less than 100ms, got %s", s.StatsInterval)
	case s.SpoolLimit < 1<<20:
		return fmt.Errorf("SPOOL_LIMIT: is less than 1 MiB, got %d", s.SpoolLimit)
	case s.Maxconn < 0:
		return fmt.Errorf("MAXCONN: is negative, got %d", s.Maxconn)
	}
	if s.StatsPort == s.Port {
		return fmt.Errorf("STATS_PORT: is the port of the API, got %d", s.StatsPort)
	}
	return s.Check()
}
