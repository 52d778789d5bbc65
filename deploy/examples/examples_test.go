// Package examples asks each of the stack files beside it through one proxy: the right service must answer.
package examples

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	dockerswarm "github.com/docker/docker/api/types/swarm"

	"sluice/internal/swarm/swarmtest"
)

// site is a proxy of its own on the swarm, with a network of its own.
type site struct {
	t                *testing.T
	http, https, api string // HOST:PORT of the proxy
	container        string // of the proxy
	env              []string
	stacks           string // what the names of its stacks begin with
}

// examples are the stack files, and what is asked of each.
var examples = map[string]func(*site){"by-path": (*site).byPath, "by-host": (*site).byHost, "by-ip": (*site).byIP, "by-sni": (*site).bySNI}

func TestMultiplexing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	files, err := filepath.Glob("*.yml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(examples) {
		t.Errorf("%d are asked of the examples %v", len(examples), files)
	}
	s.deploy()
	for name, ask := range examples {
		t.Run(name, func(t *testing.T) { inner := *s; inner.t = t; ask(&inner) })
	}
	s.noProblems()
}

func newSite(t *testing.T) *site {
	t.Helper()
	swarmtest.Need(t)
	if os.Getenv("CI") == "" && exec.Command("docker", "image", "inspect", "sluice/proxy", "sluice/demo-app").Run() != nil {
		t.Skip("the images are not built: run `make ready` first")
	}
	network := swarmtest.Network(t).Name
	proxy := swarmtest.Start(t, swarmtest.Service{Image: "sluice/proxy", Networks: []string{network}, Ports: map[uint32]uint32{80: 0, 443: 0, 8080: 0},
		Env: []string{"NETWORK=" + network, "DRAIN_TIMEOUT=1s"},
		Edit: func(spec *dockerswarm.ServiceSpec) {
			// Probes are slow on a busy machine, and a proxy that is replaced for that has other ports.
			spec.TaskTemplate.ContainerSpec.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
			spec.TaskTemplate.ContainerSpec.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: "/var/run/docker.sock", Target: "/var/run/docker.sock", ReadOnly: true}}
		}})
	task := swarmtest.Running(t, proxy.ID, 1)[0].ID
	s := &site{t: t, http: swarmtest.HostPort(t, task, 80), https: swarmtest.HostPort(t, task, 443), api: swarmtest.HostPort(t, task, 8080), container: proxy.Name + ".1." + task}
	s.env = append(os.Environ(), "SLUICE_NETWORK="+network)
	_, port, _ := net.SplitHostPort(s.http)
	s.stacks = "sluicetest" + port + "-"
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the proxy says\n%s", swarmtest.Log(t, proxy.Name, 100))
		}
	})
	return s
}

// deploy deploys the examples as a user would, until the end of the test.
func (s *site) deploy() {
	s.t.Helper()
	var stacks []string
	s.t.Cleanup(func() {
		s.docker(append([]string{"stack", "rm"}, stacks...)...)
		s.await("the containers have ended", func() bool {
			return !slices.ContainsFunc(stacks, func(stack string) bool {
				return s.docker("ps", "--quiet", "--filter", "label=com.docker.stack.namespace="+stack) != ""
			})
		})
	})
	for name := range examples {
		stacks = append(stacks, s.stacks+name)
		s.docker("stack", "deploy", "--resolve-image", "never", "-c", name+".yml", s.stacks+name)
	}
}

func (s *site) docker(args ...string) string {
	s.t.Helper()
	var output, complaints bytes.Buffer
	c := exec.Command("docker", args...)
	c.Env, c.Stdout, c.Stderr = s.env, &output, &complaints
	if err := c.Run(); err != nil {
		s.t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, &complaints)
	}
	return strings.TrimSpace(output.String())
}

// await asks until it holds. The first task may take long to start on a busy machine.
func (s *site) await(what string, holds func() bool) {
	s.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(3 * time.Minute); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within 3m: %s", what)
		}
	}
}

// question is a request, and who must answer it: a service of the example, or nobody.
type question struct {
	url, host, want string
}

// asked sends each request until the right one answers, and then once more to all: none may change with the others.
func (s *site) asked(example string, questions []question) {
	s.t.Helper()
	for _, q := range questions {
		s.await(fmt.Sprintf("%s answers %s of %s", s.task(example, q.want), q.url, q.host), func() bool { return s.who(q) == s.task(example, q.want) })
	}
	for _, q := range questions {
		if got := s.who(q); got != s.task(example, q.want) {
			s.t.Errorf("%s of %s is answered by %q, want %q", q.url, q.host, got, s.task(example, q.want))
		}
	}
}

// task is the name that a service of an example signs with.
func (s *site) task(example, service string) string {
	if service == "" {
		return "nobody"
	}
	return s.stacks + example + "_" + service
}

