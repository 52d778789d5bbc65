package swarmtest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/image"
)

//go:embed app/main.go
var appSource []byte

// Image returns the name of an image that holds nothing but the program of ./app. It is
// compiled once per version of its source and stays in the engine.
func Image(t testing.TB) string {
	t.Helper()
	need(t)
	name, err := appImage()
	if err != nil {
		t.Fatalf("make image: %v", err)
	}
	return name
}

var appImage = sync.OnceValues(func() (string, error) {
	c, err := engine()
	if err != nil {
		return "", err
	}
	ctx, cancel := limit()
	defer cancel()
	hash := sha256.Sum256(fmt.Append(appSource, runtime.Version(), runtime.GOARCH))
	name := fmt.Sprintf("sluice/swarmtest:%x", hash[:6])
	if _, err := c.docker.ImageInspect(ctx, name); err == nil {
		return name, nil
	}
	layer, err := compile(ctx)
	if err != nil {
		return "", err
	}
	answer, err := c.docker.ImageImport(ctx, image.ImportSource{Source: layer, SourceName: "-"}, name,
		image.ImportOptions{Changes: []string{`ENTRYPOINT ["/app"]`}})
	if err != nil {
		return "", err
	}
	defer answer.Close()
	if _, err := io.Copy(io.Discard, answer); err != nil {
		return "", err
	}
	_, err = c.docker.ImageInspect(ctx, name) // the answer is 200 before the work is done
	return name, err
})

// compile returns a tar with the static program as /app.
func compile(ctx context.Context) (io.Reader, error) {
	dir, err := os.MkdirTemp("", "swarmtest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "app")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "sluice/internal/swarm/swarmtest/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, out)
	}
	program, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	header := tar.Header{Name: "app", Mode: 0o755, Size: int64(len(program)), Typeflag: tar.TypeReg}
	if err := w.WriteHeader(&header); err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	return &layer, w.Close()
}
