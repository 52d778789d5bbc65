package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCertificatesComeAndGoUnderLoad changes certificates in every way while clients of both versions of HTTP go on.
func TestCertificatesComeAndGoUnderLoad(t *testing.T) {
	a := newAuthority(t, "Conformance")
	first, renewed := a.issue(t, "a.test"), a.issue(t, "a.test")
	p := startSecure(t, a, map[string][]byte{"certs/a.test.pem": first.pem, "certs/b.test.pem": a.issue(t, "b.test").pem}, "HARD_STOP_AFTER=60")
	p.must(t, "svc", serve(t, "svc"), "serviceDomain=a.test,b.test,c.test")
	load, reloads := p.load(t), p.reloads(t)
	atRuntime := func(name string, change func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			change(t)
			if now := p.reloads(t); now != reloads {
				t.Errorf("%d reloads, want none", now-reloads)
			}
			if dials := load.dials.Load(); dials != 1 {
				t.Errorf("the client that wants one connection opened %d", dials)
			}
		})
	}
	atRuntime("a file is renewed", func(t *testing.T) {
		p.put(t, "certs/a.test.pem", renewed.pem)
		t.Logf("in force after %s", p.await(t, "a.test", renewed))
	})
	atRuntime("one is put", func(t *testing.T) { p.takesWhatIsPut(t, "c.test") })
	atRuntime("what is put cannot be used", func(t *testing.T) { p.refusesWhatIsPut(t, first) })
	atRuntime("a file is broken", func(t *testing.T) {
		p.put(t, "certs/a.test.pem", renewed.pem[:len(renewed.pem)/2])
		p.awaitProblem(t, "a.test.pem", true)
		if got := p.served(t, "a.test").SerialNumber.String(); got != renewed.serial {
			t.Error("the certificate that was good is not served any more")
		}
		p.put(t, "certs/a.test.pem", renewed.pem)
		p.awaitProblem(t, "a.test.pem", false)
	})
	atRuntime("one is removed", func(t *testing.T) {
		if err := os.Remove(filepath.Join(p.dir, "certs/b.test.pem")); err != nil {
			t.Fatal(err)
		}
		p.await(t, "b.test", renewed)
	})
	t.Run("another one is the default", func(t *testing.T) {
		front := a.issue(t, "front.test")
		p.put(t, "certs/0.pem", front.pem)
		p.await(t, "", front)
		if got := p.served(t, "a.test").SerialNumber.String(); got != renewed.serial {
			t.Error("a.test has lost its certificate")
		}
		load.goOn(t) // over the reload
		if now := p.reloads(t); now != reloads+1 {
			t.Errorf("%d reloads, want one", now-reloads)
		}
	})
	load.end(t)
}

// takesWhatIsPut gives a certificate to the API, then another one in its place.
func (p *proxy) takesWhatIsPut(t *testing.T, host string) {
	t.Helper()
	for range 2 {
		c := p.authority.issue(t, host)
		p.mustPut(t, host+".pem", c)
		if got := p.served(t, host).SerialNumber.String(); got != c.serial {
			t.Error("PUT cert is answered before the certificate is in force")
		}
		p.keepsSecret(t, c)
	}
	info, err := os.Stat(filepath.Join(p.dir, "certs", host+".pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v %v", info, err)
	}
}

// refusesWhatIsPut gives the API what is no certificate, and a good one by names that are none.
func (p *proxy) refusesWhatIsPut(t *testing.T, good issued) {
	t.Helper()
	for name, content := range map[string][]byte{"x.pem": []byte("x"), "empty.pem": nil, "big.pem": bytes.Repeat([]byte("x"), 1<<20), "keyless.pem": p.authority.pem,
		"../x.pem": good.pem, "sub/x.pem": good.pem, ".x.pem": good.pem, "..": good.pem, "x\n.pem": good.pem, "x\x00.pem": good.pem, "": good.pem} {
		before := p.files(t)
		if r := p.putCert(t, name, content); r.Code != http.StatusBadRequest || r.Status != "NOK" || r.Message == "" {
			t.Errorf("PUT cert %q: %+v, want 400", name, r)
		}
		if now := p.files(t); !slices.Equal(before, now) {
			t.Errorf("PUT cert %q left a file: %v, before %v", name, now, before)
		}
	}
}

func TestACertificateOfTheAPIAndABrokenFileSurviveAKill(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "Conformance")
	good, put := a.issue(t, "a.test"), a.issue(t, "c.test")
	p := startSecure(t, a, map[string][]byte{"certs/a.test.pem": good.pem})
	p.mustPut(t, "c.test.pem", put)
	p.put(t, "certs/a.test.pem", []byte("x"))
	p.awaitProblem(t, "a.test.pem", true)
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.command.Wait() // killed
	p.run(t)
	for name, want := range map[string]issued{"c.test": put, "a.test": good} {
		if got := p.served(t, name).SerialNumber.String(); got != want.serial {
			t.Errorf("after the start %s has another certificate", name)
		}
	}
	p.awaitProblem(t, "a.test.pem", true)
}

