// Command scaler sets the replicas of swarm services by their com.df.scale.* labels and by what the proxies measured.
//
//	every second  loop.tick
//	  swarm     services (cached, looked at again on a hint and every 10 s), tasks      ┐ at the same time
//	  InfluxDB  one query for HAProxy's figures of all services, only what is new       │
//	  proxies   the same from /v1/stats, without InfluxDB or while it does not answer   ┘
//	  policy.Evaluate for each service: "sessions 412 over 3 replicas is 137 each, target 100: want 5"
//	  swarm.Scale where something is to be done, and the decision into log, sluice_scale and API
//
// What cannot be asked changes nothing: without a source every service keeps its replicas within its bounds, without the
// swarm nothing is decided at all.
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
	os.Exit(daemon.Main("scaler", "Sets the replicas of swarm services by their load.", &commands{}, kong.Vars{"port": "8081"}))
}

type commands struct {
	Run      runCommand         `cmd:"" help:"Scale the services of the swarm until told to stop."`
	Decide   decideCommand      `cmd:"" help:"Decide once for every service with scaling labels, print a table, change nothing."`
	Explain  explainCommand     `cmd:"" help:"Show how a service's labels and samples become a number of replicas, step by step."`
	Simulate simulateCommand    `cmd:"" help:"Let labels meet a load before a service does: replicas, cost and overload, beside other scalers."`
	Check    checkCommand       `cmd:"" help:"Say what is wrong with the scaling labels of a stack file; exit 1 when anything is."`
	Health   daemon.HealthCheck `cmd:"" help:"Ask the running scaler for its health; exit 1 when it does not decide."`
	Version  versionCommand     `cmd:"" help:"Print the version."`
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Println("scaler", version)
	return nil
}
