// Command proxy is the ingress of a Docker Swarm: it turns the swarm's services and their com.df.* labels into a
// running HAProxy and exports what HAProxy counts.
//
//	proxy run        supervise HAProxy and the controller (PID 1 of the container)
//	  └ reconcile    services -> routing.BuildTable -> Render -> Diff -> commands or a checked reload
//	  └ exporter     show stat of every worker -> haproxystats -> spool -> InfluxDB
//	  └ api          /healthz /readyz /v1/routes /v1/stats /metrics, /v1/docker-flow-proxy/: services outside the swarm
package main

import (
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"sluice/internal/daemon"
)

// version is set by the build (-ldflags "-X main.version=…").
var version = "dev"

func main() {
	os.Exit(daemon.Main("proxy", "The ingress of a Docker Swarm.", &commands{}, kong.Vars{"port": "8080"}))
}

type commands struct {
	Run     runCommand         `cmd:"" help:"Route the swarm: supervise HAProxy and keep its configuration equal to the services' labels."`
	Control controlCommand     `cmd:"" hidden:"" help:"The controller beside HAProxy; started by run."`
	Render  renderCommand      `cmd:"" help:"Print the haproxy.cfg that a stack file, or the swarm as it is now, gives."`
	Check   checkCommand       `cmd:"" help:"Report what is wrong with the labels of a stack file, with file and line; exit 1 when there is anything."`
	Explain explainCommand     `cmd:"" help:"Show how a service's labels become lines of haproxy.cfg, and what could not be used."`
	Health  daemon.HealthCheck `cmd:"" help:"Ask the running proxy for its health; exit 1 when HAProxy does not serve."`
	Version versionCommand     `cmd:"" help:"Print the version."`
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Println("proxy", version)
	return nil
}
