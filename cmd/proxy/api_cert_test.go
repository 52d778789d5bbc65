package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/internal/label"
	"sluice/routing"
)

// certAPI is an API whose reconciler has done everything already; now is what it shows.
func certAPI(t *testing.T, now func(dir string) *view) (handler http.Handler, dir string) {
	t.Helper()
	dir = t.TempDir()
	a := api{recent: http.NotFoundHandler(), gather: prometheus.NewRegistry(), declared: &declarations{}, certDir: dir, again: func() {},
		view: func() *view {
			v := now(dir)
			v.Declared = 1 << 60
			return v
		}}
	return a.handler(), dir
}

func call(t *testing.T, handler http.Handler, from, method, target string, body []byte) (code int, answer certAnswer) {
	t.Helper()
	r := httptest.NewRequest(method, target, bytes.NewReader(body))
	r.RemoteAddr = from
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code == http.StatusMethodNotAllowed {
		return w.Code, answer
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s %s: %d %s", method, target, w.Code, w.Body)
	}
	return w.Code, answer
}

func TestPutCertIsGuardedAndSaysWhatBecameOfTheCertificate(t *testing.T) {
	content := makeCertificate(t, time.Now().Add(60*24*time.Hour), "a.test")
	taken := func(dir string) *view {
		c, err := newCertificate(dir, "a.pem", content)
		if err != nil {
			t.Fatal(err)
		}
		return &view{TLS: []certificate{c}}
	}
	for _, row := range []struct {
		name         string
		from, method string
		now          func(dir string) *view
		code         int
		message      string
		kept         bool
	}{
		{"taken", "127.0.0.1:1", "PUT", taken, 200, "", true},
		{"by somebody else", "10.0.0.9:1", "PUT", taken, 403, "only requests from loopback may change something, for API_TOKEN is not set", false},
		{"another method", "127.0.0.1:1", "GET", taken, 405, "", false},
		{"taken, with something to say", "127.0.0.1:1", "PUT", func(dir string) *view {
			v := taken(dir)
			v.Problems = []label.Problem{{Service: certificatesOrigin, Label: filepath.Join(dir, "a.pem"), Reason: "expires soon"}, {Service: certificatesOrigin, Label: "other", Reason: "x"}}
			return v
		}, 200, "expires soon", true},
		{"refused by HAProxy", "127.0.0.1:1", "PUT", func(dir string) *view {
			return &view{Problems: []label.Problem{{Service: certificatesOrigin, Label: filepath.Join(dir, "a.pem"), Reason: "HAProxy refuses it"}}}
		}, 400, "the certificate is not used: HAProxy refuses it", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			handler, dir := certAPI(t, row.now)
			code, answer := call(t, handler, row.from, row.method, dfpPath+"cert?certName=a.pem", content)
			if code != row.code || answer.Message != row.message || (answer.Status == "OK") != (code == 200) {
				t.Errorf("got %d %+v, want %d %s", code, answer, row.code, row.message)
			}
			got, err := os.ReadFile(filepath.Join(dir, "a.pem"))
			if kept := err == nil && bytes.Equal(got, content); kept != row.kept {
				t.Errorf("the file is kept: %t, want %t", kept, row.kept)
			}
		})
	}
}

func TestACertificateThatIsRefusedLeavesTheOneBefore(t *testing.T) {
	handler, dir := certAPI(t, func(string) *view { return &view{} })
	before := []byte("before")
	file := put(t, before, dir, "a.pem")
	if code, answer := call(t, handler, "127.0.0.1:1", "PUT", dfpPath+"cert?certName=a.pem", makeCertificate(t, time.Now().Add(time.Hour), "a.test")); code != 400 {
		t.Errorf("got %d %+v", code, answer)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, before) {
		t.Errorf("the file holds %q, %v", got, err)
	}
}

func TestCertsAreListedWithoutTheirContent(t *testing.T) {
	end := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	info := routing.CertificateInfo{Hosts: []string{"a.test"}, NotAfter: end}
	handler, dir := certAPI(t, func(dir string) *view {
		return &view{TLS: []certificate{
			{Certificate: routing.Certificate{Name: "a.pem", PEM: []byte("secret"), Origin: dir + "/a.pem"}, info: info, path: dir + "/a.pem", used: true},
			{Certificate: routing.Certificate{Name: "svc", PEM: []byte("secret"), Origin: "svc com.df.serviceCert"}, info: info},
		}}
	})
	code, answer := call(t, handler, "10.0.0.9:1", "GET", dfpPath+"certs", nil)
	want := certAnswer{Status: "OK", Certs: []cert{
		{ServiceName: "a.pem", CertsDir: dir, Hosts: []string{"a.test"}, NotAfter: end, Origin: dir + "/a.pem", Used: true},
		{ServiceName: "svc", Hosts: []string{"a.test"}, NotAfter: end, Origin: "svc com.df.serviceCert"}}}
	if diff := cmp.Diff(want, answer); code != 200 || diff != "" {
		t.Errorf("%d %s", code, diff)
	}
}
