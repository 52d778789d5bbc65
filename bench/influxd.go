package main

import (
	"bytes"
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
	"syscall"
	"time"
)

// influxd is a real InfluxDB 1.8 with an empty database.
type influxd struct {
	url string
	cmd *exec.Cmd
}

const database = "telegraf"

// storing starts an InfluxDB and waits until it answers; loading Flux takes it some seconds.
func storing(ctx context.Context, dir string) (*influxd, error) {
	binary, err := filepath.Abs(filepath.Join(".tools", "bin", "influxd"))
	if err != nil {
		return nil, err
	}
	if tools := os.Getenv("SLUICE_TOOLS"); tools != "" {
		binary = filepath.Join(tools, "influxd")
	}
	if dir, err = os.MkdirTemp(dir, "influxdb"); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	inner, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("reporting-disabled = true\nbind-address = %q\n[meta]\n  dir = %q\n[data]\n  dir = %q\n  wal-dir = %q\n[http]\n  bind-address = %q\n  flux-enabled = true\n  log-enabled = false\n",
		inner, filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), address)
	file := filepath.Join(dir, "influxdb.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	i := &influxd{url: "http://" + address, cmd: exec.Command(binary, "-config", file)}
	i.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := i.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if i.query("CREATE DATABASE "+database) == nil {
			return i, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			i.stop()
			return nil, fmt.Errorf("influxd does not start")
		}
	}
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
