package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice/routing"
)

// frontendSettings are the operator's choices for what HAProxy does beside routing.
type frontendSettings struct {
	ConnectionMode       string `env:"CONNECTION_MODE" default:"http-keep-alive" placeholder:"MODE" help:"What becomes of connections after an answer: http-keep-alive (the default), http-server-close or httpclose."`
	CaptureRequestHeader string `env:"CAPTURE_REQUEST_HEADER" placeholder:"NAME:LENGTH,…" help:"Request headers for the log of requests, cut to a length."`

	StatsUser string `env:"STATS_USER" placeholder:"USER" help:"Who may see HAProxy's page of statistics; without it there is none. none, with STATS_PASS=none: everybody."`
	StatsPass string `env:"STATS_PASS" placeholder:"PASSWORD" help:"Password for the page of statistics."`
	StatsURI  string `name:"stats-uri" env:"STATS_URI" default:"/admin?stats" placeholder:"PATH" help:"Where the page of statistics is; by default /admin?stats."`
	StatsPort int    `env:"STATS_PORT" placeholder:"PORT" help:"Port of the page of statistics; by default it is on the http entries."`

	Debug           bool   `env:"DEBUG" help:"Write a line for each request to the standard output."`
	DebugErrorsOnly bool   `env:"DEBUG_ERRORS_ONLY" help:"With DEBUG: only requests that failed."`
	DebugHTTPFormat string `name:"debug-http-format" env:"DEBUG_HTTP_FORMAT" placeholder:"FORMAT" help:"HAProxy's log-format of these lines for http requests."`
	DebugTCPFormat  string `name:"debug-tcp-format" env:"DEBUG_TCP_FORMAT" placeholder:"FORMAT" help:"HAProxy's log-format of these lines for tcp connections."`

	ExtraFrontend string `env:"EXTRA_FRONTEND" placeholder:"LINE,…" help:"Lines for HAProxy's frontend, with commas or line breaks between them; needs ALLOW_RAW_CONFIG."`
	ExtraGlobal   string `env:"EXTRA_GLOBAL" placeholder:"LINE,…" help:"Lines for HAProxy's global section, likewise."`
}

// fill checks the settings and says them in the words of routing. Entries must be there already.
func (f frontendSettings) fill(s *routing.Settings, raw bool) (err error) {
	mode, _, ok := routing.ParseConnectionMode(cmp.Or(f.ConnectionMode, "http-keep-alive"))
	if !ok {
		return fmt.Errorf("CONNECTION_MODE: is not one of http-keep-alive, http-server-close, httpclose, got %q", f.ConnectionMode)
	}
	if mode != "http-keep-alive" { // HAProxy's own default
		s.ConnectionMode = mode
	}
	if s.Capture, err = routing.ParseCaptures(f.CaptureRequestHeader); err != nil {
		return fmt.Errorf("CAPTURE_REQUEST_HEADER: %w", err)
	}
	if s.Statistics, err = f.statistics(s.Entries); err != nil {
		return err
	}
	s.Log = routing.RequestLog{On: f.Debug, ErrorsOnly: f.Debug && f.DebugErrorsOnly}
	for _, setting := range []struct {
		name, text string
		format     *string
	}{{"DEBUG_HTTP_FORMAT", f.DebugHTTPFormat, &s.Log.HTTPFormat}, {"DEBUG_TCP_FORMAT", f.DebugTCPFormat, &s.Log.TCPFormat}} {
		if *setting.format, err = routing.ParseLogFormat(setting.text); err != nil {
			return fmt.Errorf("%s: %w", setting.name, err)
		}
	}
	for _, setting := range []struct {
		name, text string
		lines      *[]string
	}{{"EXTRA_FRONTEND", f.ExtraFrontend, &s.Extra.Frontend}, {"EXTRA_GLOBAL", f.ExtraGlobal, &s.Extra.Global}} {
		if *setting.lines, err = routing.ParseExtra(setting.text); err != nil {
			return fmt.Errorf("%s: %w", setting.name, err)
		}
		if len(*setting.lines) > 0 && !raw {
			return fmt.Errorf("%s: is raw configuration, which needs ALLOW_RAW_CONFIG=true", setting.name) // and may hold secrets
		}
	}
	return nil
}

func (f frontendSettings) statistics(entries []routing.HTTPEntry) (routing.Statistics, error) {
	none := routing.Statistics{}
	f.StatsURI = cmp.Or(f.StatsURI, "/admin?stats")
	control := func(text string) bool {
		return strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f })
	}
	switch {
	case !strings.HasPrefix(f.StatsURI, "/") || strings.ContainsFunc(f.StatsURI, func(r rune) bool { return r <= 0x20 || r >= 0x7f }):
		return none, fmt.Errorf("STATS_URI: is not a path that begins with / and has no blanks, got %q", f.StatsURI)
	case f.StatsPort < 0 || f.StatsPort > 65535:
		return none, fmt.Errorf("STATS_PORT: is not a port between 1 and 65535, got %d", f.StatsPort)
	case f.StatsUser == "" && f.StatsPass == "":
		return none, nil
	case f.StatsPass == "":
		return none, fmt.Errorf("STATS_PASS: is missing, but STATS_USER is set")
	case f.StatsUser == "":
		return none, fmt.Errorf("STATS_USER: is missing, but STATS_PASS is set")
	case strings.Contains(f.StatsUser, ":") || control(f.StatsUser):
		return none, fmt.Errorf("STATS_USER: has a colon or a control character, got %q", f.StatsUser)
	case control(f.StatsPass):
		return none, fmt.Errorf("STATS_PASS: has a control character")
	case (f.StatsUser == "none") != (f.StatsPass == "none"):
		return none, fmt.Errorf("STATS_USER and STATS_PASS: only both together may be none")
	}
	page := routing.Statistics{On: true, URI: f.StatsURI, Port: f.StatsPort}
	if f.StatsUser != "none" {
		page.User, page.Password = f.StatsUser, f.StatsPass
	}
	if slices.ContainsFunc(entries, func(e routing.HTTPEntry) bool { return e.Port == f.StatsPort }) {
		page.Port = 0 // the http entries have the page then
	}
	return page, nil
}
