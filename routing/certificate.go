package routing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Certificate is a certificate with its chain and its private key.
type Certificate struct {
	Name  string   // of its file, stable over renewals: "a.test.pem"
	PEM   []byte   `json:"-"` // certificates, the leaf first, and the key
	Hosts []string // whom it is for, as crt-list filters; nil: whom the certificate itself names
	// Origin says where it came from, for comments and explain: a file, or the service and its label.
	Origin string
	// Service is whose label it is; "" for the operator's.
	Service string

	content *certificateContent // of PEM; nil before somebody has looked
}

// CertificateInfo is what a certificate says about itself.
type CertificateInfo struct {
	Subject     string   // common name; "" for none
	Hosts       []string // whom it names, in lower case: the DNS names and a common name that is one
	NotBefore   time.Time
	NotAfter    time.Time
	Fingerprint string // SHA-1 of the leaf in upper-case hexadecimal digits, as HAProxy shows it
}

// certificateContent is a certificate as HAProxy gets it.
type certificateContent struct {
	CertificateInfo
	pem   []byte   // leaf, chain, key, parameters of Diffie-Hellman, and nothing else: a blank line would end a command
	key   string   // kind of the key: a server may have one certificate of each kind for a host
	chain []string // common names of the certificates behind the leaf
}

// maxCertificatePEM bounds a PEM in bytes.
const maxCertificatePEM = 256 << 10

// ParseCertificate judges a certificate with its key, as files and labels have it: in any order, but the leaf in front
// of its chain. The error reads after what held it and repeats nothing of it.
func ParseCertificate(name string, content []byte) (Certificate, CertificateInfo, error) {
	c := Certificate{Name: name, PEM: content}
	if name == "" || strings.HasPrefix(name, ".") || len(name) > 200 || strings.ContainsFunc(name, func(r rune) bool { return !isWord(r) }) {
		return Certificate{}, CertificateInfo{}, errors.New("has a name other than letters, digits, '-', '_' and '.', or longer than 200 bytes")
	}
	parsed, err := parseCertificate(content)
	if err != nil {
		return Certificate{}, CertificateInfo{}, err
	}
	c.content = parsed
	return c, parsed.CertificateInfo, nil
}

func parseCertificate(content []byte) (*certificateContent, error) {
	if len(content) > maxCertificatePEM {
		return nil, fmt.Errorf("has %d bytes, more than %d", len(content), maxCertificatePEM)
	}
	var certificates []*x509.Certificate
	var key crypto.Signer
	var out, tail bytes.Buffer
	for rest := content; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		clean := &pem.Block{Type: block.Type, Bytes: block.Bytes}
		switch {
		case block.Type == "CERTIFICATE" || block.Type == "X509 CERTIFICATE":
			one, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("has a certificate that cannot be read (number %d)", len(certificates)+1)
			}
			certificates = append(certificates, one)
			clean.Type = "CERTIFICATE"
			_ = pem.Encode(&out, clean) // a buffer takes everything
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			if key != nil {
				return nil, errors.New("has more than one private key")
			}
			if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
				return nil, errors.New("has a private key with a password")
			}
			var err error
			if key, err = parseKey(block.Bytes); err != nil {
				return nil, err
			}
			// written anew, for OpenSSL is stricter than Go about what stands in a key beside it
			if clean.Bytes, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
				return nil, errors.New("has a private key that cannot be written")
			}
			clean.Type = "PRIVATE KEY"
			_ = pem.Encode(&tail, clean)
		case block.Type == "DH PARAMETERS":
			_ = pem.Encode(&tail, clean)
		}
	}
	switch {
	case len(certificates) == 0 && key == nil:
		return nil, errors.New("holds no PEM: neither a certificate nor a private key")
	case len(certificates) == 0:
		return nil, errors.New("has no certificate, only a private key")
	case key == nil:
		return nil, errors.New("has no private key")
	}
	public, ok := certificates[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(key.Public()) {
		return nil, errors.New("has a private key that is not that of its first certificate")
	}
	out.Write(tail.Bytes())
	return describe(certificates, out.Bytes()), nil
}

// parseKey says nothing of what it could not read, for that is a secret.
func parseKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("has a private key that cannot be read")
}

func describe(certificates []*x509.Certificate, clean []byte) *certificateContent {
	leaf := certificates[0]
	sum := sha1.Sum(leaf.Raw) // HAProxy tells certificates apart by it
	c := &certificateContent{pem: clean, CertificateInfo: CertificateInfo{Subject: leaf.Subject.CommonName, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter,
		Fingerprint: strings.ToUpper(hex.EncodeToString(sum[:]))}}
	for _, host := range append(slices.Clone(leaf.DNSNames), leaf.Subject.CommonName) {
		if host = strings.ToLower(host); isServerName(host) && !slices.Contains(c.Hosts, host) {
			c.Hosts = append(c.Hosts, host)
		}
	}
	switch leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		c.key = "rsa"
	case *ecdsa.PublicKey:
		c.key = "ecdsa"
	case ed25519.PublicKey:
		c.key = "ed25519"
	}
	for _, one := range certificates[1:] {
		c.chain = append(c.chain, one.Subject.CommonName)
	}
	return c
}

// isServerName tells what a client can send as server name and HAProxy takes as a filter: a host name, or one with "*"
// as its first label.
func isServerName(host string) bool {
	return checkHosts([]string{host}) == nil && !strings.HasPrefix(host, "[")
}

// parsed gives the content of a certificate that may not have been looked at.
func (c Certificate) parsed() (*certificateContent, error) {
	if c.content != nil {
		return c.content, nil
	}
	return parseCertificate(c.PEM)
}
