package main

import (
	"reflect"

	"sluice/internal/label"
	"sluice/routing"
)

// built is what the last step made of what it saw. Table and configuration are functions of values, and a step comes at
// least once a second: what is made of equal values need not be made again. It says nothing about what HAProxy runs.
type built struct {
	services        []routing.Service
	options         routing.Options
	table           routing.Table
	problems, notes []label.Problem

	rendered routing.Table
	settings routing.Settings
	config   routing.Config
}

func (b *built) build(services []routing.Service, options routing.Options) (routing.Table, []label.Problem, []label.Problem) {
	if b.services == nil || !reflect.DeepEqual(services, b.services) || !reflect.DeepEqual(options, b.options) {
		b.services, b.options = services, options
		b.table, b.problems = routing.BuildTable(services, options)
		b.notes = routing.Notes(services, options)
	}
	return b.table, b.problems, b.notes
}

func (b *built) render(table routing.Table, settings routing.Settings) (routing.Config, error) {
	if b.config.Text != "" && reflect.DeepEqual(table, b.rendered) && reflect.DeepEqual(settings, b.settings) {
		return b.config, nil
	}
	config, err := routing.Render(table, settings)
	if err == nil {
		b.rendered, b.settings, b.config = table, settings, config
	}
	return config, err
}
