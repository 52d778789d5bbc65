package haproxy_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/haproxy"
	"sluice/internal/haproxy/haproxytest"
)

// config is the smallest configuration that answers its name on an address.
func config(address, name string) map[string][]byte {
	return map[string][]byte{
		"haproxy.cfg": []byte(`
global
    default-path config
    hard-stop-after 10s
    set-var proc.name str(` + name + `)
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
frontend f
    bind ` + address + `
    http-request return status 200 content-type text/plain string ` + name + ` if !{ path_beg /b }
    http-request set-var(txn.be) path,map_beg(b.map)
    use_backend %[var(txn.be)]
backend b
`),
		"b.map": []byte("/b b\n"),
	}
}

var refused = map[string][]byte{"haproxy.cfg": []byte("frontend f\n    bind nonsense\n")}

func openStore(t *testing.T, dir string) *haproxy.Store {
	t.Helper()
	s, err := haproxy.OpenStore(dir, haproxytest.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, s *haproxy.Store, files map[string][]byte) haproxy.Generation {
	t.Helper()
	g, err := s.Write(files)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func activate(t *testing.T, g haproxy.Generation) func() error {
	t.Helper()
	back, err := g.Activate()
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestStoreChecksFilesAsideAndPutsThemInPlaceTogether(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	files := config("127.0.0.1:1", "one")
	g := write(t, s, files)
	if _, err := os.Stat(s.ConfigFile()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("before Activate there is something in place: %v", err)
	}
	if err := g.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	activate(t, g)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	got := map[string][]byte{}
	for name := range files {
		got[name], _ = os.ReadFile(filepath.Join(filepath.Dir(s.ConfigFile()), name))
	}
	if diff := cmp.Diff(files, got); diff != "" {
		t.Error(diff)
	}
}

func TestStoreTellsWhatHAProxyRefusesAndWhere(t *testing.T) {
	s := openStore(t, t.TempDir())
	err := write(t, s, refused).Check(t.Context())
	var opinion *haproxy.RefusedError
	if !errors.As(err, &opinion) {
		t.Fatalf("got %v, want a RefusedError", err)
	}
	if !strings.Contains(opinion.Output, "haproxy.cfg:2]") || !strings.Contains(opinion.Output, "nonsense") {
		t.Errorf("the output does not name the line: %s", opinion.Output)
	}
	if _, err := os.Stat(s.ConfigFile()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused configuration is in place: %v", err)
	}
}

func TestStoreChecksNothingWhereNothingIsInPlace(t *testing.T) {
	err := openStore(t, t.TempDir()).Check(t.Context())
	if opinion := (*haproxy.RefusedError)(nil); !errors.As(err, &opinion) {
		t.Errorf("got %v, want a RefusedError", err)
	}
}

func TestStoreWithoutHAProxySaysSo(t *testing.T) {
	s, err := haproxy.OpenStore(t.TempDir(), "/nowhere/haproxy")
	if err != nil {
		t.Fatal(err)
	}
	err = write(t, s, refused).Check(t.Context())
	if opinion := (*haproxy.RefusedError)(nil); err == nil || errors.As(err, &opinion) {
		t.Fatalf("got %v, want an error that is not HAProxy's", err)
	}
	if !strings.Contains(err.Error(), "run /nowhere/haproxy") {
		t.Errorf("the error does not name the program: %v", err)
	}
}

func TestStorePutsTheOneBeforeBack(t *testing.T) {
	s := openStore(t, t.TempDir())
	if err := activate(t, write(t, s, config("127.0.0.1:1", "one")))(); err == nil {
		t.Error("putting back the one before the first answers no error")
	}
	back := activate(t, write(t, s, config("127.0.0.1:1", "two")))
	if err := back(); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(s.ConfigFile()); !strings.Contains(string(content), "str(one)") {
		t.Errorf("in place is\n%s", content)
	}
}

func TestStoreKeepsTheOneInPlaceAndTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	for _, name := range []string{"one", "two", "three", "four"} {
		activate(t, write(t, s, config("127.0.0.1:1", name)))
	}
	if diff := cmp.Diff([]string{"3", "4"}, names(t, filepath.Join(dir, "gen"))); diff != "" {
		t.Error(diff)
	}
}

func TestStoreGoesOnAfterACrashAtAnyLine(t *testing.T) {
	for _, row := range []struct {
		crash string
		leave func(t *testing.T, dir string, s *haproxy.Store)
	}{
		{"while the files were written", func(t *testing.T, dir string, s *haproxy.Store) {
			write(t, s, map[string][]byte{"haproxy.cfg": []byte("glo")})
		}},
		{"before the folder had a file", func(t *testing.T, dir string, s *haproxy.Store) {
			if err := os.Mkdir(filepath.Join(dir, "gen", "7"), 0o755); err != nil {
				t.Fatal(err)
			}
		}},
		{"before the link was renamed", func(t *testing.T, dir string, s *haproxy.Store) {
			if err := os.Symlink("gen/1", filepath.Join(dir, "next")); err != nil {
				t.Fatal(err)
			}
		}},
		{"between checking and discarding", func(t *testing.T, dir string, s *haproxy.Store) { write(t, s, refused) }},
	} {
		t.Run(row.crash, func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, dir)
			activate(t, write(t, s, config("127.0.0.1:1", "before")))
			row.leave(t, dir, s)

			s = openStore(t, dir)
			if err := s.Check(t.Context()); err != nil {
				t.Fatalf("what was in place is not any more: %v", err)
			}
			activate(t, write(t, s, config("127.0.0.1:1", "after")))
			if content, _ := os.ReadFile(s.ConfigFile()); !strings.Contains(string(content), "str(after)") {
				t.Errorf("in place is\n%s", content)
			}
			if got := names(t, filepath.Join(dir, "gen")); len(got) != 2 {
				t.Errorf("folders left: %v", got)
			}
		})
	}
}

func TestDiscardRemovesTheFiles(t *testing.T) {
	dir := t.TempDir()
	g := write(t, openStore(t, dir), refused)
	if err := g.Discard(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, filepath.Join(dir, "gen")); len(got) != 0 {
		t.Errorf("folders left: %v", got)
	}
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}
