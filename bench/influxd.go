package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sluice/internal/influx/influxtest"
)

// influxd is a real InfluxDB 1.8 with an empty database.
type influxd struct {
	url string
	cmd *exec.Cmd
}

const database = influxtest.Database

// storing starts an InfluxDB; loading Flux takes it some seconds.
func storing(dir string) (*influxd, error) {
	binary, err := filepath.Abs(filepath.Join(cmp.Or(os.Getenv("SLUICE_TOOLS"), filepath.Join(".tools", "bin")), "influxd"))
	if err != nil {
		return nil, err
	}
	if dir, err = os.MkdirTemp(dir, "influxdb"); err != nil {
		return nil, err
	}
	i := &influxd{}
	if i.cmd, i.url, err = influxtest.Launch(binary, dir, "127.0.0.1:0", true); err != nil {
		return nil, err
	}
	if err := i.query("CREATE DATABASE " + database); err != nil {
		i.stop()
		return nil, err
	}
	return i, nil
}

func (i *influxd) stop() {
	_ = i.cmd.Process.Kill()
	_ = i.cmd.Wait()
}

func (i *influxd) query(text string) error {
	return posted(http.PostForm(i.url+"/query", url.Values{"q": {text}}))
}

func (i *influxd) write(lines *bytes.Buffer) error {
	return posted(http.Post(i.url+"/write?db="+database, "text/plain", lines))
}

func posted(answer *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("HTTP status %d: %.200s", answer.StatusCode, body)
	}
	return err
}

// built compiles a command of the project.
func built(ctx context.Context, dir, command string) (string, error) {
	file := filepath.Join(dir, command)
	if output, err := exec.CommandContext(ctx, "go", "build", "-o", file, "./cmd/"+command).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %.500s", command, err, output)
	}
	return file, nil
}

// port is that of an address.
func port(address string) string {
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		return strings.TrimPrefix(address, ":")
	}
	return p
}
