package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"sluice/routing"
)

// ask answers which fixture server a path leads to, or the code.
func (p *proxy) ask(t *testing.T, path string) string {
	t.Helper()
	s := p.do(t, request{path: path})
	if s.code == http.StatusOK && s.answer.Service != "" {
		return s.answer.Service
	}
	return fmt.Sprint(s.code)
}

func (p *proxy) want(t *testing.T, path, want string) {
	t.Helper()
	if got := p.ask(t, path); got != want {
		t.Errorf("%s: got %s, want %s", path, got, want)
	}
}

// must declares a service on 127.0.0.1 and wants the API to say OK.
func (p *proxy) must(t *testing.T, service string, port int, parameters ...string) {
	t.Helper()
	r, err := p.reconfigure(service, append(parameters, "outboundHostname=127.0.0.1", fmt.Sprintf("port=%d", port))...)
	if err != nil || r.Code != http.StatusOK || r.Status != "OK" || r.ServiceName != service {
		t.Fatalf("reconfigure %s: %+v, %v", service, r, err)
	}
}

func (p *proxy) text(t *testing.T, action string, parameters url.Values) string {
	t.Helper()
	response, err := http.Get(p.url(action, parameters))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", action, response.StatusCode, body, err)
	}
	return string(body)
}

// TestLifeCycle follows one proxy through the cases in which services come, change and go.
func TestLifeCycle(t *testing.T) {
	t.Parallel()
	p := start(t)
	old, other := serve(t, "old"), serve(t, "other")
	t.Run("111", func(t *testing.T) {
		p.must(t, "old", old, "servicePath=/x")
		p.want(t, "/x", "old")
		r, err := p.reconfigure("nowhere", "servicePath=/nowhere", "port=8080", "outboundHostname=nowhere.invalid")
		if err != nil || r.Code != http.StatusOK || !strings.Contains(r.Message, "cannot be resolved") {
			t.Errorf("a name without address: %+v, %v", r, err)
		}
		p.want(t, "/nowhere", "503")
		p.want(t, "/x", "old")
	})
	t.Run("112", func(t *testing.T) {
		for _, row := range []struct {
			parameters url.Values
			want       int
		}{
			{url.Values{"servicePath": {"/y"}, "port": {"80"}}, http.StatusBadRequest},
			{url.Values{"serviceName": {"y"}, "port": {"80"}}, http.StatusConflict},
			{url.Values{"serviceName": {"y"}, "servicePath": {"/y"}}, http.StatusBadRequest},
		} {
			if r, err := p.call("reconfigure", row.parameters); err != nil || r.Code != row.want || r.Status != "NOK" || r.Message == "" {
				t.Errorf("%v: got %+v, %v, want %d", row.parameters, r, err, row.want)
			}
		}
	})
	t.Run("107", func(t *testing.T) {
		p.must(t, "old", old, "servicePath=/new")
		p.want(t, "/x", "503")
		p.want(t, "/new", "old")
	})
	t.Run("105", func(t *testing.T) {
		p.must(t, "other", other, "SERVICEPATH=/other")
		for _, name := range []string{"old", "old", "never-there"} {
			if r, err := p.call("remove", url.Values{"serviceName": {name}}); err != nil || r.Code != http.StatusOK {
				t.Errorf("remove %s: %+v, %v", name, r, err)
			}
		}
		p.want(t, "/new", "503")
		p.want(t, "/other", "other")
	})
	t.Run("what HAProxy refuses", func(t *testing.T) {
		r, err := p.reconfigure("refused", "servicePath=/refused", "port=80", "outboundHostname=127.0.0.1", "reqPathSearchReplace=(unclosed,/x")
		if err != nil || r.Code != http.StatusBadRequest || r.Status != "NOK" || !strings.Contains(r.Message, "HAProxy refuses") {
			t.Errorf("got %+v, %v", r, err)
		}
		p.want(t, "/refused", "503")
		p.want(t, "/other", "other")
		p.must(t, "later", old, "servicePath=/later")
		p.want(t, "/later", "old")
	})
	t.Run("114", func(t *testing.T) {
		if text := p.text(t, "config", nil); !strings.Contains(text, "frontend services\n") || !strings.Contains(text, "backend other-be") {
			t.Errorf("config:\n%s", text)
		}
		var services map[string]struct {
			AclName     string
			ServiceDest []struct {
				ServicePath []string
				Port        string
			}
			Labels map[string]string
		}
		err := json.Unmarshal([]byte(p.text(t, "config", url.Values{"type": {"JSON"}})), &services)
		if s := services["other"]; err != nil || len(s.ServiceDest) != 1 || fmt.Sprint(s.ServiceDest[0].ServicePath) != "[/other]" || s.ServiceDest[0].Port == "" || s.AclName != "other" || s.Labels["servicePath"] != "/other" {
			t.Errorf("config as JSON: %v %v", services, err)
		}
		for _, action := range []string{"ping", "reload", "successfulinitreload"} {
			if r, err := p.call(action, nil); err != nil || r.Code != http.StatusOK || r.Status != "OK" {
				t.Errorf("%s: %+v, %v", action, r, err)
			}
		}
		if text := p.text(t, "metrics", nil); !strings.HasPrefix(text, "# pxname,svname,") || !strings.Contains(text, "\nother-be") {
			t.Errorf("metrics:\n%s", text)
		}
	})
}

