package main

import (
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"sluice/internal/haproxy/haproxytest"
	"sluice/internal/swarm"
)

// certifiedNames answers whom the certificate names that a client of a host gets.
func certifiedNames(t *testing.T, address, host string) []string {
	t.Helper()
	// The certificate is signed by itself and looked at by the test.
	conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: host, InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].DNSNames
}

func TestCertificatesAreRenewedWhileTheSwarmIsAway(t *testing.T) {
	secure := haproxytest.Address(t)
	r := newRigAt(t, secure+":ssl")
	folder := certificatesDir(r.config.Dir)
	put(t, makeCertificate(t, time.Now().Add(60*24*time.Hour), "a.test", "old.test"), folder, "a.pem")
	r.swarm.services = []swarm.Service{r.service("web", 1, "servicePath=/")}
	r.swarm.tasks = []swarm.Task{r.task("web", 1, "first", "127.0.0.11")}
	r.settle()
	if got := certifiedNames(t, secure, "a.test"); len(got) != 2 || got[1] != "old.test" {
		t.Fatalf("the certificate names %v", got)
	}
	reloads := r.reloads()

	away := errors.New("the swarm is away")
	r.swarm.change(func() { r.swarm.err = away })
	put(t, makeCertificate(t, time.Now().Add(60*24*time.Hour), "a.test", "new.test"), folder, "a.pem")
	put(t, makeCertificate(t, time.Now().Add(60*24*time.Hour), "b.test"), folder, "b.pem")
	if _, err := r.loop.step(t.Context()); err == nil || err.Error() != away.Error() {
		t.Errorf("the step says %v, want that the swarm is away and nothing else", err)
	}
	if got := certifiedNames(t, secure, "a.test"); len(got) != 2 || got[1] != "new.test" {
		t.Errorf("the certificate names %v", got)
	}
	if got := certifiedNames(t, secure, "b.test"); len(got) != 1 || got[0] != "b.test" {
		t.Errorf("the new certificate names %v", got)
	}
	if got := r.get("/x"); got != "first /x" {
		t.Errorf("the route answers %q", got)
	}
	if now := r.reloads(); now != reloads {
		t.Errorf("%d reloads, want none", now-reloads)
	}
	r.swarm.change(func() { r.swarm.err = nil })
	r.settle()
	if now := r.reloads(); now != reloads {
		t.Errorf("%d reloads when the swarm was back, want none", now-reloads)
	}
}
