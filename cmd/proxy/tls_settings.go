package main

import (
	"fmt"
	"path"
	"path/filepath"

	"sluice/routing"
)

// tlsSettings say how TLS ends here.
type tlsSettings struct {
	PreferredCertificate []string `env:"PREFERRED_CERTIFICATE" placeholder:"NAME" help:"Names of certificates, also with * and ?, that come before all others; the first certificate answers clients that no other one fits."`
	CAFile               string   `name:"ca-file" env:"CA_FILE" placeholder:"FILE" help:"Authorities (PEM) that the certificates of clients must come from."`
	CrtListPath          string   `env:"CRT_LIST_PATH" placeholder:"FILE" help:"HAProxy's own list of certificates, beside those that the proxy finds."`
	EnableH2             bool     `name:"enable-h2" env:"ENABLE_H2" default:"true" negatable:"" help:"Offer HTTP/2 to TLS clients."`
	SSLBindOptions       string   `name:"ssl-bind-options" env:"SSL_BIND_OPTIONS" placeholder:"WORDS" help:"What TLS clients must speak, in the words of HAProxy's bind; by default ssl-min-ver TLSv1.2."`
	SSLBindCiphers       string   `name:"ssl-bind-ciphers" env:"SSL_BIND_CIPHERS" placeholder:"LIST" help:"Ciphers up to TLS 1.2 as OpenSSL names them; by default those with forward secrecy of Mozilla's intermediate configuration."`
}

// check refuses what HAProxy could not take at any time.
func (s tlsSettings) check() error {
	for _, glob := range s.PreferredCertificate {
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf("PREFERRED_CERTIFICATE: is not a name or a glob, got %q", glob)
		}
	}
	if s.CAFile != "" {
		if _, err := readAuthorities(s.CAFile); err != nil {
			return fmt.Errorf("CA_FILE: cannot be used: %w", err)
		}
	}
	if s.CrtListPath != "" {
		if _, err := readBounded(s.CrtListPath, maxAuthorities); err != nil {
			return fmt.Errorf("CRT_LIST_PATH: cannot be used: %w", err)
		}
	}
	if err := routing.CheckBindOptions(s.SSLBindOptions); err != nil {
		return fmt.Errorf("SSL_BIND_OPTIONS: %w", err)
	}
	if err := routing.CheckCiphers(s.SSLBindCiphers); err != nil {
		return fmt.Errorf("SSL_BIND_CIPHERS: %w", err)
	}
	return nil
}

// tls says the settings in the words of routing.
func (s tlsSettings) tls() routing.TLS {
	return routing.TLS{CAFile: absolute(s.CAFile), CrtList: absolute(s.CrtListPath), H2: s.EnableH2, BindOptions: s.SSLBindOptions, Ciphers: s.SSLBindCiphers}
}

// absolute says a path from the root: HAProxy looks for its files from a folder of its own.
func absolute(file string) string {
	if file == "" {
		return ""
	}
	if full, err := filepath.Abs(file); err == nil {
		return full
	}
	return file
}
