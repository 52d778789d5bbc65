// Package conformance runs the public routing cases against the real program and a real HAProxy: `proxy run
// --swarm=false`, services given by the API, requests over real sockets. A subtest has the number of its case.
//
//	case_test.go        what a case is and how it runs
//	routes_test.go      cases of hosts, paths, precedence, rewrites, ports
//	treatment_test.go   cases of what is done to requests and answers; the list of cases without a test
//	derived*_test.go    cases that follow from the same rules, many of them in one declaration
//	settings_test.go    what follows from them for the settings and the labels of Docker Flow Proxy that few use
//	lifecycle_test.go   cases that begin and end services and the program itself
//	tcp_test.go         cases of reqMode=tcp and sni
//	https_test.go       cases of HTTPS and of Docker secrets
//	renewal_test.go     certificates that come, change and go while requests are served
//	authority_test.go, load_test.go   certificates and a steady load for the tests
//	proxy_test.go, fixture_test.go   the program and the servers behind it
//
// A case whose labels or settings do not exist yet does not run; the test says in one line which these are.
package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// shared is how many proxies run the cases that need no settings of their own; each case waits a second for its reload.
const shared = 4

func TestCases(t *testing.T) {
	t.Parallel()
	var ready []testCase
	var gaps []string
	for _, c := range slices.Concat(routeCases, treatmentCases, settingCases) {
		if missing := c.missing(t); len(missing) > 0 {
			gaps = append(gaps, fmt.Sprintf("%s (%s)", c.number, strings.Join(missing, " ")))
		} else {
			ready = append(ready, c)
		}
	}
	for _, n := range notWritten {
		gaps = append(gaps, fmt.Sprintf("%s (%s)", n.numbers, n.reason))
	}
	if len(gaps) > 0 {
		t.Logf("not built: %s", strings.Join(gaps, ", "))
	}
	pool := make(chan *proxy, shared)
	for range shared {
		pool <- start(t)
	}
	t.Run("case", func(t *testing.T) {
		for _, c := range ready {
			t.Run(c.number, func(t *testing.T) {
				t.Parallel()
				p := <-pool // also bounds how many proxies of their own run at once
				defer func() { pool <- p }()
				if len(c.environment) > 0 {
					c.run(t, start(t, c.environment...))
					return
				}
				c.run(t, p)
			})
		}
	})
}
