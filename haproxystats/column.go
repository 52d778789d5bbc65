package haproxystats

// Merge says how the values that several HAProxy workers give for one column become one value. After a reload the new
// worker starts from nothing while the old one still holds connections, so almost no column can be read from one of them.
type Merge int

// The ways of merging. A column that is not in the table is taken from the current worker.
const (
	Current   Merge = iota // the current worker's value: states, settings, ages that belong to one process
	Sum                    // a gauge: added up over all workers
	Count                  // a counter: what every worker counted, added up for the life of the Sampler; never falls
	CountOnce              // a counter that every worker runs for the same event: only the current worker's counts
	Max                    // the highest value that any worker reported, kept for the life of the Sampler
	Mean                   // an average: weighted by the sessions that each worker took since the last point
	Youngest               // an age where -1 is "never": the smallest one that is not
	AsTag                  // a tag of the row, not a field
	LeftOut                // not written, because Telegraf does not write it either
)

// String names the merging as the documentation does.
func (m Merge) String() string {
	return [...]string{"current", "sum", "count", "count once", "max", "mean", "youngest", "tag", "left out"}[m]
}

// Kind is the type of a field.
type Kind int

// The kinds, with the Go type of Field.Value for each.
const (
	Int   Kind = iota // int64
	Float             // float64
	Text              // string
)

// String names the kind as InfluxDB does.
func (k Kind) String() string { return [...]string{"integer", "float", "string"}[k] }

// Column describes one column of HAProxy's `show stat`.
type Column struct {
	Name  string // HAProxy's name
	Field string // Telegraf's name of the field or tag; "" is the same as Name
	Kind  Kind
	Unit  string // "" is a plain number or a text
	Merge Merge
	Of    string // with Max: the column whose sum the maximum never stays below; "" is none
	Doc   string // one line of Markdown
}

// FieldName is the name under which the column is written.
func (c Column) FieldName() string {
	if c.Field == "" {
		return c.Name
	}
	return c.Field
}

// Columns lists what HAProxy 2.6 answers to `show stat`, in its order.
func Columns() []Column { return append([]Column(nil), columns[:]...) }

