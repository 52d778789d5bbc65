package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/internal/daemon"
)

// certAnswer is the body of Docker Flow Proxy's answers about certificates.
type certAnswer struct {
	Status  string `json:"Status"` // OK or NOK
	Message string `json:"Message"`
	Certs   []cert `json:"Certs"`
}

// cert tells of a certificate everything but what is in it.
type cert struct {
	ServiceName string    `json:"ServiceName"` // its name, where Docker Flow Proxy puts it
	CertsDir    string    `json:"CertsDir"`
	Hosts       []string  `json:"Hosts"`
	NotAfter    time.Time `json:"NotAfter"`
	Origin      string    `json:"Origin"` // its file, or the service and its label
	Used        bool      `json:"Used"`   // false where one for the same hosts comes first
}

func (a api) handleCert(mux *http.ServeMux) {
	mux.HandleFunc("PUT "+dfpPath+"cert", a.guard.Changing(a.putCert))
	mux.HandleFunc("GET "+dfpPath+"certs", a.certs)
}

// putCert keeps the certificate and its key, which are the body, and answers when they are in force.
func (a api) putCert(w http.ResponseWriter, r *http.Request) {
	message, err := a.takeCert(w, r)
	if err == nil {
		daemon.Answer(w, http.StatusOK, certAnswer{Status: "OK", Message: message})
		return
	}
	code := http.StatusInternalServerError
	if refused := (refusal{}); errors.As(err, &refused) {
		code = refused.code
	}
	daemon.Answer(w, code, certAnswer{Status: "NOK", Message: err.Error()})
}

// takeCert answers what there is to say about a certificate that was taken.
func (a api) takeCert(w http.ResponseWriter, r *http.Request) (message string, err error) {
	name := r.URL.Query().Get("certName")
	if name == "" {
		return "", refusal{http.StatusBadRequest, "certName is missing"}
	}
	how, err := distribution(map[string]string{"distribute": r.URL.Query().Get("distribute")}, nil)
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCertificate))
	if err != nil {
		return "", refusal{http.StatusBadRequest, fmt.Sprintf("read the certificate: %v", err)}
	}
	c, err := newCertificate(a.certDir, name, content) // which refuses a name that would lead elsewhere
	if err != nil {
		return "", refusal{http.StatusBadRequest, "the certificate " + err.Error()}
	}
	v, err := a.keepCert(r.Context(), c, how)
	if err != nil {
		return "", err
	}
	note, err := a.passOn(r.Context(), certificatesKind, name, how)
	return joined(v.saysOf(c), note), err
}

// keepCert writes a certificate and waits until it is in force; one that HAProxy refuses is taken back. The siblings hear
// of it only then.
func (a api) keepCert(ctx context.Context, c certificate, how spread) (*view, error) {
	before, _ := readBounded(c.path, maxCertificate) // nil: there was none that could be used
	a.certificates.hold(c.Name)
	written := false
	v, err := a.change(ctx, func() (uint64, error) {
		if err := writeWhole(c.path, c.PEM); err != nil {
			return 0, fmt.Errorf("write certificate: %w", err)
		}
		written = true
		return a.declared.askLook(), nil
	})
	switch {
	case !written:
		a.certificates.release(c.Name)
		return nil, err
	case err == nil && !v.takes(c):
		defer a.certificates.release(c.Name)
		if err := putBack(c, before); err != nil {
			return nil, err
		}
		a.again()
		return nil, refusal{http.StatusBadRequest, "the certificate is not used: " + cmp.Or(v.saysOf(c), "it was replaced meanwhile")}
	}
	if stamping := a.certificates.changed(c.Name, how == here); stamping != nil { // what is in force a moment later is passed on too
		err = errors.Join(err, fmt.Errorf("stamp certificate: %w", stamping))
	}
	a.siblings.changed()
	return v, err
}

// saysOf are the problems with a certificate's file.
func (v *view) saysOf(c certificate) string {
	var reasons []string
	for _, p := range v.Problems {
		if p.Service == certificatesOrigin && p.Label == c.path {
			reasons = append(reasons, p.Reason)
		}
	}
	return strings.Join(reasons, "; ")
}

// putBack undoes what a certificate that HAProxy refuses has changed, unless somebody has changed it again since.
func putBack(c certificate, before []byte) error {
	now, err := readBounded(c.path, maxCertificate)
	switch {
	case err != nil || !bytes.Equal(now, c.PEM):
		return nil
	case before == nil:
		err = os.Remove(c.path)
	default:
		err = writeWhole(c.path, before)
	}
	if err != nil {
		return fmt.Errorf("put back the certificate of before: %w", err)
	}
	return nil
}

// takes tells whether a certificate was taken with exactly this content.
func (v *view) takes(c certificate) bool {
	return slices.ContainsFunc(v.TLS, func(other certificate) bool { return other.path == c.path && other.sum == c.sum })
}

// certs lists the certificates in their order, never their keys.
func (a api) certs(w http.ResponseWriter, _ *http.Request) {
	answer := certAnswer{Status: "OK", Certs: []cert{}}
	for _, c := range a.view().TLS {
		dir := ""
		if c.path != "" {
			dir = filepath.Dir(c.path)
		}
		answer.Certs = append(answer.Certs, cert{ServiceName: c.Name, CertsDir: dir, Hosts: c.info.Hosts, NotAfter: c.info.NotAfter.UTC(), Origin: c.Origin, Used: c.used})
	}
	daemon.Answer(w, http.StatusOK, answer)
}
