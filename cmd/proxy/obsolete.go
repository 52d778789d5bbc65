package main

import (
	"strings"

	"github.com/rs/zerolog"
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
	{"CONSUL_ADDRESS", "routes given by API are kept in a file below DIR"},
}

// warnObsolete logs one line for each obsolete variable of the environment.
func warnObsolete(environ []string, log zerolog.Logger) {
	for _, o := range obsolete {
		for _, variable := range environ {
			if name, value, _ := strings.Cut(variable, "="); name == o.name {
				log.Warn().Str("setting", name).Str("value", value).Str("instead", o.replacement).Msg("setting is obsolete and does nothing")
			}
		}
	}
}
