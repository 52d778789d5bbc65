package conformance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority issues certificates for as long as a test lasts.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
	trust       *x509.CertPool
}

// issued is a certificate with its chain and its key.
type issued struct {
	pem    []byte // as a file for the proxy holds it
	serial string
	tls    tls.Certificate // for a client
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{key: newKey(t), trust: x509.NewCertPool()}
	template := &x509.Certificate{SerialNumber: newSerial(t), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.certificate = sign(t, template, template, a.key, a.key)
	a.pem = encode("CERTIFICATE", a.certificate.Raw)
	a.trust.AddCert(a.certificate)
	return a
}

// issue makes a certificate for the names, of which the first is its common name; it is valid for 90 days.
func (a *authority) issue(t *testing.T, names ...string) issued {
	t.Helper()
	return a.issueUntil(t, time.Now().Add(90*24*time.Hour), names...)
}

func (a *authority) issueUntil(t *testing.T, end time.Time, names ...string) issued {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: newSerial(t), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, NotBefore: end.Add(-91 * 24 * time.Hour), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	leaf := sign(t, template, a.certificate, key, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	i := issued{pem: append(append(encode("CERTIFICATE", leaf.Raw), a.pem...), encode("PRIVATE KEY", der)...), serial: leaf.SerialNumber.String()}
	if i.tls, err = tls.X509KeyPair(i.pem, i.pem); err != nil {
		t.Fatal(err)
	}
	return i
}

// issueWeak makes a certificate with a key that OpenSSL finds too short by default (security level 2).
func (a *authority) issueWeak(t *testing.T, name string) issued {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: newSerial(t), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return issued{pem: append(encode("CERTIFICATE", der), encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))...), serial: template.SerialNumber.String()}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newSerial(t *testing.T) *big.Int {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	return serial
}

func sign(t *testing.T, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// put writes a file of the proxy in one step, as those do that renew certificates.
func (p *proxy) put(t *testing.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	aside := filepath.Join(filepath.Dir(path), ".next") // is passed over while it is written
	if err := os.WriteFile(aside, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(aside, path); err != nil {
		t.Fatal(err)
	}
}

// shake shakes hands at an entry and answers what was agreed. Without a name the client names no host.
func shake(t *testing.T, port int, name string, offer ...string) (tls.ConnectionState, error) {
	t.Helper()
	// The certificate is looked at by the test: without a name a client could not check it.
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: time.Minute}, Config: &tls.Config{ServerName: name, NextProtos: offer, InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(t.Context(), "tcp", (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String())
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState(), nil
}

// served is the certificate that a client gets who names a host, or none.
func (p *proxy) served(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	state, err := shake(t, p.tls, name)
	if err != nil {
		t.Fatalf("TLS for %q: %v", name, err)
	}
	return state.PeerCertificates[0]
}
