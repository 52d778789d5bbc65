package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"sluice/internal/label"
	"sluice/routing"
)

// explainCommand answers "what became of my label?".
type explainCommand struct {
	Service string `arg:"" help:"Name of the service."`
	source
	routeSettings
}

func (c *explainCommand) Run(ctx context.Context) error {
	settings, err := c.settings("")
	if err != nil {
		return err
	}
	services, err := c.services(ctx, c.options(""))
	if err != nil {
		return err
	}
	settings, _, _ = newTLSFiles(c.routeSettings, place{}).settings(settings, time.Now())
	return explain(os.Stdout, c.Service, services, c.options(""), settings)
}

// explain prints each label of the service with its value and the lines that name it, then what could not be used.
// The whole swarm is built, for a route may have lost against another service's.
func explain(w io.Writer, name string, services []routing.Service, options routing.Options, settings routing.Settings) error {
	at := slices.IndexFunc(services, func(s routing.Service) bool { return s.Name == name })
	if at < 0 {
		return fmt.Errorf("no service %q carries labels of Sluice%s", name, nearest(name, services))
	}
	services[at].Declared = true // whoever asks wants to know why another proxy routes it
	service := services[at]
	options.Templates = readTemplates(services, options)
	table, problems := routing.BuildTable(services, options)
	notes := routing.Notes(services, options)
	config, err := routing.Render(table, settings)
	if err != nil {
		return err
	}
	problems = withoutSecrets(append(problems, config.Problems...))
	lines := linesByLabel(config, name)
	fmt.Fprintf(w, "%s: %s, %s running\n", name, count(service.Replicas, "replica"), count(len(service.Tasks), "task"))
	for _, key := range slices.Sorted(maps.Keys(service.Labels)) {
		if !strings.HasPrefix(key, label.Prefix) || routing.Labels.Foreign(strings.TrimPrefix(key, label.Prefix)) {
			continue
		}
		value := service.Labels[key]
		if isSecret(key, value) {
			value = hidden
		}
		fmt.Fprintf(w, "\n%s = %q\n", key, value)
		for _, line := range lines[key] {
			fmt.Fprintf(w, "    %s\n", line)
		}
		for _, p := range problems {
			if p.Service == name && p.Label == key {
				fmt.Fprintf(w, "    problem: %s\n", p.Reason)
			}
		}
		for _, n := range notes {
			if n.Service == name && n.Label == key {
				fmt.Fprintf(w, "    note: %s\n", n.Reason)
			}
		}
	}
	for _, b := range table.Backends {
		if b.Of(name) {
			fmt.Fprintf(w, "\nbackend %s\n", b.Name)
			for _, s := range b.Servers {
				fmt.Fprintf(w, "    server %s %s\n", s.Name, s.Addr)
			}
			if b.Note != "" {
				fmt.Fprintf(w, "    no servers: %s\n", b.Note)
			}
		}
	}
	for _, p := range problems {
		if _, labelled := service.Labels[p.Label]; p.Service == name && !labelled {
			fmt.Fprintf(w, "\nproblem: %s\n", p)
		}
	}
	return nil
}

// askedBy is the end of a line of haproxy.cfg that says who asked for it: a service and its labels.
var askedBy = regexp.MustCompile(` # (\S+)((?: com\.df\.[A-Za-z0-9.]+)+)$`)

// linesByLabel finds the lines of haproxy.cfg and of the maps that name a label of the service.
func linesByLabel(c routing.Config, service string) map[string][]string {
	lines := map[string][]string{}
	for line := range strings.Lines(c.Text) {
		text := strings.TrimSpace(line)
		var keys []string
		for { // several services may ask for one line, and a raw line may have comments of its own
			at := askedBy.FindStringSubmatchIndex(text)
			if at == nil {
				break
			}
			if text[at[2]:at[3]] == service {
				keys = append(keys, strings.Fields(text[at[4]:at[5]])...)
			}
			text = text[:at[0]]
		}
		for _, key := range keys {
			lines[key] = append(lines[key], "haproxy.cfg: "+withoutPasswords(strings.TrimSpace(text)))
		}
	}
	for _, file := range slices.Sorted(maps.Keys(c.Maps)) {
		for _, e := range c.Maps[file] {
			keys, ours := strings.CutPrefix(e.Comment, service+" ")
			for key := range strings.FieldsSeq(keys) {
				if ours {
					lines[key] = append(lines[key], fmt.Sprintf("%s: %s %s", file, e.Key, cmp.Or(e.Backend, e.Value)))
				}
			}
		}
	}
	return lines
}

// nearest names the services that may be meant; without any, those that there are.
func nearest(name string, services []routing.Service) string {
	const most = 10
	var near, all []string
	for _, s := range services {
		if all = append(all, s.Name); strings.Contains(s.Name, name) || strings.HasSuffix(name, "_"+s.Name) {
			near = append(near, s.Name)
		}
	}
	switch slices.Sort(all); {
	case len(near) > 0:
		return " (did you mean " + strings.Join(near, ", ") + "?)"
	case len(all) == 0:
		return "; no service does"
	case len(all) > most:
		return fmt.Sprintf("; %s and %d more do", strings.Join(all[:most], ", "), len(all)-most)
	}
	return "; those that do: " + strings.Join(all, ", ")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