// who is the task that answers; "nobody" where the proxy says that there is none, "" where nothing is said.
func (s *site) who(q question) string {
	request, err := http.NewRequest(http.MethodGet, q.url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Host = q.host
	return signature(http.DefaultTransport.RoundTrip(request))
}

func signature(response *http.Response, err error) string {
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode == http.StatusServiceUnavailable {
		return "nobody"
	}
	return response.Header.Get("X-Task")
}

func (s *site) byPath() {
	var questions []question
	for path, want := range map[string]string{"/one": "one", "/one/x": "one", "/two/": "two", "/zwei/drei": "two", "/two/three/": "three", "/two/threes": "two", "/ones": ""} {
		questions = append(questions, question{"http://" + s.http + path, "any.example.com", want})
	}
	s.asked("by-path", questions)
	request, err := http.NewRequest(http.MethodGet, "http://"+s.http+"/two/three/x", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Host = "any.example.com"
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	said, _ := io.ReadAll(response.Body)
	if want := s.task("by-path", "three") + " served /x "; !strings.HasPrefix(string(said), want) {
		s.t.Errorf("three says %q, want the path without its prefix: %q", said, want)
	}
}

func (s *site) byHost() {
	root := "http://" + s.http + "/"
	s.asked("by-host", []question{
		{root, "one.example.com", "one"}, {root, "ONE.example.com:8000", "one"}, {root, "two.example.com", "two"}, {root, "a.b.two.example.com", "two"},
		{root, "three.two.example.com", "three"}, {root, "four.example.com", ""},
	})
}

// byIP asks by the published port, where the host says the address, and from inside the proxy's network, where its
// connections come to the addresses themselves and the host is any.
func (s *site) byIP() {
	_, port, _ := net.SplitHostPort(s.http)
	first, second := "http://127.0.0.1:"+port+"/", "http://127.0.0.2:"+port+"/"
	s.asked("by-ip", []question{{first, "", "one"}, {second, "", "two"}, {"http://127.0.0.3:" + port + "/", "", ""}})
	if os.Getuid() != 0 {
		s.t.Log("only root can enter the network of the proxy: srcAddr is not asked")
		return
	}
	pid := s.docker("inspect", "--format", "{{.State.Pid}}", s.container)
	for address, want := range map[string]string{"127.0.0.1": "one", "127.0.0.2": "two", "127.0.0.3": ""} {
		c := exec.Command("nsenter", "--net", "--target", pid, "curl", "--silent", "--show-error", "--max-time", "20", "--header", "Host: any.example.com", "--include", "http://"+address+"/")
		output, err := c.CombinedOutput()
		if err != nil {
			s.t.Fatalf("curl %s: %v\n%s", address, err, output)
		}
		if want == "" {
			want = " 503 "
		} else {
			want = s.task("by-ip", want)
		}
		if !strings.Contains(string(output), want) {
			s.t.Errorf("who asks for any host at %s is answered\n%s\nwant %s", address, output, want)
		}
	}
}

// bySNI sees the certificates that the services made themselves: nobody between has decrypted.
func (s *site) bySNI() {
	for name, want := range map[string]string{"one.example.com": "one", "two.example.com": "two", "a.two.example.com": "two"} {
		var signed string
		s.await(name+" is answered over TLS", func() bool {
			var who string
			who, signed = s.overTLS(name)
			return who == s.task("by-sni", want)
		})
		if signed != want+".example.com" {
			s.t.Errorf("%s shows the certificate of %s", name, signed)
		}
	}
	if who, signed := s.overTLS("three.example.com"); who != "" || signed != "" {
		s.t.Errorf("three.example.com, which is nobody's, is answered by %s with the certificate of %s", who, signed)
	}
}

// overTLS is who answers, and whose certificate was shown; "" for none.
func (s *site) overTLS(name string) (who, signed string) {
	dialer := tls.Dialer{Config: &tls.Config{ServerName: name, InsecureSkipVerify: true}}
	transport := http.Transport{DisableKeepAlives: true, DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, "tcp", s.https)
		if err == nil {
			signed = conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
		}
		return conn, err
	}}
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+name+"/", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	who = signature(transport.RoundTrip(request))
	return who, signed
}

// noProblems wants every label of the examples to be used; the proxy sees the services of others, too.
func (s *site) noProblems() {
	response, err := http.Get("http://" + s.api + "/v1/routes")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var body struct {
		Problems []struct{ Service, Label, Reason string }
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		s.t.Fatal(err)
	}
	for _, p := range body.Problems {
		if !strings.HasPrefix(p.Service, s.stacks) {
			continue
		}
		s.t.Errorf("%s: %s: %s", p.Service, p.Label, p.Reason)
	}
}
