package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// HTTPEntry is an address at which HAProxy takes requests.
type HTTPEntry struct {
	Address string // as a bind line has it, with its options: "*:80", "127.0.0.1:7080 accept-proxy"
	Port    int
	TLS     bool
}

// TLS says how entries end TLS. Without a certificate they are plain.
type TLS struct {
	// Certificates of the operator; the first one answers clients that name no host, or one that no certificate covers.
	// Those of services (serviceCert) stand in the Table and come after them.
	Certificates []Certificate
	CrtList      string // path of a crt-list of the operator's own, which comes after all certificates; "" is none
	CAFile       string // path of the certificates that sign those of clients; "" asks clients for none
	H2           bool   // HTTP/2 is offered beside HTTP/1.1
	BindOptions  string // words of `bind`, as CheckBindOptions takes them; "" is DefaultBindOptions
	Ciphers      string // up to TLS 1.2, as CheckCiphers takes them; "" is DefaultCiphers
}

// What clients must speak unless the operator says otherwise: Mozilla's "intermediate" configuration. TLS 1.3 has no
// ciphers that one would leave out.
const (
	DefaultBindOptions = "ssl-min-ver TLSv1.2"
	DefaultCiphers     = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" +
		"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305"
)

// bindOptions are the words that SSL_BIND_OPTIONS may hold; a version follows those that end in "-ver".
var bindOptions = []string{
	"ssl-min-ver", "ssl-max-ver", "no-sslv3", "no-tlsv10", "no-tlsv11", "no-tlsv12", "no-tlsv13", "force-tlsv10", "force-tlsv11", "force-tlsv12", "force-tlsv13",
	"no-tls-tickets", "prefer-client-ciphers", "strict-sni", "no-ca-names",
}

var tlsVersions = []string{"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"}

// CheckBindOptions judges the operator's words for TLS. The error reads after the setting's name.
func CheckBindOptions(text string) error {
	words := strings.Fields(text)
	for i := 0; i < len(words); i++ {
		if !slices.Contains(bindOptions, words[i]) {
			return fmt.Errorf("has %q, which is not one of %s", words[i], strings.Join(bindOptions, ", "))
		}
		if !strings.HasSuffix(words[i], "-ver") {
			continue
		}
		if i++; i == len(words) || !slices.Contains(tlsVersions, words[i]) {
			return fmt.Errorf("has %s without one of %s behind it", words[i-1], strings.Join(tlsVersions, ", "))
		}
	}
	return nil
}

// CheckCiphers judges a list of ciphers as OpenSSL writes it. The error reads after the setting's name.
func CheckCiphers(text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return !isWord(r) && !strings.ContainsRune(":+!@=", r) }) || strings.HasPrefix(text, "-") {
		return fmt.Errorf("is no list of ciphers such as ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384")
	}
	return nil
}

// bind is what follows an address on its bind line; "" where nothing can end TLS.
func (t TLS) bind(listed bool) string {
	if !listed && t.CrtList == "" {
		return ""
	}
	words := []string{" ssl"}
	if listed {
		words = append(words, "crt-list "+certificateList)
	}
	if t.CrtList != "" {
		words = append(words, "crt-list "+quote(t.CrtList))
	}
	if t.H2 {
		words = append(words, "alpn h2,http/1.1")
	} else {
		words = append(words, "alpn http/1.1")
	}
	if t.CAFile != "" {
		words = append(words, "ca-file "+quote(t.CAFile)+" verify optional")
	}
	options := strings.Join(strings.Fields(cmp.Or(t.BindOptions, DefaultBindOptions)), " ")
	return strings.Join(append(words, options, "ciphers "+cmp.Or(t.Ciphers, DefaultCiphers)), " ")
}
