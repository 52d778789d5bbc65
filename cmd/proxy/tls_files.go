package main

import (
	"crypto/sha256"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/internal/label"
	"sluice/routing"
)

// tlsFiles are what TLS needs beside settings: the certificates of operator and services, and the authorities of clients.
type tlsFiles struct {
	certificates *certificates
	authorities  *authorities
	refused      map[digest]string      // certificates by content, and what HAProxy said of them
	services     map[digest]certificate // serviceCert labels that were parsed before
}

// newTLSFiles knows the places below DIR; without one only those that all proxies have in common.
func newTLSFiles(r routeSettings, p place) *tlsFiles {
	f := &tlsFiles{refused: map[digest]string{}}
	f.authorities = &authorities{file: r.tls().CAFile}
	if p.Dir != "" {
		f.authorities.dir = filepath.Join(p.Dir, "authorities")
	}
	f.certificates = newCertificates(p.Dir, r.PreferredCertificate, f.refused)
	if p.Dir != "" {
		f.certificates.saved = p.savedCertificate
	}
	return f
}

// savedCertificate is HAProxy's copy of a certificate; nil when there is none.
func (p place) savedCertificate(name string) []byte {
	content, err := readBounded(filepath.Join(p.configDir(), "current", strings.TrimSuffix(name, ".pem")+".pem"), maxCertificate)
	if err != nil {
		return nil
	}
	return content
}

// settings completes the settings by what the files hold now.
func (f *tlsFiles) settings(s routing.Settings, now time.Time) (complete routing.Settings, list []certificate, problems []label.Problem) {
	list, problems = f.certificates.read(now)
	for _, c := range list {
		s.TLS.Certificates = append(s.TLS.Certificates, c.Certificate)
	}
	path, found := f.authorities.read(now)
	s.TLS.CAFile = path
	return s, list, append(problems, found...)
}

// ofServices takes the certificates that HAProxy refused out of the table and tells about the others.
func (f *tlsFiles) ofServices(t routing.Table, now time.Time) (kept routing.Table, list []certificate, problems []label.Problem) {
	kept, known := t, map[digest]certificate{}
	kept.Certificates = slices.DeleteFunc(slices.Clone(t.Certificates), func(c routing.Certificate) bool {
		report := func(reason string) {
			problems = append(problems, label.Problem{Service: c.Service, Label: label.Prefix + "serviceCert", Value: hidden, Reason: reason})
		}
		sum := sha256.Sum256(c.PEM)
		if said, refused := f.refused[sum]; refused {
			report(refuses + "it: " + said)
			return true
		}
		one, parsed := f.services[sum]
		if !parsed {
			_, info, err := routing.ParseCertificate(c.Name, c.PEM)
			if err != nil {
				return false // routing says so
			}
			one = certificate{info: info, sum: sum}
		}
		one.Certificate = c
		known[sum] = one
		list = append(list, one)
		if reason := ages(one.info, now); reason != "" {
			report(reason)
		}
		return false
	})
	f.services = known
	return kept, list, problems
}

// refuse remembers what HAProxy said of a certificate, by what it holds.
func (f *tlsFiles) refuse(name, said string, all []certificate) (refused certificate, found bool) {
	for _, c := range all {
		if c.Name == name {
			f.refused[c.sum] = said
			return c, true
		}
	}
	return certificate{}, false
}
