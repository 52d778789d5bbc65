package routing

import (
	"fmt"
	"strconv"
	"strings"
)

// Certificates are what HAProxy says of those that it has.
type Certificates struct {
	Stored      map[string]RunningCertificate // by file; of the operator's own crt-list none
	List        []CertificateLine             // certs.list; nil where no entry ends TLS
	Transaction string                        // the file that somebody began to renew; "" for none
}

// CertificateLine is a line of certs.list.
type CertificateLine struct {
	File    string
	Number  int
	Filters string
}

// ShowCertificateList is the command whose answer ParseCertificateList reads.
const ShowCertificateList = "show ssl crt-list -n " + certificateList

// ParseCertificateNames reads the answer to `show ssl cert`: the files of this proxy's, and the one in a transaction.
func ParseCertificateNames(answer []byte) (files []string, transaction string) {
	for line := range strings.Lines(string(answer)) {
		switch name := strings.TrimSpace(line); {
		case name == "" || name[0] == '#':
		case name[0] == '*':
			transaction = name[1:]
		case !strings.Contains(name, "/"): // others are of a crt-list of the operator's own
			files = append(files, name)
		}
	}
	return files, transaction
}

// ParseCertificateList reads the answer to ShowCertificateList: `file:number filters…` on each line. It is nil when the
// running configuration has no such list.
func ParseCertificateList(answer []byte) ([]CertificateLine, error) {
	if strings.HasPrefix(string(answer), "didn't find the specified filename") {
		return nil, nil
	}
	list := []CertificateLine{}
	for line := range strings.Lines(string(answer)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		place, filters, _ := strings.Cut(line, " ")
		file, number, _ := strings.Cut(place, ":")
		n, err := strconv.Atoi(number)
		if err != nil || file == "" {
			return nil, fmt.Errorf("read %s: unexpected line %q", certificateList, line)
		}
		list = append(list, CertificateLine{file, n, filters})
	}
	return list, nil
}

// ParseCertificateStatus reads the answer to `show ssl cert FILE`, a name and a value on each line.
func ParseCertificateStatus(answer []byte) (c RunningCertificate, err error) {
	known := false
	for line := range strings.Lines(string(answer)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "Filename":
			known = true
		case "SHA1 FingerPrint":
			c.Fingerprint = value
		case "Chain Subject":
			c.Chain = append(c.Chain, commonName(value))
		}
	}
	if !known {
		return RunningCertificate{}, fmt.Errorf("read certificate: unexpected answer %q", firstLine(answer))
	}
	return c, nil
}

// commonName finds the name in what OpenSSL makes of a subject: /C=US/O=Let's Encrypt/CN=R3.
func commonName(subject string) string {
	i := strings.LastIndex(subject, "/CN=")
	if i < 0 {
		return ""
	}
	name := subject[i+len("/CN="):]
	for j := range name { // an attribute that follows
		if key, _, found := strings.Cut(name[j:], "="); found && name[j] == '/' && key != "/" && !strings.ContainsAny(key[1:], " /") {
			return name[:j]
		}
	}
	return name
}

// same tells whether HAProxy has this certificate with this chain. Names that OpenSSL does not show as they are count as
// equal: it is better to miss a mended chain than to renew a certificate for ever.
func (c RunningCertificate) same(want RunningCertificate) bool {
	if c.Fingerprint != want.Fingerprint || len(c.Chain) != len(want.Chain) {
		return false
	}
	for i, name := range want.Chain {
		shown := name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' || r == '/' })
		if shown && c.Chain[i] != name {
			return false
		}
	}
	return true
}
