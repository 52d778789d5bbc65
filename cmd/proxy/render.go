package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sluice/internal/label"
	"sluice/internal/stackfile"
	"sluice/internal/swarm"
	"sluice/routing"
)

// source is where services come from: a stack file, or the swarm as it is now.
type source struct {
	File       string `arg:"" optional:"" type:"existingfile" help:"Stack file; without it the swarm is asked."`
	Stack      string `help:"Name of the stack that the file will be deployed as; prefixes its services."`
	DockerHost string `env:"DOCKER_HOST" placeholder:"ADDRESS" help:"API of a swarm manager; by default the local socket."`
}

func (s source) services(ctx context.Context, options routing.Options) ([]routing.Service, error) {
	if s.File == "" {
		client, err := swarm.Open(s.DockerHost)
		if err != nil {
			return nil, err
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		k, err := known{}.next(ctx, client, time.Now())
		return k.listing(listing{}).services, err
	}
	content, err := os.ReadFile(s.File)
	if err != nil {
		return nil, err
	}
	list, err := stackfile.Parse(content, os.LookupEnv)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.File, err)
	}
	return planned(list, s.Stack, options), nil
}

// planned gives the services of a file the tasks that they would have. Their addresses are from 192.0.2.0/24, which
// RFC 5737 keeps for documentation; they stand on the network that the routing asks for.
func planned(list []stackfile.Service, stack string, options routing.Options) []routing.Service {
	var services []routing.Service
	address := netip.MustParseAddr("192.0.2.1")
	for _, f := range list {
		s := routing.Service{Name: f.Deployed(stack), Stack: stack, Labels: f.Labels, Networks: f.Networks, Replicas: f.Replicas}
		if f.Global {
			s.Replicas = 1
		}
		if len(s.Networks) == 0 {
			s.Networks = []string{options.Network}
		}
		for _, host := range routing.OutboundHosts([]routing.Service{s}, options.Separator) {
			if s.Outbound == nil {
				s.Outbound = map[string][]netip.Addr{}
			}
			s.Outbound[host], address = []netip.Addr{address}, address.Next()
		}
		for slot := range s.Replicas {
			addresses := map[string]netip.Addr{}
			for _, n := range s.Networks {
				addresses[n] = address
			}
			s.Tasks = append(s.Tasks, routing.Task{Name: fmt.Sprintf("%s.%d", s.Name, slot+1), Addresses: addresses})
			address = address.Next()
		}
		services = append(services, s)
	}
	return services
}

// renderCommand prints a configuration that `haproxy -c` takes as it is: what HAProxy reads from files, maps and
// certificates, is written to a folder that the configuration names; the maps stand as comments at its end too.
type renderCommand struct {
	source
	routeSettings
	Dir string `type:"path" placeholder:"DIR" help:"Folder for haproxy.cfg, its maps and certificates; by default one in the user's cache."`
}

func (c *renderCommand) Run(ctx context.Context) error {
	return c.render(ctx, os.Stdout, os.Stderr)
}

func (c *renderCommand) render(ctx context.Context, stdout, stderr io.Writer) error {
	settings, err := c.settings(c.Dir)
	if err != nil {
		return err
	}
	options := c.options("")
	services, err := c.services(ctx, options)
	if err != nil {
		return err
	}
	dir, err := c.folder()
	if err != nil {
		return err
	}
	settings.DefaultPath = "origin " + dir
	options.Templates = readTemplates(services, options)
	settings, _, found := newTLSFiles(c.routeSettings, place{}).settings(settings, time.Now())
	table, problems := routing.BuildTable(services, options)
	config, err := routing.Render(table, settings)
	if err != nil {
		return err
	}
	files := config.Files()
	if err := writeFiles(dir, files); err != nil {
		return err
	}
	var out bytes.Buffer
	out.Write(files["haproxy.cfg"])
	for _, name := range slices.Sorted(maps.Keys(config.Maps)) {
		fmt.Fprintf(&out, "\n# %s\n", filepath.Join(dir, name))
		for line := range bytes.Lines(files[name]) {
			fmt.Fprintf(&out, "#   %s", line)
		}
	}
	if _, err := stdout.Write(out.Bytes()); err != nil {
		return err
	}
	if err := remark(stderr, routing.Notes(services, options)); err != nil {
		return err
	}
	return complain(stderr, withoutSecrets(slices.Concat(found, problems, config.Problems)))
}

// folder is a place of the user's own: in a shared one, others could leave links for us to follow.
func (c *renderCommand) folder() (string, error) {
	if c.Dir != "" {
		return c.Dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for the maps (give one with --dir): %w", err)
	}
	return filepath.Join(cache, "sluice", "render"), nil
}

// complain prints the problems; they are no reason to fail, for the proxy would route everything else.
func complain(w io.Writer, problems []label.Problem) error {
	for _, p := range problems {
		if _, err := fmt.Fprintln(w, "problem:", p); err != nil {
			return err
		}
	}
	return nil
}

// writeFiles lets nobody else read them: there may be passwords in haproxy.cfg, and certificates come with their keys.
func writeFiles(dir string, files map[string][]byte) error {
	for name, content := range files {
		if err := writeWhole(filepath.Join(dir, name), content); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	return nil
}
