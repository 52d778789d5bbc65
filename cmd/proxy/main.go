// Command proxy is the ingress of a Docker Swarm: it turns the swarm's services and their com.df.* labels into a
// running HAProxy and exports what HAProxy counts.
//
//	proxy run        supervise HAProxy and the controller (PID 1 of the container)
//	  └ reconcile    services -> routing.BuildTable -> Render -> Diff -> commands or a checked reload
//	  └ exporter     show stat of every worker -> haproxystats -> spool -> InfluxDB
//	  └ api          /healthz /readyz /v1/routes /v1/stats /metrics
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the build (-ldflags "-X main.version=…").
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(1)
	}
}

type commands struct {
	Run     runCommand     `cmd:"" help:"Route the swarm: supervise HAProxy and keep its configuration equal to the services' labels."`
	Control controlCommand `cmd:"" hidden:"" help:"The controller beside HAProxy; started by run."`
	Render  renderCommand  `cmd:"" help:"Print the haproxy.cfg that a stack file, or the swarm as it is now, gives."`
	Explain explainCommand `cmd:"" help:"Show how a service's labels become lines of haproxy.cfg, and what could not be used."`
	Health  healthCommand  `cmd:"" help:"Ask the running proxy for its health; exit 1 when HAProxy does not serve."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

func run(ctx context.Context, args []string) error {
	var cli commands
	parser, err := kong.New(&cli, kong.Name("proxy"), kong.Description("The ingress of a Docker Swarm."),
		kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)), kong.Resolvers(secretFiles{os.LookupEnv, os.ReadFile}))
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return command.Run()
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Println("proxy", version)
	return nil
}
