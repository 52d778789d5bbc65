package haproxystats

import "iter"

// Metric is one value as HAProxy's own Prometheus exporter would show it, made from what all workers say together.
type Metric struct {
	Name    string // haproxy_backend_sessions_total
	Help    string
	Counter bool // else a gauge
	Labels  []Tag
	Value   float64
}

// exported says how a column is named in HAProxy's exporter (addons/promex of its sources), behind haproxy_<type>_.
type exported struct {
	column string
	name   string
	types  string // for which rows: f(rontend), b(ackend), s(erver)
	code   string // value of the label `code`; "" is no such label
}

// Columns that are milliseconds become seconds, as their names say.
var exportedColumns = [...]exported{
	{"qcur", "current_queue", "bs", ""},
	{"qmax", "max_queue", "bs", ""},
	{"scur", "current_sessions", "fbs", ""},
	{"smax", "max_sessions", "fbs", ""},
	{"slim", "limit_sessions", "fbs", ""},
	{"stot", "sessions_total", "fbs", ""},
	{"bin", "bytes_in_total", "fbs", ""},
	{"bout", "bytes_out_total", "fbs", ""},
	{"dreq", "requests_denied_total", "fb", ""},
	{"dresp", "responses_denied_total", "fbs", ""},
	{"ereq", "request_errors_total", "f", ""},
	{"econ", "connection_errors_total", "bs", ""},
	{"eresp", "response_errors_total", "bs", ""},
	{"wretr", "retry_warnings_total", "bs", ""},
	{"wredis", "redispatch_warnings_total", "bs", ""},
	{"weight", "weight", "bs", ""},
	{"act", "active_servers", "b", ""},
	{"bck", "backup_servers", "b", ""},
	{"chkfail", "check_failures_total", "s", ""},
	{"chkdown", "check_up_down_total", "bs", ""},
	{"lastchg", "check_last_change_seconds", "bs", ""},
	{"downtime", "downtime_seconds_total", "bs", ""},
	{"qlimit", "queue_limit", "s", ""},
	{"throttle", "current_throttle", "s", ""},
	{"lbtot", "loadbalanced_total", "bs", ""},
	{"rate_lim", "limit_session_rate", "f", ""},
	{"rate_max", "max_session_rate", "fbs", ""},
	{"check_code", "check_code", "s", ""},
	{"check_duration", "check_duration_seconds", "s", ""},
	{"hrsp_1xx", "http_responses_total", "fbs", "1xx"},
	{"hrsp_2xx", "http_responses_total", "fbs", "2xx"},
	{"hrsp_3xx", "http_responses_total", "fbs", "3xx"},
	{"hrsp_4xx", "http_responses_total", "fbs", "4xx"},
	{"hrsp_5xx", "http_responses_total", "fbs", "5xx"},
	{"hrsp_other", "http_responses_total", "fbs", "other"},
	{"req_rate_max", "http_requests_rate_max", "f", ""},
	{"req_tot", "http_requests_total", "fb", ""},
	{"cli_abrt", "client_aborts_total", "bs", ""},
	{"srv_abrt", "server_aborts_total", "bs", ""},
	{"comp_in", "http_comp_bytes_in_total", "fb", ""},
	{"comp_out", "http_comp_bytes_out_total", "fb", ""},
	{"comp_byp", "http_comp_bytes_bypassed_total", "fb", ""},
	{"comp_rsp", "http_comp_responses_total", "fb", ""},
	{"lastsess", "last_session_seconds", "bs", ""},
	{"qtime", "queue_time_average_seconds", "bs", ""},
	{"ctime", "connect_time_average_seconds", "bs", ""},
	{"rtime", "response_time_average_seconds", "bs", ""},
	{"ttime", "total_time_average_seconds", "bs", ""},
	{"conn_rate_max", "connections_rate_max", "f", ""},
	{"conn_tot", "connections_total", "f", ""},
	{"intercepted", "intercepted_requests_total", "f", ""},
	{"dcon", "denied_connections_total", "f", ""},
	{"dses", "denied_sessions_total", "f", ""},
	{"wrew", "failed_header_rewriting_total", "fbs", ""},
	{"connect", "connection_attempts_total", "bs", ""},
	{"reuse", "connection_reuses_total", "bs", ""},
	{"cache_lookups", "http_cache_lookups_total", "fb", ""},
	{"cache_hits", "http_cache_hits_total", "fb", ""},
	{"srv_icur", "idle_connections_current", "s", ""},
	{"src_ilim", "idle_connections_limit", "s", ""},
	{"qtime_max", "max_queue_time_seconds", "bs", ""},
	{"ctime_max", "max_connect_time_seconds", "bs", ""},
	{"rtime_max", "max_response_time_seconds", "bs", ""},
	{"ttime_max", "max_total_time_seconds", "bs", ""},
	{"eint", "internal_errors_total", "fbs", ""},
	{"idle_conn_cur", "unsafe_idle_connections_current", "s", ""},
	{"safe_conn_cur", "safe_idle_connections_current", "s", ""},
	{"used_conn_cur", "used_connections_current", "s", ""},
	{"need_conn_est", "need_connections_current", "s", ""},
	{"uweight", "uweight", "bs", ""},
}

