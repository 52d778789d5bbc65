package haproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// Store keeps configurations as numbered folders; the link `current` names the one that HAProxy reads:
//
//	DIR/current -> gen/7
//	DIR/gen/7/haproxy.cfg, routes.map …
//
// The files of a configuration belong together, so they are put in place together, by renaming one link.
type Store struct {
	dir    string
	binary string
}

// OpenStore makes the folders that are missing. binary is the haproxy that judges configurations.
func OpenStore(dir, binary string) (*Store, error) {
	if err := os.MkdirAll(filepath.Join(dir, "gen"), 0o755); err != nil {
		return nil, fmt.Errorf("open configuration folder: %w", err)
	}
	return &Store{dir: dir, binary: binary}, nil
}

// ConfigFile is the path that HAProxy is started with.
func (s *Store) ConfigFile() string { return filepath.Join(s.dir, "current", "haproxy.cfg") }

// RefusedError is HAProxy's opinion of a configuration that it does not take.
type RefusedError struct {
	Output string // what `haproxy -c` wrote
}

func (e *RefusedError) Error() string { return "haproxy refuses the configuration: " + e.Output }

// Check judges the configuration in place; nil when there is one and HAProxy takes it.
func (s *Store) Check(ctx context.Context) error { return s.check(ctx, s.ConfigFile()) }

func (s *Store) check(ctx context.Context, file string) error {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, s.binary, "-c", "-f", file)
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		return &RefusedError{Output: string(bytes.TrimSpace(output.Bytes()))}
	}
	if err != nil {
		return fmt.Errorf("run %s -c: %w", s.binary, err)
	}
	return nil
}

// Files reads the configuration in place.
func (s *Store) Files() (map[string][]byte, error) {
	files, dir := map[string][]byte{}, filepath.Dir(s.ConfigFile())
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if err == nil {
			files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name()))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return files, nil
}

// Generation is a configuration that is written but not in place.
type Generation struct {
	store *Store
	name  string // gen/7
}

// Write puts the files into a folder of their own. Nothing that runs is touched.
func (s *Store) Write(files map[string][]byte) (Generation, error) {
	next := 1
	for _, n := range s.generations() {
		next = max(next, n+1)
	}
	g := Generation{store: s, name: filepath.Join("gen", strconv.Itoa(next))}
	dir := filepath.Join(s.dir, g.name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return Generation{}, fmt.Errorf("write configuration: %w", err)
	}
	for name, content := range files {
		// HAProxy's workers read nothing after the start, so only its starter needs the right to read.
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return Generation{}, errors.Join(fmt.Errorf("write configuration: %w", err), g.Discard())
		}
	}
	return g, nil
}

// Check lets HAProxy judge the files where they are; a *RefusedError says what it does not take.
func (g Generation) Check(ctx context.Context) error {
	return g.store.check(ctx, filepath.Join(g.store.dir, g.name, "haproxy.cfg"))
}

// Discard removes the files again.
func (g Generation) Discard() error { return os.RemoveAll(filepath.Join(g.store.dir, g.name)) }

// Activate puts the configuration in place in one step and removes all older ones but the one that was in place, which
// back puts in place again.
func (g Generation) Activate() (back func() error, err error) {
	before, err := os.Readlink(filepath.Join(g.store.dir, "current"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("activate configuration: %w", err)
	}
	if err := g.store.link(g.name); err != nil {
		return nil, fmt.Errorf("activate configuration: %w", err)
	}
	for _, n := range g.store.generations() {
		if name := filepath.Join("gen", strconv.Itoa(n)); name != g.name && name != before {
			_ = os.RemoveAll(filepath.Join(g.store.dir, name)) // what stays is tried again next time
		}
	}
	return func() error {
		if before == "" {
			return errors.New("restore configuration: there was none before")
		}
		return g.store.link(before)
	}, nil
}

func (s *Store) link(name string) error {
	aside := filepath.Join(s.dir, "next")
	_ = os.Remove(aside) // left by a crash
	if err := os.Symlink(name, aside); err != nil {
		return err
	}
	return os.Rename(aside, filepath.Join(s.dir, "current"))
}

func (s *Store) generations() (numbers []int) {
	entries, _ := os.ReadDir(filepath.Join(s.dir, "gen")) // an unreadable folder makes Write fail with the reason
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
