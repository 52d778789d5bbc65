package queries

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice/haproxystats"
)

// telegraf is what dashboards may ask of Telegraf's docker input: of each measurement the tags and fields in use.
var telegraf = map[string][]string{
	"docker":               {"host", "engine_host", "n_containers_running", "n_cpus", "memory_total"},
	"docker_swarm":         {"host", "service_name", "service_id", "service_mode", "tasks_running", "tasks_desired"},
	"docker_container_cpu": {"host", "engine_host", "container_name", "com.docker.swarm.service.name", "com.docker.stack.namespace", "cpu", "usage_percent"},
	"docker_container_mem": {"host", "engine_host", "container_name", "com.docker.swarm.service.name", "com.docker.stack.namespace", "usage", "usage_percent", "limit"},
}

// policies are the database and the retention policies that influxdb-policies.influxql makes.
var policies = []string{"telegraf", "autogen", "minutes", "hours"}

// token is a piece of InfluxQL: a text, a regular expression, a quoted name, a template variable, a bare word, or a sign.
var token = regexp.MustCompile(`'(?:[^'\\]|\\.)*'|/(?:[^/\\\n]|\\.)+/|"(?:[^"\\]|\\.)*"|:[A-Za-z][\w-]*:|\d+[A-Za-zµ]*|[A-Za-z_]\w*|\S`)

var keywords = strings.Fields("SELECT FROM WHERE AND OR GROUP BY AS ORDER ASC DESC LIMIT SLIMIT INTO time null none previous linear" +
	" CREATE DROP ALTER DATABASE RETENTION POLICY CONTINUOUS QUERY ON DURATION REPLICATION SHARD RESAMPLE EVERY FOR BEGIN END SHOW TAG VALUES WITH KEY")

// Check says what a query asks for that nobody writes: each name in it must be a measurement, a tag or field of one of its
// measurements, or a name that the query gives itself. Bare names are refused: a keyword among them would be misread.
func Check(query string) error {
	if strings.HasPrefix(query, "--") {
		return nil
	}
	if _, sql, continuous := strings.Cut(query, " BEGIN "); continuous {
		query = strings.TrimSuffix(sql, " END")
	} else if !strings.HasPrefix(query, "SELECT ") && !strings.HasPrefix(query, "SHOW ") {
		return nil // it makes or removes something
	}
	tokens := token.FindAllString(query, -1)
	known, given := names(tokens)
	var unknown []string
	depth := depths(tokens)
	for i, t := range tokens {
		name, quoted := unquote(t)
		word := t[0] == '_' || t[0] >= 'A' && t[0] <= 'Z' || t[0] >= 'a' && t[0] <= 'z'
		call := i+1 < len(tokens) && tokens[i+1] == "("
		declared := i > 0 && tokens[i-1] == "AS"
		switch {
		case quoted && !declared && !slices.Contains(known, name) && given[name] <= depth[i]:
			unknown = append(unknown, fmt.Sprintf("%q is written by nobody", name))
		case word && !call && !slices.Contains(keywords, t):
			unknown = append(unknown, fmt.Sprintf("%s is not quoted", t))
		}
	}
	if len(unknown) > 0 {
		return errors.New(strings.Join(unknown, ", ") + ": " + query)
	}
	return nil
}

// names are those that anybody writes, and those that a query gives itself, with the depth of the deepest subquery that does:
// only queries around it may use them.
func names(tokens []string) (known []string, given map[string]int) {
	known, given = slices.Clone(policies), map[string]int{}
	depth := depths(tokens)
	for i, t := range tokens {
		name, quoted := unquote(t)
		if !quoted {
			continue
		}
		if attributes, measurement := attributes(name); measurement {
			known = append(append(known, name), attributes...)
		}
		if i > 0 && tokens[i-1] == "AS" {
			given[name] = max(given[name], depth[i])
		}
	}
	return known, given
}

// depths tells of each token in how many subqueries it stands.
func depths(tokens []string) []int {
	var open []bool // of each parenthesis, whether it is a subquery's
	depth := 0
	result := make([]int, len(tokens))
	for i, t := range tokens {
		switch t {
		case "(":
			subquery := i > 0 && tokens[i-1] == "FROM"
			if open = append(open, subquery); subquery {
				depth++
			}
		case ")":
			if n := len(open); n > 0 {
				if open[n-1] {
					depth--
				}
				open = open[:n-1]
			}
		}
		result[i] = depth
	}
	return result
}

func unquote(t string) (string, bool) {
	if len(t) < 2 || t[0] != '"' {
		return "", false
	}
	return t[1 : len(t)-1], true
}

// attributes are the names of a measurement's tags and fields.
func attributes(measurement string) ([]string, bool) {
	for _, m := range haproxystats.Schema() {
		if m.Name != measurement {
			continue
		}
		var names []string
		for _, a := range append(m.Tags, m.Fields...) {
			names = append(names, a.Name)
		}
		return names, true
	}
	names, found := telegraf[measurement]
	return names, found
}
