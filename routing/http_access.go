package routing

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sluice/internal/label"
)

// Access says which requests are refused before anybody looks at their credentials.
type Access struct {
	AllowFrom      []netip.Prefix // nobody else; nil: everybody
	DenyFrom       []netip.Prefix
	ClientCert     bool // only clients that show a certificate of CA_FILE's
	TLSOnly        bool
	AllowedMethods []string // nobody else; nil: all
	DeniedMethods  []string
	Rate           Rate
}

// Rate bounds the requests of one client address. The zero value bounds nothing.
type Rate struct {
	Requests int
	Period   time.Duration
}

var accessLabels = []label.Spec{
	{Name: "allowFrom", Kind: label.List, Indexed: true, Example: "10.0.0.0/8,192.0.2.7", Check: checkPrefixes,
		Doc: "Only clients with these addresses are served; others get 403."},
	{Name: "denyFrom", Kind: label.List, Indexed: true, Example: "192.0.2.0/24,2001:db8::/32", Check: checkPrefixes,
		Doc: "Clients with these addresses get 403."},
	{Name: "denyHttp", Kind: label.Bool, Indexed: true, Default: "false", Example: "true",
		Doc: "Requests without TLS get 403."},
	{Name: "verifyClientSsl", Kind: label.Bool, Indexed: true, Default: "false", Example: "true",
		Doc: "Only clients that show a certificate signed by an authority of CA_FILE are served; others, and all requests without TLS, get 403."},
	{Name: "allowedMethods", Kind: label.List, Indexed: true, Example: "GET,DELETE", Check: checkMethods,
		Doc: "Requests with any other method get 403."},
	{Name: "deniedMethods", Kind: label.List, Indexed: true, Example: "PUT,POST", Check: checkMethods,
		Doc: "Requests with these methods get 403."},
	{Name: "rateLimit", Kind: label.Text, Indexed: true, Example: "100/10s", Check: checkRate,
		Doc: "`requests/period`: a client address that asks more often gets 429. Each proxy counts for itself, and from the start after a reload."},
}

func (r *httpReader) access() Access {
	a := Access{
		AllowFrom: r.prefixes("allowFrom"), DenyFrom: r.prefixes("denyFrom"), TLSOnly: r.g.Bool("denyHttp"), ClientCert: r.g.Bool("verifyClientSsl"),
		AllowedMethods: upper(r.g.List("allowedMethods")), DeniedMethods: upper(r.g.List("deniedMethods")),
	}
	if text := r.g.Text("rateLimit"); text != "" {
		a.Rate, _ = parseRate(text) // checked when the label was read
	}
	return a
}

// checkPrefixes refuses an empty list too: whoever writes allowFrom with nothing behind it does not mean everybody.
func checkPrefixes(value any) error {
	if len(value.([]string)) == 0 {
		return fmt.Errorf("names no address")
	}
	for _, item := range value.([]string) {
		if _, err := ParsePrefix(item); err != nil {
			return fmt.Errorf("has an item that is neither an address nor a network such as 10.0.0.0/8: %q", item)
		}
	}
	return nil
}

// ParsePrefix reads a network, or an address as the network of itself.
func ParsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}

// HAProxy takes 64 words on a line.
const maxMethods = 32

var methodForm = regexp.MustCompile(`^[A-Za-z]+([-_][A-Za-z]+)*$`)

func checkMethods(value any) error {
	methods := value.([]string)
	if len(methods) == 0 || len(methods) > maxMethods {
		return fmt.Errorf("names %d methods, not 1 to %d", len(methods), maxMethods)
	}
	for _, method := range methods {
		if !methodForm.MatchString(method) {
			return fmt.Errorf("has an item that is no method such as GET: %q", method)
		}
	}
	return nil
}

func upper(words []string) (result []string) {
	for _, word := range words {
		result = append(result, strings.ToUpper(word))
	}
	return result
}

func checkRate(value any) error {
	_, err := parseRate(value.(string))
	return err
}

func parseRate(text string) (Rate, error) {
	requests, period, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(requests)
	d, periodErr := time.ParseDuration(period)
	if err != nil || periodErr != nil || n < 1 || n > 1_000_000_000 || d < time.Second || d > 24*time.Hour {
		return Rate{}, fmt.Errorf("is not requests/period such as 100/10s, with a period of 1s to 24h")
	}
	return Rate{Requests: n, Period: d.Truncate(time.Millisecond)}, nil
}
