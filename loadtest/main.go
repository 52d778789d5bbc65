// Command loadtest sends a known load to a service and says what came of it.
//
//	scenario.yml ─check─> schedule ─attack─> outcomes ┐
//	              scaler, proxy, swarm ─observe─> timeline ┴─> result ─> verdicts, report.html, result.json, timeline.csv
//
// The exit code is 0 when all expectations of the scenario hold, 1 when one does not, 2 when the scenario or the command line is wrong, and
// 130 when the run was interrupted: it has a report all the same.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/sys/unix"

	"sluice/loadtest/scenario"
)

// Exit codes.
const (
	exitPassed = 0
	exitFailed = 1
	exitUsage  = 2

	exitInterrupted = 130 // as a shell says it of a program that ended by Ctrl-C
)

// errFailed ends a command whose output has already said what failed.
var errFailed = errors.New("an expectation does not hold")

// errInterrupted ends a run that Ctrl-C or SIGTERM has ended before its time, once its report is written.
var errInterrupted = errors.New("the run was interrupted")

type command struct {
	Run     runCommand     `cmd:"" help:"Send the load of a scenario, watch the service, write a report."`
	Check   checkCommand   `cmd:"" help:"Check a scenario and show its plan; nothing is sent."`
	Report  reportCommand  `cmd:"" help:"Make the report of an earlier run again from its result.json, or a picture of it."`
	Compare compareCommand `cmd:"" help:"Put several runs on one page, the first as the measure."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// world is what commands touch beside their files.
type world struct {
	ctx    context.Context
	out    io.Writer
	lookup func(string) (string, bool) // the environment
	width  func() int                  // columns of the terminal that out is; nil when it is none
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out *os.File, errs io.Writer) int {
	var cmd command
	helped := false
	parser, err := kong.New(&cmd,
		kong.Name("loadtest"),
		kong.Description("Send a known load to a service and see what it does to latency, errors and replicas.\n\n"+
			"A scenario says what to send, when, what to look at, and what must then be true. "+
			"Load goes to this machine only, or to hosts that the scenario names under allow."),
		kong.UsageOnError(), kong.Writers(out, errs),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintln(errs, "loadtest:", err)
		return exitUsage
	}
	parsed, err := parser.Parse(args)
	if helped {
		return exitPassed
	}
	if err != nil {
		fmt.Fprintln(errs, "loadtest:", err)
		fmt.Fprintln(errs, "loadtest: see loadtest --help")
		return exitUsage
	}
	switch err := parsed.Run(&world{ctx: ctx, out: out, lookup: os.LookupEnv, width: terminal(out)}); {
	case err == nil:
		return exitPassed
	case errors.Is(err, errFailed):
		return exitFailed
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	default:
		fmt.Fprintln(errs, message(err))
		return exitUsage
	}
}

// message puts the command's name in front of an error, but not in front of file and line, which editors look for at the beginning.
func message(err error) string {
	var problems scenario.Problems
	if errors.As(err, &problems) {
		return err.Error()
	}
	return "loadtest: " + err.Error()
}

// terminal gives the width of the terminal that f is, which may change, or nil when it is none.
func terminal(f *os.File) func() int {
	if _, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err != nil {
		return nil
	}
	return func() int {
		size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
		if err != nil || size.Col == 0 {
			return 80
		}
		return int(size.Col)
	}
}

type versionCommand struct{}

func (versionCommand) Run(w *world) error {
	_, err := fmt.Fprintln(w.out, "loadtest", version())
	return err
}

// version is what the Go tool knows about this build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
