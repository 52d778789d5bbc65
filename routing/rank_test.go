package routing_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/routing"
)

// TestTheBetterRouteComesFirst names two claims and the one that takes a request which both match.
func TestTheBetterRouteComesFirst(t *testing.T) {
	for _, row := range []struct{ rule, first, second string }{
		{"an exact host comes before a wildcard", "serviceDomain x.a.test", "serviceDomain *.a.test"},
		{"an exact host comes before any host, whatever the path", "serviceDomain a.test", "servicePath /long/path"},
		{"a wildcard comes before any host, whatever the path", "serviceDomain *.test", "servicePath /long/path"},
		{"a longer wildcard comes before a shorter one", "serviceDomain *.a.test", "serviceDomain *.test"},
		{"length of a wildcard is its labels, not its letters", "serviceDomain *.a.b.c", "serviceDomain *.verylong.c"},
		{"a longer path comes before a shorter one", "servicePath /a/b", "servicePath /a"},
		{"any path comes before none", "servicePath /a", "servicePath /"},
		{"a domain alone is the path /", "serviceDomain a.test\n servicePath /a", "serviceDomain a.test"},
	} {
		t.Run(row.rule, func(t *testing.T) {
			for _, names := range [][2]string{{"a", "b"}, {"b", "a"}} { // the names must not matter
				table, problems := build(slices.Concat(claim(t, names[0], row.first), claim(t, names[1], row.second)))
				if len(problems) > 0 || len(table.Routes) != 2 {
					t.Fatalf("got %v, problems %v", table.Routes, problems)
				}
				if table.Routes[0].Service != names[0] {
					t.Errorf("first is %+v", table.Routes[0])
				}
			}
		})
	}
}

func TestTheLoserOfAnEqualClaimIsReported(t *testing.T) {
	for _, row := range []struct{ rule, first, second string }{
		{"paths are equal with and without the slash at the end", "servicePath /a", "servicePath /a/"},
		{"hosts are equal in every case", "serviceDomain a.test", "serviceDomain A.Test"},
		{"hosts are equal with a dot at the end", "serviceDomain a.test", "serviceDomain a.test."},
		{"a domain without a path claims /", "serviceDomain a.test", "serviceDomain a.test\n servicePath /"},
		{"wildcards are equal", "serviceDomain *.a.test", "serviceDomain *.A.test"},
	} {
		t.Run(row.rule, func(t *testing.T) {
			for _, order := range [][2]string{{row.first, row.second}, {row.second, row.first}} {
				table, problems := build(slices.Concat(claim(t, "b", order[1]), claim(t, "a", order[0])))
				if len(table.Routes) != 1 || table.Routes[0].Service != "a" {
					t.Errorf("got %+v, want the route of a alone", table.Routes)
				}
				if len(problems) != 1 || problems[0].Service != "b" || problems[0].Reason != "a has the same route and comes first" {
					t.Errorf("got problems %v", problems)
				}
			}
		})
	}
}

func TestSameRouteTwiceInOneLabelIsNoConflict(t *testing.T) {
	table, problems := build(claim(t, "a", "servicePath /a,/a/,/a"))
	if len(table.Routes) != 1 || len(problems) != 0 {
		t.Errorf("got %v, problems %v", table.Routes, problems)
	}
}

func TestOrderOfTheInputChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		services := drawPorts(t, drawServices(t))
		shuffled := rapid.Permutation(services).Draw(t, "order")
		for i := range shuffled {
			shuffled[i].Tasks = rapid.Permutation(shuffled[i].Tasks).Draw(t, "tasks")
		}
		before, problems := rendered(t, services)
		after, problemsAfter := rendered(t, shuffled)
		if diff := cmp.Diff(problems, problemsAfter); diff != "" {
			t.Fatalf("problems differ:\n%s", diff)
		}
		for name := range before {
			if !bytes.Equal(before[name], after[name]) {
				t.Fatalf("%s differs:\n%s", name, cmp.Diff(string(before[name]), string(after[name])))
			}
		}
	})
}

func rendered(t *rapid.T, services []routing.Service) (map[string][]byte, string) {
	table, problems := build(services)
	config, err := routing.Render(table, settings("*:80"))
	if err != nil {
		t.Fatal(err)
	}
	return config.Files(), list(problems)
}

// claim is a service with one task that claims what the labels say.
func claim(t *testing.T, name, labels string) []routing.Service {
	t.Helper()
	return scene(t, fmt.Sprintf("service %s\n notify true\n port 80\n %s\n task %s.1 10.0.0.1", name, strings.TrimSpace(labels), name))
}
