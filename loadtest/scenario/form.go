package scenario

// form is a way to say an expectation, for the reference.
type form struct{ example, about string }

func forms() []form {
	return []form{
		{"errors = 0", "requests that failed: status 400 and more, connections that broke, timeouts, and those that were never sent; as a count or a share (errors < 0.1%)"},
		{"status 429 < 1%", "requests answered with this status, as a count or a share"},
		{"p99 < 200ms in peak", "latency from when requests were due: mean, p50, p90, p95, p99, p99.9 or max"},
		{"sent >= 99%", "share of the asked requests that left within a second of when they were due"},
		{"retries = 0", "requests the client sent again on a fresh connection"},
		{"replicas >= 4 by 40s", "the highest number of running replicas until second 40, or: in peak"},
		{"final replicas = 1 within 60s", "running and desired replicas, once the load has ended; looked at until it holds, for so long at most"},
		{"held lost = 0", "held connections that were lost or refused"},
		{"held open >= 200 in peak", "the highest number of held connections that were open at one time"},
		{"held p99 < 50ms", "time to the echo of a WebSocket's sign of life, for the slowest group"},
		{"reloads <= 2", "reloads of the proxy during the run"},
		{"answer http://127.0.0.1/votes .total = succeeded", "a number that the service itself gives after the load: the whole answer, a field of its JSON (.total, .votes.a), or a metric by its name. It is compared with a number, with the requests sent or succeeded, or with those to one target (succeeded of vote); with within 10s at the end it is asked until it holds"},
		{"growth http://127.0.0.1/votes .total = succeeded of vote", "the same number, less what it was before the load"},
	}
}