// TestACertificateThatHAProxyRefusesLeavesTheOthersAlone gives one that parses, but whose key is too weak for OpenSSL.
func TestACertificateThatHAProxyRefusesLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "Conformance")
	good, weak := a.issue(t, "a.test"), a.issueWeak(t, "weak.test")
	p := startSecure(t, a, map[string][]byte{"certs/a.test.pem": good.pem, "certs/weak.pem": weak.pem})
	p.awaitProblem(t, "weak.pem", true)
	reloads := p.reloads(t)
	if r := p.putCert(t, "a.test.pem", a.issueWeak(t, "a.test").pem); r.Code != http.StatusBadRequest || !strings.Contains(r.Message, "HAProxy refuses it") {
		t.Errorf("PUT of a weak key: %+v", r)
	}
	p.awaitProblem(t, "a.test.pem", false) // the file is as it was
	next := a.issue(t, "c.test")
	p.mustPut(t, "c.test.pem", next)
	for name, want := range map[string]issued{"c.test": next, "a.test": good} {
		if got := p.served(t, name).SerialNumber.String(); got != want.serial {
			t.Errorf("%s has another certificate", name)
		}
	}
	if now := p.reloads(t); now != reloads {
		t.Errorf("%d reloads for a certificate that was refused, want none", now-reloads)
	}
	p.must(t, "svc", serve(t, "svc"), "servicePath=/") // a change that needs a reload
	p.want(t, "/", "svc")
}

// TestWhatIsToldOfCertificates are the list of the API, the metric, and what is reported of one that expires.
func TestWhatIsToldOfCertificates(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "Conformance")
	end := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	p := startSecure(t, a, map[string][]byte{"certs/old.pem": a.issueUntil(t, end, "a.test", "*.a.test").pem})
	var list struct {
		Status string
		Certs  []struct {
			ServiceName, CertsDir, Origin string
			Hosts                         []string
			NotAfter                      time.Time
		}
	}
	if err := json.Unmarshal([]byte(p.text(t, "certs", nil)), &list); err != nil || len(list.Certs) != 1 {
		t.Fatalf("certs: %+v %v", list, err)
	}
	c := list.Certs[0]
	if c.ServiceName != "old.pem" || c.CertsDir != p.dir+"/certs" || !slices.Equal(c.Hosts, []string{"a.test", "*.a.test"}) || !c.NotAfter.Equal(end) || c.Origin != p.dir+"/certs/old.pem" {
		t.Errorf("certs: %+v", c)
	}
	if text, want := p.body(t, "metrics"), fmt.Sprintf(`{certificate="old.pem",origin="%s/certs/old.pem"} %g`, p.dir, float64(end.Unix())); !strings.Contains(text, "sluice_proxy_certificate_not_after_seconds"+want) {
		t.Errorf("no metric %s", want)
	}
	if text := fmt.Sprintf("%+v", p.problems(t)); !strings.Contains(text, "expires soon") {
		t.Errorf("problems: %s", text)
	}
}

// await waits until a host has this certificate and answers how long that took.
func (p *proxy) await(t *testing.T, name string, want issued) time.Duration {
	t.Helper()
	began := time.Now()
	for p.served(t, name).SerialNumber.String() != want.serial {
		if time.Since(began) > time.Minute {
			t.Fatalf("%q never gets its certificate; problems: %+v", name, p.problems(t))
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

// awaitProblem waits until a problem is reported of a certificate, or no longer.
func (p *proxy) awaitProblem(t *testing.T, name string, present bool) {
	t.Helper()
	about := func(one problem) bool { return one.Service == "(certificates)" && one.Label == p.dir+"/certs/"+name }
	for deadline := time.Now().Add(time.Minute); slices.ContainsFunc(p.problems(t), about) != present; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a problem of %s is reported: %t, want %t: %+v", name, !present, present, p.problems(t))
		}
	}
}

func (p *proxy) putCert(t *testing.T, name string, content []byte) (r reply) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPut, p.url("cert", url.Values{"certName": {name}}), bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	r.Code = response.StatusCode
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

func (p *proxy) mustPut(t *testing.T, name string, c issued) {
	t.Helper()
	if r := p.putCert(t, name, c.pem); r.Code != http.StatusOK || r.Status != "OK" {
		t.Fatalf("PUT cert %s: %+v", name, r)
	}
}

// reloads counts those since the controller was started.
func (p *proxy) reloads(t *testing.T) (n int) {
	t.Helper()
	_, line, _ := strings.Cut(p.body(t, "metrics"), "\nsluice_proxy_reloads_total ")
	if _, err := fmt.Sscan(line, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// files are those of the proxy's folder and of its certificates.
func (p *proxy) files(t *testing.T) (names []string) {
	t.Helper()
	for _, folder := range []string{p.dir, filepath.Join(p.dir, "certs"), filepath.Dir(p.dir)} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
	}
	return names
}
