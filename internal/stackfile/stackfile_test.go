package stackfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/stackfile"
)

func TestParse(t *testing.T) {
	for _, row := range []struct {
		meaning, file string
		want          []stackfile.Service
	}{
		{"labels as a mapping, with their lines", `version: "3.8"
services:
  web:
    image: web
    deploy:
      labels:
        com.df.notify: "true"
        com.df.port: 8080
        com.df.empty:
`, []stackfile.Service{{Name: "web", Line: 3, Replicas: 1,
			Labels: map[string]string{"com.df.notify": "true", "com.df.port": "8080", "com.df.empty": ""},
			Lines:  map[string]int{"com.df.notify": 7, "com.df.port": 8, "com.df.empty": 9}}}},
		{"labels as a list", `services:
  web:
    deploy:
      labels:
        - com.df.notify=true
        - com.df.reqPathSearchReplace=^/a=,/b
        - com.df.alone
`, []stackfile.Service{{Name: "web", Line: 2, Replicas: 1,
			Labels: map[string]string{"com.df.notify": "true", "com.df.reqPathSearchReplace": "^/a=,/b", "com.df.alone": ""},
			Lines:  map[string]int{"com.df.notify": 5, "com.df.reqPathSearchReplace": 6, "com.df.alone": 7}}}},
		{"a doubled dollar is one", `services: {web: {deploy: {labels: {a: "x$$", b: "$$1"}}}}`, []stackfile.Service{{Name: "web", Line: 1, Replicas: 1,
			Labels: map[string]string{"a": "x$", "b": "$1"}, Lines: map[string]int{"a": 1, "b": 1}}}},
		{"labels of the container are not the service's", `services: {web: {labels: {com.df.notify: "true"}}}`,
			[]stackfile.Service{{Name: "web", Line: 1, Replicas: 1}}},
		{"replicas and mode", `services:
  two: {deploy: {replicas: 2}}
  none: {deploy: {replicas: 0}}
  everywhere: {deploy: {mode: global}}
  bare:
  once: {deploy: {mode: replicated-job}}
  oneach: {deploy: {mode: global-job}}
`, []stackfile.Service{{Name: "two", Line: 2, Replicas: 2}, {Name: "none", Line: 3}, {Name: "everywhere", Line: 4, Replicas: 1, Global: true}, {Name: "bare", Line: 5, Replicas: 1},
			{Name: "once", Line: 6, Replicas: 1, Job: true}, {Name: "oneach", Line: 7, Replicas: 1, Job: true}}},
		{"networks as a list and as a mapping, by the names that they have outside", `services:
  list: {networks: [proxy, inner]}
  mapping: {networks: {proxy: {aliases: [x]}, inner: null}}
networks:
  proxy: {external: true, name: real-proxy}
  inner:
`, []stackfile.Service{{Name: "list", Line: 2, Replicas: 1, Networks: []string{"real-proxy", "inner"}},
			{Name: "mapping", Line: 3, Replicas: 1, Networks: []string{"real-proxy", "inner"}}}},
		{"anchors, aliases and merges", `x-deploy: &deploy
  replicas: 3
  labels: &labels
    com.df.notify: &yes "true"
    com.df.port: 80
services:
  same: {deploy: *deploy}
  merged:
    deploy:
      <<: *deploy
      replicas: 4
  more:
    deploy:
      labels:
        <<: *labels
        com.df.port: 81
        com.df.other: *yes
  several:
    deploy:
      labels:
        <<: [{a: first, b: first}, {a: second, c: second}]
`, []stackfile.Service{
			{Name: "same", Line: 7, Replicas: 3, Labels: map[string]string{"com.df.notify": "true", "com.df.port": "80"}, Lines: map[string]int{"com.df.notify": 4, "com.df.port": 5}},
			{Name: "merged", Line: 8, Replicas: 4, Labels: map[string]string{"com.df.notify": "true", "com.df.port": "80"}, Lines: map[string]int{"com.df.notify": 4, "com.df.port": 5}},
			{Name: "more", Line: 12, Replicas: 1, Labels: map[string]string{"com.df.notify": "true", "com.df.port": "81", "com.df.other": "true"},
				Lines: map[string]int{"com.df.notify": 4, "com.df.port": 16, "com.df.other": 17}},
			{Name: "several", Line: 18, Replicas: 1, Labels: map[string]string{"a": "first", "b": "first", "c": "second"}, Lines: map[string]int{"a": 21, "b": 21, "c": 21}},
		}},
	} {
		t.Run(row.meaning, func(t *testing.T) {
			got, err := stackfile.Parse([]byte(row.file), none)
			if err != nil {
				t.Fatal(err)
			}
			for i := range row.want {
				if row.want[i].Labels == nil {
					row.want[i].Labels, row.want[i].Lines = map[string]string{}, map[string]int{}
				}
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseNamesTheLineOfWhatItRefuses(t *testing.T) {
	for _, row := range []struct{ meaning, file, reason string }{
		{"nothing", "", "line 1: the file is empty"},
		{"a comment", "# nothing", "line 1: the file is empty"},
		{"no services", "version: 3\nnetworks: {}\n", "line 1: there is no mapping `services`"},
		{"services that are a list", "services: [a]", "there is no mapping `services`"},
		{"a text", "hello", "there is no mapping `services`"},
		{"no YAML", "services:\n  a: [\n", "line "},
		{"replicas that are no number", "services:\n  a:\n    deploy:\n      replicas: two\n", `line 4: services.a.deploy.replicas: is not a number of replicas, got "two"`},
		{"fewer replicas than none", "services: {a: {deploy: {replicas: -1}}}", "is not a number of replicas"},
		{"a label twice", "services:\n  a:\n    deploy:\n      labels:\n        x: 1\n        x: 2\n", "line 6: mapping key \"x\" already defined"},
		{"an anchor inside itself", "services: &a\n  <<: *a\n", "anchor 'a' value contains itself"},
	} {
		t.Run(row.meaning, func(t *testing.T) {
			got, err := stackfile.Parse([]byte(row.file), none)
			if err == nil || !strings.Contains(err.Error(), row.reason) {
				t.Errorf("got %v, %v, want %q", got, err, row.reason)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"services:\n  web:\n    networks: [a]\n    deploy:\n      replicas: 2\n      labels:\n        - a=b\n        - c\nnetworks:\n  a: {name: b}\n",
		"x: &a {b: c}\nservices: {web: {deploy: {<<: *a, labels: {<<: *a, d: e}}}}",
		"services: &a\n  <<: *a\n",
		"services: {? {a: b} : {deploy: {labels: [[a], {b: c}]}}}",
		"? &a *a\n: services",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		services, err := stackfile.Parse(content, none)
		if err != nil {
			return
		}
		for _, s := range services {
			if s.Replicas < 0 || s.Line < 1 {
				t.Errorf("service %+v", s)
			}
			for key := range s.Labels {
				if s.Lines[key] < 1 {
					t.Errorf("label %q of %q has no line", key, s.Name)
				}
			}
		}
	})
}

// none knows no variable.
func none(string) (string, bool) { return "", false }
