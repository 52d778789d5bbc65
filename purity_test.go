// Package sluice_test watches over the architecture: which package may know which.
package sluice_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const module = "sluice"

var (
	// core takes values and gives values; what it imports of this module is core too.
	core = []string{"routing", "haproxystats", "policy", "policy/simulation", "policy/reference", "internal/label", "internal/stackfile"}
	// adapters touch the world and know nothing of the core.
	adapters = []string{"internal/swarm", "internal/haproxy", "internal/influx"}
	// outside lists what the core may import of others: they compute and touch nothing.
	outside = []string{"go.yaml.in/yaml/v3", "github.com/robfig/cron/v3"}
	// impure lists what of the standard library touches the world, or hides an input.
	impure = []string{"os", "net", "context", "log", "io/fs", "io/ioutil", "syscall", "runtime", "path/filepath", "time/tzdata", "testing",
		"flag", "expvar", "math/rand", "crypto/rand", "database/sql", "plugin", "unsafe"}
	pure   = []string{"net/netip", "net/url"} // in spite of where they stand
	clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	// only names the one package (and what stands below it) that may import a library.
	only = map[string]string{
		"github.com/docker/docker":                    "internal/swarm",
		"github.com/influxdata/influxdb-client-go/v2": "internal/influx",
		"github.com/influxdata/line-protocol/v2":      "internal/influx",
	}
)

