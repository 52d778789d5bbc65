package main

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"sluice/internal/daemon"
)

// sources are what every command that decides must reach.
type sources struct {
	DockerHost string `env:"DOCKER_HOST" placeholder:"ADDRESS" help:"API of a swarm manager; by default the local socket."`
	daemon.Influx
	Filter  string   `env:"FILTER" placeholder:"LABEL=VALUE" help:"Scale only services with this label, for example com.docker.stack.namespace=shop, so that several scalers can share a swarm; LABEL alone takes any value. By default all that have labels of scaling."`
	Proxies []string `env:"PROXIES" placeholder:"HOST:PORT" help:"APIs of the proxies, for example tasks.sluice_proxy:8080, all addresses of a name: asked while InfluxDB does not answer or lacks the points of one, or always where there is no InfluxDB."`
}

func (s sources) validate() error {
	if s.InfluxURL == "" && len(s.Proxies) == 0 {
		return errors.New("INFLUX_URL: is missing, as is PROXIES: the scaler reads there what the proxies measured")
	}
	for _, name := range s.Proxies {
		host, port, err := net.SplitHostPort(name)
		if n, wrong := strconv.ParseUint(port, 10, 16); err != nil || host == "" || wrong != nil || n == 0 {
			return fmt.Errorf("PROXIES: want host:port, got %q", name)
		}
	}
	if s.InfluxURL == "" {
		return nil
	}
	return s.Config().Validate()
}

// settings are everything that `scaler run` needs. They are read once, here.
type settings struct {
	sources
	daemon.API
	daemon.Log
	Dir      string        `env:"DIR" default:"/var/lib/sluice" type:"path" help:"Folder for the spool of decisions."`
	APIToken string        `name:"api-token" env:"API_TOKEN" placeholder:"TOKEN" help:"What a request must bring that changes something (Authorization: Bearer TOKEN, or X-Api-Token); by default only loopback may change."`
	Interval time.Duration `env:"INTERVAL" default:"1s" help:"Time between two looks at all services."`
}

func (s settings) validate() error {
	if s.Interval < 100*time.Millisecond || s.Interval > time.Minute {
		return fmt.Errorf("INTERVAL: must lie between 100ms and 1m, got %s", s.Interval)
	}
	return errors.Join(s.Check(), s.sources.validate())
}

func (s settings) spoolDir() string { return filepath.Join(s.Dir, "scaler-spool") }

// print logs the settings with the secrets hidden.
func (s settings) print(log zerolog.Logger) {
	hidden := func(secret string) string {
		if secret == "" {
			return "none"
		}
		return "hidden"
	}
	log.Info().Str("version", version).Str("docker", s.DockerHost).Str("influx", s.InfluxURL).Str("influxToken", hidden(s.InfluxToken)).
		Str("influxOrg", s.InfluxOrg).Str("influxBucket", s.InfluxBucket).Strs("proxies", s.Proxies).Str("filter", s.Filter).Str("dir", s.Dir).Stringer("interval", s.Interval).
		Int("port", s.Port).Str("apiToken", hidden(s.APIToken)).Msg("settings")
}
