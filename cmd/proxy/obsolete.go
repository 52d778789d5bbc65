package main

import (
	"strings"

	"github.com/rs/zerolog"

	"sluice/routing"
)

// obsolete settings of Docker Flow Proxy are accepted, so that its stack files work, and one line says what replaces them.
var obsolete = []struct{ name, replacement string }{
	{"LISTENER_ADDRESS", "the proxy reads the swarm itself (DOCKER_HOST); remove the listener"},
	{"MODE", "the proxy always reads the swarm; SWARM=false routes without one"},
	{"CERTS", "certificates are found by their place; see PUT cert for new ones"},
	{"RECONFIGURE_ATTEMPTS", "a change that fails is tried again until it succeeds"},
	{"RELOAD_ATTEMPTS", "a reload that fails is tried again until it succeeds"},
	{"RELOAD_INTERVAL", "reloads wait until the services have settled, and happen only when something changed"},
	{"REPEAT_RELOAD", "reloads happen only when something changed"},
	{"TERMINATE_ON_RELOAD", "HARD_STOP_AFTER bounds how long an old worker may finish"},
	{"CHECK_RESOLVERS", "names outside the swarm are resolved again now and then"},
	{"DO_NOT_RESOLVE_ADDR", "a name without an address leaves out nothing but itself"},
	{"SKIP_ADDRESS_VALIDATION", "a name without an address leaves out nothing but itself"},
	{"RESOLVERS", "names outside the swarm are resolved as /etc/resolv.conf says"},
	{"DEFAULT_REQ_MODE", "requests are http where com.df.reqMode does not say otherwise"},
	{"CFG_TEMPLATE_PATH", "EXTRA_GLOBAL, EXTRA_FRONTEND and templates of services add lines"},
	{"STATS_USER_ENV", "STATS_USER, STATS_USER_FILE or the secret dfp_stats_user"},
	{"STATS_PASS_ENV", "STATS_PASS, STATS_PASS_FILE or the secret dfp_stats_pass"},
	{"STATS_URI_ENV", "STATS_URI, STATS_URI_FILE or the secret dfp_stats_uri"},
	{"CONSUL_ADDRESS", "routes given by API are kept in a file below DIR"},
}

// warnObsolete logs one line for each obsolete variable of the environment, and for an obsolete value.
func warnObsolete(environ []string, connectionMode string, log zerolog.Logger) {
	if _, note, _ := routing.ParseConnectionMode(connectionMode); note != "" {
		log.Info().Str("setting", "CONNECTION_MODE").Str("value", connectionMode).Str("note", note).Msg("value is obsolete")
	}
	for _, o := range obsolete {
		for _, variable := range environ {
			if name, value, _ := strings.Cut(variable, "="); name == o.name {
				log.Warn().Str("setting", name).Str("value", value).Str("instead", o.replacement).Msg("setting is obsolete and does nothing")
			}
		}
	}
}
