package routing

import (
	"fmt"
	"slices"
	"strings"

	"sluice/internal/label"
)

// certificateList is the file that names the certificates and whom they are for, the default first.
const certificateList = "certs.list"

// CertificateFile is a certificate as HAProxy has it: a file, and its line of certs.list.
type CertificateFile struct {
	Name    string // of the certificate
	File    string
	Filters []string // server names that it answers; nil: those that it names itself
	PEM     []byte   `json:"-"`
	RunningCertificate
}

// RunningCertificate is what HAProxy tells of a certificate.
type RunningCertificate struct {
	Fingerprint string   // of the leaf: SHA-1 in upper-case hexadecimal digits
	Chain       []string // common names of the certificates behind it
}

// maxFilters bounds the filters of one line of certs.list, in bytes. HAProxy takes as much as a command has, and does not
// show a line that is longer.
const maxFilters = 8000

// lines are the filters of the certificate's lines of certs.list; one without filters is for the names that it has.
func (f CertificateFile) lines() (lines []string) {
	var line string
	for _, host := range f.Filters {
		if len(line)+len(host) > maxFilters {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + host)
	}
	return append(lines, line)
}

// listed is the certificate's part of certs.list.
func (f CertificateFile) listed() string {
	var b strings.Builder
	for _, filters := range f.lines() {
		b.WriteString(strings.TrimSpace(f.File+" "+filters) + "\n")
	}
	return b.String()
}

// CertificateFileName is where HAProxy finds a certificate: its name with ".pem" at the end, for HAProxy gives other endings
// a meaning of their own (.key, .ocsp, .issuer).
func CertificateFileName(name string) string { return strings.TrimSuffix(name, ".pem") + ".pem" }

// certificateFiles decides which certificate answers which server name: the operator's first, in their order, then those
// of services. A name is only given to the first certificate of each kind of key, so that the order in which HAProxy
// learned of them does not matter; the first of all is the default and keeps its names.
func certificateFiles(t Table, tls TLS) (files []CertificateFile, problems []label.Problem) {
	names, taken := map[string]Certificate{}, map[string]string{}
	for _, c := range slices.Concat(tls.Certificates, t.Certificates) {
		leaveOut := func(reason string) {
			problem := label.Problem{Service: "(certificates)", Label: c.Origin, Value: c.Name, Reason: reason}
			if c.Service != "" {
				problem.Service, problem.Label, problem.Value = c.Service, certificateKey, "…"
			}
			problems = append(problems, problem)
		}
		content, err := c.parsed()
		if err != nil {
			leaveOut(err.Error())
			continue
		}
		f := CertificateFile{Name: c.Name, File: CertificateFileName(c.Name), Filters: c.Hosts, PEM: content.pem,
			RunningCertificate: RunningCertificate{content.Fingerprint, content.chain}}
		if other, exists := names[f.File]; exists {
			leaveOut("has the name of another one: " + other.Origin)
			continue
		}
		hosts := c.Hosts
		if hosts == nil {
			hosts = content.Hosts
		}
		var own []string
		before := ""
		for _, host := range hosts {
			if owner, exists := taken[content.key+" "+host]; exists {
				before = owner
			} else {
				taken[content.key+" "+host] = c.Name
				own = append(own, host)
			}
		}
		switch {
		case len(files) == 0:
		case len(own) == 0 && before != "":
			leaveOut(fmt.Sprintf("is never used: %s is for the same hosts and comes first", before))
			continue
		case len(own) == 0:
			leaveOut("is never used: it names no host, and it is not the first one")
			continue
		default:
			f.Filters = own
		}
		names[f.File] = c
		files = append(files, f)
	}
	return files, problems
}

// certificateLines are the content of certs.list.
func certificateLines(files []CertificateFile) []byte {
	var b strings.Builder
	for _, f := range files {
		b.WriteString(f.listed())
	}
	return []byte(b.String())
}