func TestPackagesKnowOnlyWhatTheyMay(t *testing.T) {
	packages, err := load(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Concat(core, adapters) {
		if packages[name] == nil {
			t.Errorf("there is no package %s any more: has it moved?", name)
		}
	}
	for _, offence := range offences(packages) {
		t.Error(offence)
	}
}

// TestOffencesAreFound shows that the test above can fail: each row is the whole of a module.
func TestOffencesAreFound(t *testing.T) {
	for _, row := range []struct {
		rule  string
		files map[string]string
		want  []string
	}{
		{"nothing is wrong", map[string]string{
			"routing/a.go":            "package routing\nimport (\"sluice/internal/label\"; \"net/netip\"; \"time\"; _ \"embed\")\nvar _ time.Duration = time.Second",
			"internal/label/a.go":     "package label\nimport \"strings\"",
			"internal/haproxy/a.go":   "package haproxy\nimport (\"net\"; \"time\")\nvar _ = time.Now()",
			"internal/swarm/a.go":     "package swarm\nimport \"github.com/docker/docker/client\"",
			"cmd/proxy/a.go":          "package main\nimport (\"sluice/routing\"; \"sluice/internal/haproxy\")",
			"routing/a_test.go":       "package routing\nimport \"os\"",
			"routing/testdata/a.go":   "package x\nimport \"os\"",
			"policy/.hidden/a.go":     "package x\nimport \"os\"",
			"policy/a.go":             "package policy\nimport \"github.com/robfig/cron/v3\"",
			"haproxystats/time.go":    "package haproxystats\nvar time struct{ Now int }\nvar _ = time.Now",
			"internal/stackfile/a.go": "package stackfile\nimport \"go.yaml.in/yaml/v3\"",
		}, nil},
		{"the core touches the world", map[string]string{
			"routing/a.go": "package routing\nimport (\"os\"; \"os/exec\"; \"net/http\"; \"log/slog\"; \"context\"; \"io/fs\")",
		}, []string{
			"routing/a.go imports os", "routing/a.go imports os/exec", "routing/a.go imports net/http", "routing/a.go imports log/slog",
			"routing/a.go imports context", "routing/a.go imports io/fs",
		}},
		{"the core looks at the clock", map[string]string{
			"policy/a.go": "package policy\nimport \"time\"\nfunc f() { _ = time.Now(); time.Sleep(1) }\nvar g = time.Since",
			"policy/b.go": "package policy\nimport clock \"time\"\nvar _ = clock.Now",
			"policy/c.go": "package policy\nimport . \"time\"\nvar _ = Now",
		}, []string{"policy/a.go uses time.Now", "policy/a.go uses time.Sleep", "policy/a.go uses time.Since", "policy/b.go uses time.Now", "policy/c.go imports time without a name"}},
		{"the core imports a library that nobody has judged", map[string]string{
			"haproxystats/a.go": "package haproxystats\nimport \"github.com/rs/zerolog\"",
		}, []string{"haproxystats/a.go imports github.com/rs/zerolog"}},
		{"what the core imports is core", map[string]string{
			"routing/a.go":        "package routing\nimport \"sluice/internal/deep\"",
			"internal/deep/a.go":  "package deep\nimport \"sluice/internal/other\"",
			"internal/other/a.go": "package other\nimport \"os\"",
		}, []string{"internal/other/a.go imports os"}},
		{"the core imports an adapter", map[string]string{
			"routing/a.go":          "package routing\nimport \"sluice/internal/haproxy\"",
			"internal/haproxy/a.go": "package haproxy",
		}, []string{"routing imports internal/haproxy, an adapter"}},
		{"an adapter imports the core, through another package too", map[string]string{
			"internal/influx/a.go":     "package influx\nimport \"sluice/internal/between\"",
			"internal/between/a.go":    "package between\nimport \"sluice/haproxystats\"",
			"haproxystats/a.go":        "package haproxystats",
			"internal/swarm/test/a.go": "package test\nimport \"sluice/policy\"",
			"policy/a.go":              "package policy",
		}, []string{"internal/influx imports haproxystats, which is core", "internal/swarm/test imports policy, which is core"}},
		{"routing and policy meet", map[string]string{
			"routing/a.go": "package routing\nimport \"sluice/policy\"",
			"policy/a.go":  "package policy",
		}, []string{"routing imports policy"}},
		{"Docker and InfluxDB are known elsewhere", map[string]string{
			"cmd/scaler/a.go": "package main\nimport (\"github.com/docker/docker/api/types/swarm\"; \"github.com/influxdata/influxdb-client-go/v2\")",
		}, []string{"cmd/scaler/a.go imports github.com/docker/docker/api/types/swarm", "cmd/scaler/a.go imports github.com/influxdata/influxdb-client-go/v2"}},
	} {
		t.Run(row.rule, func(t *testing.T) {
			files := fstest.MapFS{}
			for name, content := range row.files {
				files[name] = &fstest.MapFile{Data: []byte(content)}
			}
			packages, err := load(files)
			if err != nil {
				t.Fatal(err)
			}
			got := offences(packages)
			slices.Sort(got)
			slices.Sort(row.want)
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// file is one source file, with its path in the module.
type file struct {
	path    string
	syntax  *ast.File
	imports []string
}

// load parses all packages of a module, by their folder, without their tests.
func load(module fs.FS) (map[string][]file, error) {
	packages := map[string][]file{}
	err := fs.WalkDir(module, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if entry.IsDir() {
			if name != "." && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		content, err := fs.ReadFile(module, name)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), name, content, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		f := file{path: name, syntax: syntax}
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, imported)
		}
		packages[path.Dir(name)] = append(packages[path.Dir(name)], f)
		return nil
	})
	return packages, err
}

func offences(packages map[string][]file) (found []string) {
	report := func(format string, arguments ...any) { found = append(found, fmt.Sprintf(format, arguments...)) }
	pureOnes := map[string]bool{}
	for _, name := range core {
		for dependency := range reach(packages, name) {
			pureOnes[dependency] = true
			if below(dependency, adapters...) {
				report("%s imports %s, an adapter", name, dependency)
				delete(pureOnes, dependency)
			}
		}
	}
	for name := range pureOnes {
		for _, f := range packages[name] {
			found = append(found, impurities(f)...)
		}
	}
	for name := range packages {
		for dependency := range reach(packages, name) {
			if below(name, adapters...) && slices.Contains(core, dependency) {
				report("%s imports %s, which is core", name, dependency)
			}
		}
		for _, f := range packages[name] {
			for _, imported := range f.imports {
				for library, owner := range only {
					if below(imported, library) && !below(name, owner) && !pureOnes[name] {
						report("%s imports %s", f.path, imported)
					}
				}
			}
		}
	}
	for _, pair := range [][2]string{{"routing", "policy"}, {"policy", "routing"}} {
		if reach(packages, pair[0])[pair[1]] {
			report("%s imports %s", pair[0], pair[1])
		}
	}
	return found
}

func impurities(f file) (found []string) {
	clock := ""
	for i, imported := range f.imports {
		standard := !strings.Contains(strings.Split(imported, "/")[0], ".")
		switch {
		case below(imported, module):
		case imported == "time":
			clock = "time"
			if name := f.syntax.Imports[i].Name; name != nil {
				clock = name.Name
			}
		case standard && below(imported, impure...) && !slices.Contains(pure, imported), !standard && !slices.Contains(outside, imported):
			found = append(found, f.path+" imports "+imported)
		}
	}
	if clock == "." {
		return append(found, f.path+" imports time without a name")
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && clock != "" && slices.Contains(clocks, s.Sel.Name) {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == clock {
				found = append(found, f.path+" uses time."+s.Sel.Name)
			}
		}
		return true
	})
	return found
}

// reach lists a package and everything of the module that it imports, directly or not.
func reach(packages map[string][]file, name string) map[string]bool {
	reached := map[string]bool{name: true}
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		for _, f := range packages[queue[0]] {
			for _, imported := range f.imports {
				if inner, ours := strings.CutPrefix(imported, module+"/"); ours && !reached[inner] {
					reached[inner] = true
					queue = append(queue, inner)
				}
			}
		}
	}
	return reached
}

// below tells whether a path is one of the folders or stands in one.
func below(name string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") })
}