func TestWhatTheAPIGaveSurvivesARestart(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.must(t, "kept", serve(t, "kept"), "servicePath=/kept")
	p.must(t, "gone", serve(t, "gone"), "servicePath=/gone")
	if r, err := p.call("remove", url.Values{"serviceName": {"gone"}}); err != nil || r.Code != http.StatusOK {
		t.Fatalf("remove: %+v, %v", r, err)
	}
	stop(p.command)
	p.run(t)
	p.want(t, "/kept", "kept")
	p.want(t, "/gone", "503")

	stop(p.command)
	if err := os.WriteFile(p.dir+"/services.json", []byte(`{"version":1,`), 0o600); err != nil {
		t.Fatal(err)
	}
	p.run(t) // it starts, and keeps the broken file for whoever mends it
	if _, err := os.Stat(p.dir + "/services.json.broken"); err != nil {
		t.Error(err)
	}
	p.must(t, "new", serve(t, "new"), "servicePath=/new")
	p.want(t, "/new", "new")
}

// TestServicesOfTheEnvironment is case 101.
func TestServicesOfTheEnvironment(t *testing.T) {
	t.Parallel()
	p := start(t, "DFP_SERVICE_1_SERVICE_NAME=one", "DFP_SERVICE_1_SERVICE_PATH=/one", fmt.Sprintf("DFP_SERVICE_1_PORT=%d", serve(t, "one")), "DFP_SERVICE_1_OUTBOUND_HOSTNAME=127.0.0.1",
		"DFP_SERVICE_SERVICE_NAME=two", "DFP_SERVICE_SERVICE_PATH_1=/a", fmt.Sprintf("DFP_SERVICE_PORT_1=%d", serve(t, "a")),
		"DFP_SERVICE_SERVICE_PATH_2=/b", fmt.Sprintf("DFP_SERVICE_PORT_2=%d", serve(t, "b")), "DFP_SERVICE_OUTBOUND_HOSTNAME=localhost")
	p.want(t, "/one", "one")
	p.want(t, "/a", "a")
	p.want(t, "/b", "b")
}

// TestSticky is case 96: two servers of one service, which listen on one port of two addresses.
func TestSticky(t *testing.T) {
	t.Parallel()
	if _, known := routing.Labels.Lookup("sessionType"); !known {
		t.Log("not built: 96 (com.df.sessionType)")
		return
	}
	p := start(t)
	port := serve(t, "first")
	serveAt(t, "second", fmt.Sprintf("127.0.0.2:%d", port))
	r, err := p.reconfigure("svc", "servicePath=/", "sessionType=sticky-server", fmt.Sprintf("port=%d", port), "outboundHostname=127.0.0.1,127.0.0.2")
	if err != nil || r.Code != http.StatusOK {
		t.Fatalf("reconfigure: %+v, %v", r, err)
	}
	fresh := func(lines ...string) (service, cookie string) {
		t.Helper()
		s := p.do(t, request{path: "/", header: lines})
		if got := s.answer.Header.Get("Cookie"); strings.Contains(got, "svc=") {
			t.Errorf("the backend sees the cookie %q", got)
		}
		cookie, _, _ = strings.Cut(s.header.Get("Set-Cookie"), ";")
		if cookie != "" && (!strings.HasPrefix(cookie, "svc=") || !strings.Contains(s.header.Get("Set-Cookie"), "path=/")) {
			t.Errorf("Set-Cookie: %s", s.header.Get("Set-Cookie"))
		}
		return s.answer.Service, cookie
	}
	a, cookie := fresh()
	if b, _ := fresh(); a == b || cookie == "" {
		t.Errorf("without a cookie both requests go to %s, the cookie is %q", a, cookie)
	}
	for range 3 {
		if again, another := fresh("Cookie: " + cookie); again != a || another != "" {
			t.Errorf("with the cookie of %s: %s answers and sets %q", a, again, another)
		}
	}
	if service, another := fresh("Cookie: svc=svc_9"); service == "" || another == "" {
		t.Errorf("with the cookie of a server that is gone: %q answers and sets %q", service, another)
	}
}
