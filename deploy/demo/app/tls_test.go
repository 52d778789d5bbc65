package main

import (
	"crypto/x509"
	"testing"
)

func TestACertificateIsForItsNames(t *testing.T) {
	certificate, err := selfSigned([]string{"one.example.com", "*.two.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"one.example.com": true, "a.two.example.com": true, "two.example.com": false} {
		if err := leaf.VerifyHostname(name); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