// states are the values of the label `state` of haproxy_<type>_status, in HAProxy's order.
var states = [...][]string{
	Frontend: {"DOWN", "UP"},
	Backend:  {"DOWN", "UP"},
	Server:   {"DOWN", "UP", "MAINT", "DRAIN", "NOLB"},
}

// Metrics gives the samples under the names of HAProxy's own Prometheus exporter, so that boards made for that one work:
// labels proxy, server, code, state as there, and beside them `service` with the swarm service. Listeners have none.
func Metrics(samples []Sample, owner func(backend string) (service, stack string)) iter.Seq[Metric] {
	return func(yield func(Metric) bool) {
		for _, s := range samples {
			if s.Type > Server {
				continue
			}
			labels := s.metricLabels(owner)
			for state := range s.status() {
				if !yield(Metric{s.metricName("status"), "current state, 1 for the one it is in", false, with(labels, "state", state.Key), state.Value.(float64)}) {
					return
				}
			}
			for _, e := range exportedColumns {
				m, ok := s.metric(e, labels)
				if ok && !yield(m) {
					return
				}
			}
		}
	}
}

func (s Sample) metricName(name string) string { return "haproxy_" + s.Type.String() + "_" + name }

func (s Sample) metricLabels(owner func(string) (string, string)) []Tag {
	labels := []Tag{{"proxy", s.Proxy}}
	if s.Type == Server {
		labels = append(labels, Tag{"server", s.Sv})
	}
	if s.Type != Frontend {
		service := ""
		if owner != nil {
			service, _ = owner(s.Proxy)
		}
		labels = append(labels, Tag{"service", service})
	}
	return labels
}

func with(labels []Tag, key, value string) []Tag {
	return append(labels[:len(labels):len(labels)], Tag{key, value})
}

// metric answers false when the type of row has no such metric or HAProxy has no value.
func (s Sample) metric(e exported, labels []Tag) (Metric, bool) {
	forType := false
	for _, letter := range e.types {
		forType = forType || letter == rune("fbs"[s.Type])
	}
	value, known := s.Int(e.column)
	if !forType || !known {
		return Metric{}, false
	}
	column := columns[schema.column[e.column]]
	m := Metric{Name: s.metricName(e.name), Help: column.Doc, Labels: labels, Value: float64(value),
		Counter: column.Merge == Count || column.Merge == CountOnce}
	if e.code != "" {
		m.Help, m.Labels = "responses by the class of their status", with(labels, "code", e.code)
	}
	if column.Unit == "ms" {
		m.Value /= 1000
	}
	return m, true
}

// status gives each state with 1 for the present one. HAProxy says more in `show stat` than its exporter shows: UP 1/3 is
// a server on its way down, `no check` one that nobody checks.
func (s Sample) status() iter.Seq[Field] {
	word := s.Text("status")
	for i, r := range word {
		if r == ' ' {
			word = word[:i]
			break
		}
	}
	switch word {
	case "OPEN", "no":
		word = "UP"
	case "STOP", "FULL":
		word = "DOWN"
	}
	return func(yield func(Field) bool) {
		for _, state := range states[s.Type] {
			value := 0.0
			if state == word {
				value = 1
			}
			if !yield(Field{state, value}) {
				return
			}
		}
	}
}
