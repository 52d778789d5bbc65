package routing_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/haproxy"
	"sluice/internal/haproxy/haproxytest"
	"sluice/routing"
)

// secured are settings with one entry that ends TLS.
func secured(address string, certificates ...routing.Certificate) routing.Settings {
	s := patient(address)
	s.Handover = "abns@sluice-" + address
	s.Entries[0].TLS = true
	s.TLS = routing.TLS{Certificates: certificates, H2: true}
	return s
}

// everyTLS are settings with all that can be set of TLS.
func everyTLS(t *testing.T) routing.Settings {
	t.Helper()
	a := newCertificate(t, "a.test")
	s := secured("127.0.0.1:443", a.named("a.test.pem"), newCertificate(t, "b.test").named("b"))
	dir := t.TempDir()
	s.TLS.CAFile, s.TLS.CrtList = filepath.Join(dir, "clients' $CA #1.pem"), filepath.Join(dir, `own "list" \.txt`)
	own := filepath.Join(dir, "own.pem")
	for file, content := range map[string][]byte{s.TLS.CAFile: a.root(), own: newCertificate(t, "own.test").pem(), s.TLS.CrtList: []byte(own + " own.test\n")} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.TLS.BindOptions, s.TLS.Ciphers = "ssl-min-ver TLSv1.3  no-tls-tickets prefer-client-ciphers strict-sni no-ca-names", "ECDHE+AESGCM:!aNULL:@SECLEVEL=2"
	return s
}

// shown is the leaf that clients see who ask for a host; "" is none.
func shown(t *testing.T, address, host string) string {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", address, &tls.Config{ServerName: host, InsecureSkipVerify: true})
	if err != nil {
		t.Fatalf("%s: %v", host, err)
	}
	defer conn.Close()
	peers := conn.ConnectionState().PeerCertificates
	return fmt.Sprintf("%s %x +%d", peers[0].Subject.CommonName, peers[0].SerialNumber, len(peers)-1)
}

// label is what shown answers for the certificate.
func (i issued) label() string {
	behind := 0
	for one := i.issuer; one != nil && one.issuer != nil; one = one.issuer {
		behind++
	}
	return fmt.Sprintf("%s %x +%d", i.leaf.Subject.CommonName, i.leaf.SerialNumber, behind)
}

