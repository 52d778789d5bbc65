package routing

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/label"
)

// Balance says which task gets a request, how long it may take, and what becomes of its answer's bytes.
type Balance struct {
	Algorithm       string // "" for the proxy's
	Consistent      bool   // the algorithm hashes
	Cookie          string // by which a client stays with a task; "" for none
	Timeouts        struct{ Server, Tunnel time.Duration }
	Retries         string // "" for the proxy's
	RetryOn         []string
	ConnectionMode  string // HAProxy's option; "" for the proxy's
	CompressionAlgo []string
	CompressionType []string
}

var balanceLabels = []label.Spec{
	{Name: "loadBalance", Kind: label.Text, Indexed: true, Example: "leastconn", Check: checkAlgorithm,
		Doc: "How requests are spread over the tasks: `roundrobin` (the proxy's default), `leastconn`, `random`, `first`, `source`, `uri`, `hdr(name)` or `url_param(name)`."},
	{Name: "sessionType", Kind: label.Enum, Example: "sticky-server", Values: []string{"sticky-server"},
		Doc: "`sticky-server`: a cookie named after the service keeps a client with its task, through scaling and as long as the task lives."},
	{Name: "timeoutServer", Kind: label.Text, Indexed: true, Example: "60", Check: checkTimeout,
		Doc: "Seconds, or a duration such as `1m30s`, that a task may be silent; then the client gets 504."},
	{Name: "timeoutTunnel", Kind: label.Text, Indexed: true, Example: "7200", Check: checkTimeout,
		Doc: "Seconds, or a duration such as `1h30m`, that a WebSocket or another tunnel may be silent."},
	{Name: "retries", Kind: label.Int, Indexed: true, Example: "2", Check: checkCount(0, 100),
		Doc: "How often a request is tried again, on another task. The proxy's default is 3."},
	{Name: "retryOn", Kind: label.List, Indexed: true, Example: "conn-failure,503", Check: checkRetryOn,
		Doc: "What a request is tried again for, besides what HAProxy never sent: `conn-failure` (the default), `empty-response`, `response-timeout`, a status … With anything but conn-failure a task may see a request twice."},
	{Name: "connectionMode", Kind: label.Enum, Indexed: true, Example: "http-server-close", Values: []string{"http-keep-alive", "http-server-close", "httpclose", "forceclose", "http-tunnel"},
		ObsoleteValues: obsoleteModes,
		Doc:            "What becomes of the connection to the task after an answer: `http-server-close` and `httpclose` close it. The client's is closed only by the proxy's CONNECTION_MODE, the stricter of which counts. (`forceclose` is `httpclose`, `http-tunnel` is `http-keep-alive`.)"},
	{Name: "compressionAlgo", Kind: label.List, Example: "gzip", Check: checkCompressionAlgo,
		Doc: "Compresses answers for clients that accept it: `gzip`, `deflate`, `raw-deflate` or `identity`. Default: the proxy's COMPRESSION_ALGO setting."},
	{Name: "compressionType", Kind: label.List, Example: "text/html,text/plain,application/json", Check: checkCompressionType,
		Doc: "Content types that are compressed. Default: the proxy's COMPRESSION_TYPE setting, or all."},
}

func (r *httpReader) balance() Balance {
	b := Balance{Algorithm: r.g.Text("loadBalance"), RetryOn: r.g.List("retryOn"), ConnectionMode: connectionModes[r.g.Text("connectionMode")]}
	b.CompressionAlgo = r.listOr("compressionAlgo", r.opts.CompressionAlgo, "COMPRESSION_ALGO")
	b.CompressionType = r.listOr("compressionType", r.opts.CompressionType, "COMPRESSION_TYPE")
	b.Consistent = hashing(b.Algorithm)
	if param, ok := strings.CutPrefix(b.Algorithm, "url_param("); ok { // HAProxy writes it otherwise than hdr(name)
		b.Algorithm = "url_param " + strings.TrimSuffix(param, ")")
	}
	b.Timeouts.Server = r.duration("timeoutServer")
	b.Timeouts.Tunnel = r.duration("timeoutTunnel")
	if r.g.Has("retries") {
		b.Retries = strconv.Itoa(r.g.Int("retries"))
	}
	if r.g.Text("sessionType") != "" {
		b.Cookie = r.service.shown(r.g)
		if r.g.Index() > 0 {
			// The cookie's value is of address and port: destinations of one port share it, others would overwrite it.
			b.Cookie += fmt.Sprintf("_%d", r.g.Int("port"))
		}
	}
	if r.g.Has("compressionType") && len(b.CompressionAlgo) == 0 {
		r.refuse("compressionType", "does nothing without compressionAlgo")
	}
	if len(b.CompressionAlgo) == 0 {
		b.CompressionType = nil
	}
	return b
}

