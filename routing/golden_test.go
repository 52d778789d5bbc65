package routing_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"sluice/internal/label"
	"sluice/routing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden compares what becomes of labels with the files in testdata: services on top, below them the part of
// haproxy.cfg that they alone bring, the maps, the list of certificates, and the problems. empty.txtar shows the whole of
// haproxy.cfg. In front of the services stand, where there is TLS, its settings.
func TestGolden(t *testing.T) {
	for _, file := range goldenFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, options := goldenSettings(t, section(archive, "tls")), goldenOptions(archive)
			options.ClientCA = s.TLS.CAFile != ""
			table, problems := routing.BuildTable(scene(t, section(archive, "services")), options)
			config := render(t, table, s)
			problems = append(problems, config.Problems...)
			want := &txtar.Archive{Comment: archive.Comment}
			if text := section(archive, "tls"); text != "" {
				want.Files = append(want.Files, txtar.File{Name: "tls", Data: []byte(text)})
			}
			want.Files = append(want.Files, txtar.File{Name: "services", Data: []byte(section(archive, "services"))})
			want.Files = append(want.Files, goldenTemplates(archive)...)
			want.Files = append(want.Files, txtar.File{Name: "haproxy.cfg", Data: []byte(difference(t, config, s, len(table.Backends) == 0))})
			for _, name := range slices.Sorted(maps.Keys(config.Maps)) {
				if content := config.Files()[name]; len(content) > 0 {
					want.Files = append(want.Files, txtar.File{Name: name, Data: content})
				}
			}
			if content := config.Files()["certs.list"]; len(content) > 0 {
				want.Files = append(want.Files, txtar.File{Name: "certs.list", Data: content})
			}
			if len(problems) > 0 {
				want.Files = append(want.Files, txtar.File{Name: "problems", Data: []byte(list(problems))})
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(want), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(want))); diff != "" {
				t.Errorf("-want +got (go test ./routing -run Golden -update rewrites it):\n%s", diff)
			}
		})
	}
}

func TestEveryLabelHasAnExampleThatANewcomerCanFind(t *testing.T) {
	var all strings.Builder
	for _, file := range goldenFiles(t) {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(section(archive, "services"))
	}
	for _, spec := range routing.Labels.Specs {
		written := regexp.MustCompile(`(?m)^ +` + spec.Name + `(\.\d+)? +` + regexp.QuoteMeta(spec.Example) + `$`)
		if !written.MatchString(all.String()) {
			t.Errorf("no golden file uses %s with its example %q", spec.Name, spec.Example)
		}
		if spec.Doc == "" {
			t.Errorf("%s has no documentation", spec.Name)
		}
		if _, err := spec.Parse(spec.Example); err != nil {
			t.Errorf("the example of %s %v", spec.Name, err)
		}
	}
}

// goldenTemplates are the sections named after files in the proxy's container.
func goldenTemplates(a *txtar.Archive) (files []txtar.File) {
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "/") {
			files = append(files, f)
		}
	}
	return files
}

// goldenOptions allows raw configuration where there are templates.
func goldenOptions(a *txtar.Archive) routing.Options {
	options := routing.Options{Network: "proxy", Secrets: secrets(), Templates: map[string]string{}}
	for _, f := range goldenTemplates(a) {
		options.Templates[f.Name], options.AllowRaw = string(f.Data), true
	}
	return options
}

// goldenSettings reads the lines of "tls"; with some the port 443 ends TLS. All certificates are copies of one.
func goldenSettings(t *testing.T, text string) routing.Settings {
	t.Helper()
	s := settings("*:80")
	if text == "" {
		return s
	}
	s.Entries = append(s.Entries, routing.HTTPEntry{Address: "*:443", Port: 443, TLS: true})
	content, err := os.ReadFile("testdata/certificates/a.test.pem")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		word, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "certificate":
			c, _, err := routing.ParseCertificate(value, content)
			if err != nil {
				t.Fatal(err)
			}
			c.Origin = "/certs/" + value
			s.TLS.Certificates = append(s.TLS.Certificates, c)
		case "ca":
			s.TLS.CAFile = value
		case "list":
			s.TLS.CrtList = value
		case "h2":
			s.TLS.H2 = true
		default:
			t.Fatalf("unknown setting %q", word)
		}
	}
	return s
}

func goldenFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	return files
}

func section(a *txtar.Archive, name string) string {
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		return ""
	}
	return string(a.Files[i].Data)
}

// difference is what stands in a configuration beside that of no services at all.
func difference(t *testing.T, c routing.Config, s routing.Settings, whole bool) string {
	t.Helper()
	if whole {
		return c.Text
	}
	known := map[string]bool{}
	for line := range strings.Lines(render(t, routing.Table{}, s).Text) {
		known[line] = true
	}
	var text strings.Builder
	for line := range strings.Lines(c.Text) {
		if strings.Contains(line, "proc.sluice_shape") || known[line] && line != "\n" {
			continue
		}
		text.WriteString(line)
	}
	return strings.Trim(regexp.MustCompile(`\n{2,}`).ReplaceAllString(text.String(), "\n\n"), "\n") + "\n"
}

func list(problems []label.Problem) string {
	var text strings.Builder
	for _, p := range problems {
		text.WriteString(p.String() + "\n")
	}
	return text.String()
}
