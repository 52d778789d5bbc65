package main

import (
	"crypto/sha256"
	"path/filepath"
	"time"

	"sluice/routing"
)

// certificate is one that can be used, with what it says about itself.
type certificate struct {
	routing.Certificate
	info routing.CertificateInfo
	path string // of its file; "" for a label
	sum  digest
	rank int  // those of a lower one come first
	used bool // some client can get it
}

// marked says of each certificate whether the configuration uses it: one for the same hosts may come first.
func marked(list []certificate, want routing.Config) []certificate {
	used := map[string]string{}
	for _, f := range want.Certificates {
		used[f.Name] = f.Fingerprint
	}
	for i, c := range list {
		list[i].used = used[c.Name] == c.info.Fingerprint
	}
	return list
}

// digest is the SHA-256 of what a certificate's file holds.
type digest = [sha256.Size]byte

// newCertificate judges what a file in a folder holds. The error reads after its name and repeats nothing of it.
func newCertificate(dir, name string, content []byte) (certificate, error) {
	parsed, info, err := routing.ParseCertificate(name, content)
	if err != nil {
		return certificate{}, err
	}
	c := certificate{Certificate: parsed, info: info, path: filepath.Join(dir, name), sum: sha256.Sum256(content)}
	c.Origin = c.path
	return c, nil
}

// renewBefore is how long before its end a certificate is reported: those that renew themselves do so earlier.
const renewBefore = 14 * 24 * time.Hour

// ages tells what is wrong with the time of a certificate. It is used all the same: the client decides.
func ages(info routing.CertificateInfo, now time.Time) (reason string) {
	switch end := info.NotAfter.UTC().Format(time.RFC3339); {
	case now.After(info.NotAfter):
		return "has expired: it was valid until " + end
	case now.Before(info.NotBefore):
		return "is not valid before " + info.NotBefore.UTC().Format(time.RFC3339)
	case info.NotAfter.Sub(now) < renewBefore:
		return "expires soon: it is valid until " + end
	}
	return ""
}