// listOr reads a label, or the setting of the proxy that stands in for it.
func (r *httpReader) listOr(name string, standIn []string, setting string) []string {
	if r.g.Has(name) || len(standIn) == 0 {
		return words(r.g.List(name))
	}
	r.origins[name] = setting
	return standIn
}

// duration reads a label that checkTimeout has accepted.
func (r *httpReader) duration(name string) time.Duration {
	d, _ := parseSeconds(r.g.Text(name))
	return d
}

var (
	plainAlgorithms = []string{"roundrobin", "leastconn", "random", "first"}
	hashAlgorithm   = regexp.MustCompile(`^(source|uri|(hdr|url_param)\([A-Za-z0-9_-]{1,64}\))$`)
)

// hashing tells algorithms that need a consistent hash: only so does HAProxy take servers at runtime, and a task that
// comes moves few clients.
func hashing(algorithm string) bool { return hashAlgorithm.MatchString(algorithm) }

func checkAlgorithm(value any) error {
	algorithm := value.(string)
	if slices.Contains(plainAlgorithms, algorithm) || hashing(algorithm) {
		return nil
	}
	return fmt.Errorf("is not one of %s, source, uri, hdr(name), url_param(name)%s", strings.Join(plainAlgorithms, ", "), label.DidYouMean(algorithm, plainAlgorithms))
}

// maxTimeout is what HAProxy can count in milliseconds, 24.8 days.
const maxTimeout = 24 * 24 * time.Hour

func checkTimeout(value any) error {
	_, err := parseSeconds(value.(string))
	return err
}

// parseSeconds reads seconds as Docker Flow Proxy writes them, or a duration with its unit.
func parseSeconds(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if n, bare := strconv.ParseFloat(text, 64); bare == nil && n < maxTimeout.Seconds() {
		d, err = time.Duration(n*float64(time.Second)), nil
	}
	if err != nil || d < time.Millisecond || d > maxTimeout {
		return 0, fmt.Errorf("is neither seconds nor a duration such as 1m30s, above zero and at most 24 days")
	}
	return d, nil
}

func checkCount(least, most int) func(any) error {
	return func(value any) error {
		if n := value.(int); n < least || n > most {
			return fmt.Errorf("is not between %d and %d", least, most)
		}
		return nil
	}
}

var retryReasons = []string{"none", "conn-failure", "empty-response", "junk-response", "response-timeout", "0rtt-rejected",
	"all-retryable-errors", "401", "403", "404", "408", "425", "500", "501", "502", "503", "504"}

func checkRetryOn(value any) error {
	reasons := value.([]string)
	if slices.Contains(reasons, "none") && len(reasons) > 1 {
		return fmt.Errorf("has none beside other reasons")
	}
	return checkAmong(value, retryReasons)
}

func checkCompressionAlgo(value any) error {
	return checkAmong(words(value.([]string)), []string{"gzip", "deflate", "raw-deflate", "identity"})
}

// checkAmong accepts a list of allowed words, each once.
func checkAmong(value any, allowed []string) error {
	items := value.([]string)
	if len(items) == 0 {
		return fmt.Errorf("is empty")
	}
	for i, item := range items {
		if !slices.Contains(allowed, item) {
			return fmt.Errorf("has %q, which is not one of %s%s", item, strings.Join(allowed, ", "), label.DidYouMean(item, allowed))
		}
		if slices.Contains(items[:i], item) {
			return fmt.Errorf("has %q twice", item)
		}
	}
	return nil
}

// words parts the items of a list at blanks too, as Docker Flow Proxy has it where HAProxy does.
func words(items []string) []string { return strings.Fields(strings.Join(items, " ")) }

var mediaType = regexp.MustCompile(`^[A-Za-z0-9.+-]{1,64}/[A-Za-z0-9.+-]{1,64}$`)

func checkCompressionType(value any) error {
	types := words(value.([]string))
	if len(types) == 0 || len(types) > 40 {
		return fmt.Errorf("names %d content types, not 1 to 40", len(types))
	}
	for _, item := range types {
		if !mediaType.MatchString(item) {
			return fmt.Errorf("has an item that is no content type such as text/plain: %q", item)
		}
	}
	return nil
}
