// Package daemon is what Sluice's long-running commands have in common: the command line with settings from flags,
// environment and secrets, the log, and the API's health.
package daemon

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	_ "time/tzdata" // the images have no zones of their own, and labels name some

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"
)

// Main parses the command line into cli, a struct for kong with options of its own, and runs the chosen command with a context that ends on
// SIGINT and SIGTERM. It answers the exit code; an error is written to standard error.
func Main(name, description string, cli any, options ...kong.Option) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, cli, os.Args[1:], append(options, kong.Name(name), kong.Description(description))...); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

func run(ctx context.Context, cli any, args []string, options ...kong.Option) error {
	parser, err := kong.New(cli, append(options, kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Resolvers(secrets{os.LookupEnv, os.ReadFile}))...)
	if err != nil {
		return err
	}
	forgetEmpty(parser.Model.Node)
	command, err := parser.Parse(args)
	if err != nil {
		return fmt.Errorf("%w (see --help)", err)
	}
	return command.Run()
}

// forgetEmpty makes settings whose variable is empty those that are not given: stack files write ${FOO}, and images FOO="".
func forgetEmpty(node *kong.Node) {
	for _, flag := range node.Flags {
		for _, name := range flag.Envs {
			if value, given := os.LookupEnv(name); given && value == "" {
				_ = os.Unsetenv(name) // for the processes that this one starts, too
			}
		}
	}
	for _, child := range node.Children {
		forgetEmpty(child)
	}
}

// secrets reads a setting FOO from the file that FOO_FILE names, or from the Docker secret dfp_foo (DIR/secrets stands beside
// /run/secrets), where neither flag nor FOO is given.
type secrets struct {
	lookup func(name string) (string, bool)
	read   func(path string) ([]byte, error)
}

// Validate is part of kong.Resolver.
func (secrets) Validate(*kong.Application) error { return nil }

// Resolve is part of kong.Resolver; kong asks it after flags and before defaults.
func (s secrets) Resolve(ctx *kong.Context, at *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, given := s.lookup(name); given {
			return nil, nil
		}
		if path, given := s.lookup(name + "_FILE"); given {
			content, err := s.read(path)
			if err != nil {
				return nil, fmt.Errorf("%s_FILE: %w", name, err)
			}
			return strings.TrimSpace(string(content)), nil
		}
		for _, folder := range folders(ctx, at) {
			if content, err := s.read(filepath.Join(folder, "dfp_"+strings.ToLower(name))); err == nil {
				return strings.TrimSpace(string(content)), nil
			}
		}
	}
	return nil, nil
}

// folders are where secrets are, the first one first.
func folders(ctx *kong.Context, at *kong.Path) (list []string) {
	for _, flag := range at.Flags {
		if dir, text := ctx.FlagValue(flag).(string); text && flag.Name == "dir" && dir != "" {
			list = append(list, filepath.Join(dir, "secrets"))
		}
	}
	return append(list, "/run/secrets")
}

// Log is the setting of the log; embed it.
type Log struct {
	LogLevel string `env:"LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"Least severe log lines that are written."`
}

// Logger writes JSON lines to standard error.
func (l Log) Logger() zerolog.Logger {
	level, _ := zerolog.ParseLevel(l.LogLevel) // kong's enum has checked it
	zerolog.TimeFieldFormat = zerolog.TimeFormatUnixMs
	return zerolog.New(os.Stderr).Level(level).With().Timestamp().Logger()
}
