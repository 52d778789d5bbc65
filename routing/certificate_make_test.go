package routing_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"
	"time"

	"sluice/routing"
)

// issued is a certificate with its key and what signed it.
type issued struct {
	t      testing.TB
	leaf   *x509.Certificate
	key    crypto.Signer
	issuer *issued // nil: itself
}

// newCertificate makes one that is signed by itself. The first host is its common name.
func newCertificate(t testing.TB, hosts ...string) issued {
	t.Helper()
	return (&issued{t: t}).issue(newKey(t), hosts...)
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue signs a certificate for the hosts; an authority without a key lets it sign itself.
func (i *issued) issue(key crypto.Signer, hosts ...string) issued {
	i.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		i.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts[1:], NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour).Truncate(time.Second), BasicConstraintsValid: true, IsCA: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if len(hosts) == 1 {
		template.DNSNames = hosts
	}
	parent, signer, made := template, key, issued{t: i.t, key: key}
	if i.key != nil {
		parent, signer, made.issuer = i.leaf, i.key, i
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		i.t.Fatal(err)
	}
	if made.leaf, err = x509.ParseCertificate(der); err != nil {
		i.t.Fatal(err)
	}
	return made
}

// pem is the certificate, what signed it down to but not with the root, and the key.
func (i issued) pem() []byte {
	i.t.Helper()
	return slices.Concat(i.chain(), i.keyPEM())
}

func (i issued) chain() []byte {
	var b bytes.Buffer
	for one := &i; one != nil && (one == &i || one.issuer != nil); one = one.issuer {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: one.leaf.Raw})
	}
	return b.Bytes()
}

func (i issued) root() []byte {
	one := &i
	for one.issuer != nil {
		one = one.issuer
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one.leaf.Raw})
}

func (i issued) keyPEM() []byte {
	i.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// named is the certificate as the operator gives it.
func (i issued) named(name string) routing.Certificate {
	i.t.Helper()
	c, _, err := routing.ParseCertificate(name, i.pem())
	if err != nil {
		i.t.Fatal(err)
	}
	c.Origin = "/certs/" + name
	return c
}

// client is the certificate as a client shows it.
func (i issued) client() tls.Certificate {
	i.t.Helper()
	c, err := tls.X509KeyPair(i.chain(), i.keyPEM())
	if err != nil {
		i.t.Fatal(err)
	}
	return c
}