func observeCertificates(t *testing.T, h *haproxytest.HAProxy) (c routing.Certificates) {
	t.Helper()
	var err error
	if c.List, err = routing.ParseCertificateList([]byte(h.Ask(routing.ShowCertificateList))); err != nil {
		t.Fatal(err)
	}
	var files []string
	files, c.Transaction = routing.ParseCertificateNames([]byte(h.Ask("show ssl cert")))
	c.Stored = map[string]routing.RunningCertificate{}
	for _, file := range files {
		if c.Stored[file], err = routing.ParseCertificateStatus([]byte(h.Ask("show ssl cert " + file))); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func tell(t *testing.T, h *haproxytest.HAProxy, c routing.Command) string {
	t.Helper()
	if c.Payload == nil {
		return h.Ask(c.Line)
	}
	answer, err := h.Master.AskWith(t.Context(), h.Worker().PID, c.Line, c.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// TestCertificatesChangeWithoutAReload goes through what happens to certificates in their life, one after the other, while
// a connection stays open.
func TestCertificatesChangeWithoutAReload(t *testing.T) {
	authority := newCertificate(t, "authority")
	between := authority.issue(newKey(t), "between, 1/2")
	mended := between.issue(newKey(t), "b.test")
	broken := mended
	broken.issuer = nil // what was sent without the certificate between
	a, a2, b, c, x := newCertificate(t, "a.test"), newCertificate(t, "a.test", "a.test", "new.a.test"), newCertificate(t, "b.test"), newCertificate(t, "c.test", "c.test", "*.c.test"), newCertificate(t, "x.test")
	address := haproxytest.Address(t)
	first := secured(address, a.named("a.test.pem"), b.named("b.pem"))
	h := haproxytest.Start(t, render(t, routing.Table{}, first).Files())
	worker := h.Worker().PID
	open, err := tls.Dial("tcp", address, &tls.Config{ServerName: "b.test", InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	for _, step := range []struct {
		change       string
		certificates []routing.Certificate
		want         map[string]issued // server name -> who answers
	}{
		{"nothing", first.TLS.Certificates, map[string]issued{"a.test": a, "b.test": b, "": a, "z.test": a, "c.test": a}},
		{"the default is renewed and names another host", []routing.Certificate{a2.named("a.test.pem"), b.named("b.pem")}, map[string]issued{"a.test": a2, "new.a.test": a2, "b.test": b, "": a2}},
		{"another one is renewed without its chain", []routing.Certificate{a2.named("a.test.pem"), broken.named("b.pem")}, map[string]issued{"a.test": a2, "b.test": broken}},
		{"the chain is mended", []routing.Certificate{a2.named("a.test.pem"), mended.named("b.pem")}, map[string]issued{"a.test": a2, "b.test": mended}},
		{"one comes between the others", []routing.Certificate{a2.named("a.test.pem"), c.named("c"), mended.named("b.pem")}, map[string]issued{"c.test": c, "x.c.test": c, "x.y.c.test": a2, "b.test": mended}},
		{"one takes the host of a later one", []routing.Certificate{a2.named("a.test.pem"), b.named("0.pem"), c.named("c"), mended.named("b.pem"), x.named("x.pem")}, map[string]issued{"b.test": b, "c.test": c, "x.test": x}},
		{"and gives it back", []routing.Certificate{a2.named("a.test.pem"), c.named("c"), mended.named("b.pem"), x.named("x.pem")}, map[string]issued{"b.test": mended, "c.test": c, "x.test": x}},
		{"others go", []routing.Certificate{a2.named("a.test.pem"), mended.named("b.pem")}, map[string]issued{"a.test": a2, "b.test": mended, "c.test": a2, "x.test": a2}},
		{"one is for fewer hosts", []routing.Certificate{a2.named("a.test.pem"), hosts(mended.named("b.pem"), "only.b.test")}, map[string]issued{"b.test": a2, "only.b.test": mended}},
	} {
		want := render(t, routing.Table{}, secured(address, step.certificates...))
		plan := routing.Diff(observe(t, h), want)
		if plan.Reload != "" {
			t.Fatalf("%s: reload because %s", step.change, plan.Reload)
		}
		for _, c := range plan.Commands {
			if answer := tell(t, h, c); !ok(c.Succeeded(answer)) {
				t.Errorf("%s: %q is answered %q", step.change, c.Line, answer)
			}
		}
		if plan := routing.Diff(observe(t, h), want); plan.Reload != "" || len(plan.Commands) > 0 {
			t.Errorf("%s: something is left to do: %+v", step.change, plan)
		}
		for host, answering := range step.want {
			if got := shown(t, address, host); got != answering.label() {
				t.Errorf("%s: %q is answered by %s, want %s", step.change, host, got, answering.label())
			}
		}
	}
	_ = open.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprint(open, "GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n")
	if n, err := open.Read(make([]byte, 100)); n == 0 {
		t.Errorf("the connection that was open all the time got nothing: %v", err)
	}
	if got := h.Worker().PID; got != worker {
		t.Errorf("worker %d was replaced by %d", worker, got)
	}
}

func ok(good, _ bool) bool { return good }

func hosts(c routing.Certificate, hosts ...string) routing.Certificate {
	c.Hosts = hosts
	return c
}

func TestOnlyTheDefaultAndWhatIsTooLargeNeedsAReload(t *testing.T) {
	a, b := newCertificate(t, "a.test"), newCertificate(t, "b.test")
	large, tooLarge := chained(t, 12), chained(t, 40)
	for _, row := range []struct {
		change        string
		before, after []routing.Certificate
		reload        bool
	}{
		{"the first certificate comes", nil, []routing.Certificate{a.named("a.pem")}, true},
		{"the last certificate goes", []routing.Certificate{a.named("a.pem")}, nil, true},
		{"another one becomes the default", []routing.Certificate{a.named("a.pem"), b.named("b.pem")}, []routing.Certificate{b.named("b.pem"), a.named("a.pem")}, true},
		{"the default is for other hosts", []routing.Certificate{hosts(a.named("a.pem"), "a.test")}, []routing.Certificate{hosts(a.named("a.pem"), "b.test")}, true},
		{"a long chain fits", []routing.Certificate{a.named("a.pem")}, []routing.Certificate{a.named("a.pem"), large.named("b.pem")}, false},
		{"a very long one does not", []routing.Certificate{a.named("a.pem")}, []routing.Certificate{a.named("a.pem"), tooLarge.named("b.pem")}, true},
		{"many hosts fit on several lines", []routing.Certificate{a.named("a.pem")}, []routing.Certificate{a.named("a.pem"), hosts(b.named("b.pem"), longNames(1000)...)}, false},
		{"all of them go", []routing.Certificate{a.named("a.pem"), hosts(b.named("b.pem"), longNames(1000)...)}, []routing.Certificate{a.named("a.pem"), b.named("b.pem")}, false},
	} {
		t.Run(row.change, func(t *testing.T) {
			address := haproxytest.Address(t)
			h := haproxytest.Start(t, render(t, routing.Table{}, secured(address, row.before...)).Files())
			want := render(t, routing.Table{}, secured(address, row.after...))
			plan := routing.Diff(observe(t, h), want)
			if (plan.Reload != "") != row.reload {
				t.Errorf("reload because %q", plan.Reload)
			}
			for _, c := range plan.Commands {
				if answer := tell(t, h, c); !ok(c.Succeeded(answer)) {
					t.Errorf("%q is answered %q", c.Line, answer)
				}
			}
			if plan.Reload != "" {
				h.Put(want.Files())
			}
			if plan := routing.Diff(observe(t, h), want); plan.Reload != "" || len(plan.Commands) > 0 {
				t.Errorf("something is left to do: %+v", plan)
			}
		})
	}
}

// chained is a certificate at the end of a chain of n.
func chained(t *testing.T, n int) issued {
	t.Helper()
	one := newCertificate(t, "large.test")
	for range n {
		issuer := one
		one = issuer.issue(newKey(t), "large.test")
	}
	return one
}

// longNames are names of 40 letters.
func longNames(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("%s%04d.long.test", strings.Repeat("x", 26), i))
	}
	return names
}

func TestRefusedCertificateLeavesTheOldOneAndTheNextOnesFree(t *testing.T) {
	a, b := newCertificate(t, "a.test"), newCertificate(t, "b.test")
	address := haproxytest.Address(t)
	h := haproxytest.Start(t, render(t, routing.Table{}, secured(address, a.named("a.pem"), b.named("b.pem"))).Files())
	weak := weakCertificate(t, "b.test")
	plan := routing.Diff(observe(t, h), render(t, routing.Table{}, secured(address, a.named("a.pem"), weak.named("b.pem"))))
	refused := slices.IndexFunc(plan.Commands, func(c routing.Command) bool { return !ok(c.Succeeded(tell(t, h, c))) })
	if refused < 0 || plan.Commands[refused].Certificate != "b.pem" || plan.Commands[refused].Undo == "" {
		t.Fatalf("HAProxy took a weak key: %+v", plan)
	}
	if got := shown(t, address, "b.test"); got != b.label() {
		t.Errorf("answered by %s, want %s", got, b.label())
	}
	// nobody has undone it: the next plan does
	fresh := newCertificate(t, "a.test")
	plan = routing.Diff(observe(t, h), render(t, routing.Table{}, secured(address, fresh.named("a.pem"), b.named("b.pem"))))
	for _, c := range plan.Commands {
		if answer := tell(t, h, c); !ok(c.Succeeded(answer)) {
			t.Errorf("%q is answered %q", c.Line, answer)
		}
	}
	if got := shown(t, address, "a.test"); got != fresh.label() {
		t.Errorf("answered by %s, want %s", got, fresh.label())
	}
}

// weakCertificate has a key that OpenSSL's second level of security, Debian's, does not take.
func weakCertificate(t *testing.T, host string) issued {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return (&issued{t: t}).issue(key, host)
}

func TestBlameNamesTheCertificateThatHAProxyRefuses(t *testing.T) {
	haproxytest.Binary(t)
	a, weak := newCertificate(t, "a.test"), weakCertificate(t, "w.test")
	for name, list := range map[string][]routing.Certificate{
		"first": {weak.named("weak.pem"), a.named("a.pem")},
		"last":  {a.named("a.pem"), weak.named("weak.pem")},
	} {
		config := render(t, routing.Table{}, secured("127.0.0.1:1", list...))
		opinion := (*haproxy.RefusedError)(nil)
		if err := checkConfig(t.Context(), openStore(t), config); !errors.As(err, &opinion) {
			t.Fatalf("%s: got %v, want a RefusedError", name, err)
		}
		if got, reason, ok := routing.BlameCertificate(config, opinion.Output); !ok || got != "weak.pem" || !strings.Contains(reason, "weak.pem") {
			t.Errorf("%s: to blame is %q because %q, %v: %s", name, got, reason, ok, opinion.Output)
		}
		line := slices.IndexFunc(strings.Split(config.Text, "\n"), func(line string) bool { return strings.Contains(line, "use_backend") }) + 1
		if got, _, ok := routing.BlameCertificate(config, fmt.Sprintf("[ALERT] (7) : config : parsing [/x/haproxy.cfg:%d] : unknown word 'weak.pem'.", line)); ok {
			t.Errorf("%s: a word of a label is blamed on %s", name, got)
		}
		if backend, _, ok := routing.Blame(config, opinion.Output); ok {
			t.Errorf("%s: to blame is the backend %s", name, backend)
		}
	}
}