var columns = [...]Column{
	{"pxname", "proxy", Text, "", AsTag, "", "name of HAProxy's frontend or backend"},
	{"svname", "sv", Text, "", AsTag, "", "FRONTEND, BACKEND, or the name of the server"},
	{"qcur", "", Int, "requests", Sum, "", "requests waiting in the queue"},
	{"qmax", "", Int, "requests", Max, "qcur", "longest queue so far"},
	{"scur", "", Int, "sessions", Sum, "", "sessions open now"},
	{"smax", "", Int, "sessions", Max, "scur", "most sessions open at once so far"},
	{"slim", "", Int, "sessions", Current, "", "limit of sessions"},
	{"stot", "", Int, "sessions", Count, "", "sessions taken; over HTTP a backend and a server count each request, when it arrives"},
	{"bin", "", Int, "bytes", Count, "", "bytes from clients"},
	{"bout", "", Int, "bytes", Count, "", "bytes to clients"},
	{"dreq", "", Int, "requests", Count, "", "requests denied by a rule"},
	{"dresp", "", Int, "responses", Count, "", "responses denied by a rule"},
	{"ereq", "", Int, "requests", Count, "", "requests that were no valid requests"},
	{"econ", "", Int, "requests", Count, "", "requests for which no connection to a server could be made"},
	{"eresp", "", Int, "responses", Count, "", "responses that broke off or were no valid responses"},
	{"wretr", "", Int, "connections", Count, "", "connections to a server that were tried again"},
	{"wredis", "", Int, "requests", Count, "", "requests sent to another server than the first choice"},
	{"status", "", Text, "", Current, "", "OPEN for a frontend; UP, DOWN, NOLB, MAINT, DRAIN, no check for the others"},
	{"weight", "", Int, "", Current, "", "effective weight; of a backend that of its active servers"},
	{"act", "active_servers", Int, "servers", Current, "", "active servers that are up; every worker knows the same servers, so they are not added up"},
	{"bck", "backup_servers", Int, "servers", Current, "", "backup servers that are up"},
	{"chkfail", "", Int, "checks", Count, "", "failed health checks while the server was up"},
	{"chkdown", "", Int, "changes", CountOnce, "", "times it went from up to down"},
	{"lastchg", "", Int, "seconds", Current, "", "since it last went up or down, or since the reload"},
	{"downtime", "", Int, "seconds", CountOnce, "", "time spent down"},
	{"qlimit", "", Int, "requests", Current, "", "limit of the queue"},
	{"pid", "", Int, "", Current, "", "number of the process within HAProxy, 1"},
	{"iid", "", Int, "", Current, "", "number of the proxy within HAProxy's configuration"},
	{"sid", "", Int, "", Current, "", "number of the server within its backend"},
	{"throttle", "", Int, "percent", Current, "", "share of its weight that a server in slow start has reached"},
	{"lbtot", "", Int, "requests", Count, "", "times a server was chosen by load balancing"},
	{"tracked", "", Text, "", Current, "", "server whose health checks this one follows"},
	{"type", "", Text, "", AsTag, "", "frontend, backend, server, listener"},
	{"rate", "", Int, "sessions/s", Sum, "", "sessions taken over the last second"},
	{"rate_lim", "", Int, "sessions/s", Current, "", "limit of new sessions"},
	{"rate_max", "", Int, "sessions/s", Max, "rate", "highest rate so far"},
	{"check_status", "", Text, "", Current, "", "result of the last health check, such as L4OK, L7STS"},
	{"check_code", "", Int, "", Current, "", "code of the last health check, such as the HTTP status"},
	{"check_duration", "", Int, "ms", Current, "", "time that the last health check took"},
	{"hrsp_1xx", "http_response.1xx", Int, "responses", Count, "", "responses with a status of 1xx"},
	{"hrsp_2xx", "http_response.2xx", Int, "responses", Count, "", "responses with a status of 2xx"},
	{"hrsp_3xx", "http_response.3xx", Int, "responses", Count, "", "responses with a status of 3xx"},
	{"hrsp_4xx", "http_response.4xx", Int, "responses", Count, "", "responses with a status of 4xx"},
	{"hrsp_5xx", "http_response.5xx", Int, "responses", Count, "", "responses with a status of 5xx"},
	{"hrsp_other", "http_response.other", Int, "responses", Count, "", "responses with another status, or none"},
	{"hanafail", "", Int, "", Current, "", "details of failed health checks"},
	{"req_rate", "", Int, "requests/s", Sum, "", "requests taken over the last second (frontends)"},
	{"req_rate_max", "", Int, "requests/s", Max, "req_rate", "highest request rate so far (frontends)"},
	{"req_tot", "", Int, "requests", Count, "", "requests: a frontend counts them when they arrive, a backend and a server when they are done"},
	{"cli_abrt", "cli_abort", Int, "transfers", Count, "", "transfers broken off by the client"},
	{"srv_abrt", "srv_abort", Int, "transfers", Count, "", "transfers broken off by the server"},
	{"comp_in", "", Int, "bytes", Count, "", "bytes given to compression"},
	{"comp_out", "", Int, "bytes", Count, "", "bytes that compression made of them"},
	{"comp_byp", "", Int, "bytes", Count, "", "bytes that went past compression"},
	{"comp_rsp", "", Int, "responses", Count, "", "responses compressed"},
	{"lastsess", "", Int, "seconds", Youngest, "", "since the last session was taken; -1 is never"},
	{"last_chk", "", Text, "", Current, "", "text of the last health check"},
	{"last_agt", "", Text, "", Current, "", "text of the last agent check"},
	{"qtime", "", Int, "ms", Mean, "", "mean time in the queue over the last 1,024 requests"},
	{"ctime", "", Int, "ms", Mean, "", "mean time to connect over the last 1,024 requests"},
	{"rtime", "", Int, "ms", Mean, "", "mean time to the response over the last 1,024 requests (0 for TCP)"},
	{"ttime", "", Int, "ms", Mean, "", "mean time of a whole session over the last 1,024 requests"},
	{"agent_status", "", Text, "", Current, "", "result of the last agent check"},
	{"agent_code", "", Int, "", Current, "", "code of the last agent check"},
	{"agent_duration", "", Int, "ms", Current, "", "time that the last agent check took"},
	{"check_desc", "", Text, "", LeftOut, "", "check_status in words"},
	{"agent_desc", "", Text, "", LeftOut, "", "agent_status in words"},
	{"check_rise", "", Int, "checks", Current, "", "good checks in a row that make a server up"},
	{"check_fall", "", Int, "checks", Current, "", "bad checks in a row that make a server down"},
	{"check_health", "", Int, "", Current, "", "health: 0 to check_rise+check_fall-1, up from check_rise on"},
	{"agent_rise", "", Int, "checks", Current, "", "as check_rise, of the agent check"},
	{"agent_fall", "", Int, "checks", Current, "", "as check_fall, of the agent check"},
	{"agent_health", "", Int, "", Current, "", "as check_health, of the agent check"},
	{"addr", "", Text, "", Current, "", "address and port of the server"},
	{"cookie", "", Text, "", Current, "", "cookie value of the server, or cookie name of the backend"},
	{"mode", "", Text, "", Current, "", "http, tcp"},
	{"algo", "", Text, "", LeftOut, "", "load balancing algorithm"},
	{"conn_rate", "", Int, "connections/s", Sum, "", "connections taken over the last second (frontends)"},
	{"conn_rate_max", "", Int, "connections/s", Max, "conn_rate", "highest connection rate so far (frontends)"},
	{"conn_tot", "", Int, "connections", Count, "", "connections taken (frontends)"},
	{"intercepted", "", Int, "requests", Count, "", "requests that HAProxy answered itself (frontends)"},
	{"dcon", "", Int, "connections", Count, "", "connections denied by a rule"},
	{"dses", "", Int, "sessions", Count, "", "sessions denied by a rule"},
	{"wrew", "", Int, "rewrites", Count, "", "header rewrites that found no room"},
	{"connect", "", Int, "connections", Count, "", "connections opened to servers"},
	{"reuse", "", Int, "connections", Count, "", "requests sent over a connection that was open already"},
	{"cache_lookups", "", Int, "lookups", Count, "", "lookups in the cache"},
	{"cache_hits", "", Int, "lookups", Count, "", "lookups that the cache answered"},
	{"srv_icur", "", Int, "connections", Sum, "", "idle connections to the server that may be used again"},
	{"src_ilim", "", Int, "connections", Current, "", "limit of idle connections to the server"},
	{"qtime_max", "", Int, "ms", Max, "", "longest time in the queue so far"},
	{"ctime_max", "", Int, "ms", Max, "", "longest time to connect so far"},
	{"rtime_max", "", Int, "ms", Max, "", "longest time to a response so far"},
	{"ttime_max", "", Int, "ms", Max, "", "longest session so far"},
	{"eint", "", Int, "errors", Count, "", "internal errors"},
	{"idle_conn_cur", "", Int, "connections", Sum, "", "idle connections that are not safe to share"},
	{"safe_conn_cur", "", Int, "connections", Sum, "", "idle connections that are safe to share"},
	{"used_conn_cur", "", Int, "connections", Sum, "", "connections to the server in use"},
	{"need_conn_est", "", Int, "connections", Sum, "", "estimated need of connections"},
	{"uweight", "", Int, "", Current, "", "weight as configured"},
	{"agg_server_status", "", Int, "", Current, "", "used by HAProxy's Prometheus exporter"},
	{"agg_server_check_status", "", Int, "", Current, "", "used by HAProxy's Prometheus exporter"},
	{"agg_check_status", "", Int, "", Current, "", "used by HAProxy's Prometheus exporter"},
	{"-", "", Text, "", LeftOut, "", "separates HAProxy's own columns from those of its modules"},
	{"ssl_sess", "", Int, "sessions", Count, "", "TLS sessions made"},
	{"ssl_reused_sess", "", Int, "sessions", Count, "", "TLS sessions resumed"},
	{"ssl_failed_handshake", "", Int, "handshakes", Count, "", "TLS handshakes that failed"},
	{"h2_headers_rcvd", "", Int, "frames", Count, "", "HTTP/2 HEADERS frames received"},
	{"h2_data_rcvd", "", Int, "frames", Count, "", "HTTP/2 DATA frames received"},
	{"h2_settings_rcvd", "", Int, "frames", Count, "", "HTTP/2 SETTINGS frames received"},
	{"h2_rst_stream_rcvd", "", Int, "frames", Count, "", "HTTP/2 RST_STREAM frames received"},
	{"h2_goaway_rcvd", "", Int, "frames", Count, "", "HTTP/2 GOAWAY frames received"},
	{"h2_detected_conn_protocol_errors", "", Int, "errors", Count, "", "HTTP/2 protocol errors of connections"},
	{"h2_detected_strm_protocol_errors", "", Int, "errors", Count, "", "HTTP/2 protocol errors of streams"},
	{"h2_rst_stream_resp", "", Int, "frames", Count, "", "HTTP/2 RST_STREAM frames sent"},
	{"h2_goaway_resp", "", Int, "frames", Count, "", "HTTP/2 GOAWAY frames sent"},
	{"h2_open_connections", "", Int, "connections", Sum, "", "HTTP/2 connections open"},
	{"h2_backend_open_streams", "", Int, "streams", Sum, "", "HTTP/2 streams open"},
	{"h2_total_connections", "", Int, "connections", Count, "", "HTTP/2 connections so far"},
	{"h2_backend_total_streams", "", Int, "streams", Count, "", "HTTP/2 streams so far"},
	{"h1_open_connections", "", Int, "connections", Sum, "", "HTTP/1 connections open"},
	{"h1_open_streams", "", Int, "streams", Sum, "", "HTTP/1 streams open"},
	{"h1_total_connections", "", Int, "connections", Count, "", "HTTP/1 connections so far"},
	{"h1_total_streams", "", Int, "streams", Count, "", "HTTP/1 streams so far"},
	{"h1_bytes_in", "", Int, "bytes", Count, "", "bytes received over HTTP/1"},
	{"h1_bytes_out", "", Int, "bytes", Count, "", "bytes sent over HTTP/1"},
	{"h1_spliced_bytes_in", "", Int, "bytes", Count, "", "bytes spliced in by the kernel over HTTP/1"},
	{"h1_spliced_bytes_out", "", Int, "bytes", Count, "", "bytes spliced out by the kernel over HTTP/1"},
}
