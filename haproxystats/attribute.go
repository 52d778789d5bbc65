package haproxystats

const haproxyDoc = "One point per frontend, backend and server of a proxy instance, each `STATS_INTERVAL`. " +
	"Names, types and omitted empty columns are those of Telegraf's haproxy input, so dashboards made for that one work. " +
	"Columns that this page does not know are written as integers of the current worker."

// telegrafDoc lists what differs on purpose; a test compares all the rest with the real Telegraf.
const telegrafDoc = "Telegraf's haproxy input on the same HAProxy writes the same names, tags, types and, while one worker runs, the same values. On purpose differ:\n\n" +
	"- After a reload Telegraf reads the new worker alone: connections that are still open with the old one vanish from its gauges, and counters start at 0 again. Here all workers are added up and counters go on.\n" +
	"- Telegraf's tag `server` names the socket or URL that it reads, here it names the proxy instance.\n" +
	"- Only here: tags `service` and `stack`; fields `scur_mean`, `scur_max`, `req_rate_mean`.\n" +
	"- Where there are more than 1,000 servers, their rows are written less often than each interval.\n\n" +
	"Do not let Telegraf read the same HAProxy into the same database: every row would be there twice."

// prometheusDoc says what /metrics has of HAProxy.
const prometheusDoc = "`/metrics` of the proxy shows the same samples under the names and labels of HAProxy's own exporter (`haproxy_frontend_*`, `haproxy_backend_*`, `haproxy_server_*`), " +
	"all workers added up, so that boards made for that exporter work; backends and servers also have the label `service`. `haproxy_up` is 1 while HAProxy can be read. " +
	"Not there are `haproxy_process_*`, and `check_status` as a number. What the proxy says of itself is called `sluice_proxy_*`."

var haproxyTags = [...]Attribute{
	{"host", Text, "", "", "host name of the proxy"},
	{"server", Text, "", "", "name of the proxy instance"},
	{"service", Text, "", "", "swarm service behind the backend; absent when there is none"},
	{"stack", Text, "", "", "stack of that service; absent when there is none"},
}

// Names of the fields that HAProxy does not have and Sluice computes. Only backends have them.
const (
	ScurMean    = "scur_mean"
	ScurMax     = "scur_max"
	ReqRateMean = "req_rate_mean"
)

var derivedFields = [...]Attribute{
	{ScurMean, Float, "sessions", "`scur`, read several times",
		"backends: mean of the added-up open sessions over the time since the last point, weighted by time (trapezoids between readings)"},
	{ScurMax, Float, "sessions", "`scur`, read several times",
		"backends: highest reading of the added-up open sessions since the last point"},
	{ReqRateMean, Float, "requests/s", "`stot`",
		"backends: requests that arrived since the last point (TCP: connections) per second; absent at the first point. " +
			"Arrivals and not `req_tot`, which counts what is done and so cannot rise above what the servers manage"},
}

const proxyDoc = "One point per proxy instance, each `STATS_INTERVAL`."

var proxyTags = [...]Attribute{
	{"host", Text, "", "", "host name of the proxy"},
	{"server", Text, "", "", "name of the proxy instance"},
}

var proxyFields = [...]Attribute{
	{"up", Int, "", "", "1 when HAProxy could be read, else 0"},
	{"workers", Int, "workers", "", "HAProxy workers, draining ones included"},
	{"draining", Int, "workers", "", "workers that finish old connections after a reload"},
	{"reloads", Int, "reloads", "", "reloads since the proxy started"},
	{"reload_reason", Text, "", "", "why it was reloaded; only in the first point after a reload"},
	{"commands", Int, "commands", "", "runtime commands sent to HAProxy since the proxy started"},
	{"services", Int, "services", "", "services that are routed"},
	{"routes", Int, "routes", "", "routes"},
	{"problems", Int, "problems", "", "labels and routes that were left out"},
	{"problem", Text, "", "", "one of them: service, label and reason, first those of the quarantine; only while there are any"},
	{"quarantined", Int, "problems", "", "of them: backends and certificates that HAProxy refuses"},
	{"failing_s", Float, "seconds", "", "how long the swarm cannot be read, or HAProxy does not take what it should; 0 when all is well"},
	{"failure", Text, "", "", "why; only while it lasts"},
	{"readings", Int, "readings", "", "readings of the open sessions that went into this point"},
	{"ask_ms", Float, "ms", "", "time HAProxy took to answer the reading of all backends, smoothed"},
	{"spool_bytes", Int, "bytes", "", "written and not yet acknowledged by InfluxDB"},
	{"spool_points", Int, "points", "", "written and not yet acknowledged by InfluxDB"},
	{"dropped_points", Int, "points", "", "points lost since the proxy started: the spool or the disk was full"},
	{"refused_points", Int, "points", "", "points InfluxDB refused since the proxy started"},
	{"lag_s", Float, "seconds", "", "age of the oldest point that InfluxDB has not acknowledged"},
}

const scaleDoc = "One point per service and evaluation that says something new, at least every 10 s, by the scaler."

var scaleTags = [...]Attribute{
	{"host", Text, "", "", "host name of the scaler"},
	{"service", Text, "", "", "swarm service"},
	{"stack", Text, "", "", "stack of that service; absent when there is none"},
}

var scaleFields = [...]Attribute{
	{"current", Int, "replicas", "", "replicas the service has"},
	{"desired", Int, "replicas", "", "replicas the evaluation wants"},
	{"running", Int, "tasks", "", "tasks that run"},
	{"min", Int, "replicas", "", "lower bound"},
	{"max", Int, "replicas", "", "upper bound"},
	{"sessions", Float, "sessions", "", "open sessions as observed over the window"},
	{"sessions_target", Float, "sessions", "", "open sessions wanted per replica"},
	{"requestRate", Float, "requests/s", "", "request rate as observed over the window"},
	{"requestRate_target", Float, "requests/s", "", "request rate wanted per replica"},
	{"sessionRate", Float, "sessions/s", "", "session rate as observed over the window"},
	{"sessionRate_target", Float, "sessions/s", "", "session rate wanted per replica"},
	{"queue", Float, "requests", "", "queued requests as observed over the window"},
	{"queue_target", Float, "requests", "", "queued requests wanted per replica"},
	{"responseTime", Float, "ms", "", "response time as observed over the window"},
	{"responseTime_target", Float, "ms", "", "response time wanted"},
	{"errorRate", Float, "", "", "share of errors as observed over the window, 0 to 1"},
	{"errorRate_target", Float, "", "", "share of errors wanted"},
	{"bytesOut", Float, "bytes/s", "", "bytes to clients as observed over the window"},
	{"bytesOut_target", Float, "bytes/s", "", "bytes to clients wanted per replica"},
	{"cpu", Float, "percent", "", "CPU time of a task as observed over the window, in percent of a core"},
	{"cpu_target", Float, "percent", "", "CPU time of a task wanted"},
	{"memory", Float, "percent", "", "memory of a task as observed over the window, in percent of its limit"},
	{"memory_target", Float, "percent", "", "memory of a task wanted"},
	{"query", Float, "", "", "answer to the rule's query as observed over the window"},
	{"query_target", Float, "", "", "answer wanted, per replica or as it is"},
	{"verdict", Text, "", "", "what was decided: up, down, steady, hold, off, refused (not replicated), invalid (its labels)"},
	{"reason", Text, "", "", "the sentence with the numbers"},
}
