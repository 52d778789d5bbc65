package scenario

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxHeld bounds the connections of one group.
const maxHeld = 50_000

// Stream says whether it is an answer that goes on, and no WebSocket.
func (h Hold) Stream() bool { return strings.HasPrefix(h.URL, "http") }

func (d *decoder) holdFields(h *Hold) []field {
	return []field{
		{"url", "ws://HOST:PORT/PATH", "a WebSocket; wss:// too. http:// and https:// are answers that go on as a stream, such as server-sent events; needed", d.textTo(&h.URL, "url")},
		{"connections", "number", "how many; needed", d.wholeTo(&h.Connections, "connections", maxHeld)},
		{"rate", "100", "connections opened per second", func(n *yaml.Node) { h.Rate = d.rate(n, "rate") }},
		{"at", "0s", "when the first is opened, from the start of the load", d.momentTo(&h.At, "at")},
		{"every", "1s", "how often each gives a sign of life and awaits its echo, for as long as timeout; of a stream, the longest time in which it may bring nothing: unless given, for ever", d.durationTo(&h.Every, "every")},
		{"message", "text", "of a WebSocket, the sign of life: a message that the server sends back; unless given, a ping of the protocol", d.textTo(&h.Message, "message")},
		{"reopen", "true", "false leaves what was lost or refused; true opens it again after a second", d.boolTo(&h.Reopen, "reopen")},
		{"headers", "{name: value}", "headers of the handshake or request; Host sets its host", d.headersTo(&h.Headers)},
		d.tlsField(&h.TLS),
	}
}

func (d *decoder) hold(n *yaml.Node) Hold {
	h, before := Hold{Rate: DefaultHoldRate, Every: DefaultHoldEvery, Reopen: true}, len(d.problems)
	given := d.object(n, "a hold", d.holdFields(&h))
	if len(d.problems) > before {
		return h
	}
	if h.URL == "" {
		d.problem(n.Line, "a hold needs a url")
	}
	if h.Connections == 0 {
		d.problem(n.Line, "a hold needs the number of its connections")
	}
	if h.Rate == 0 {
		d.problem(n.Line, "a hold needs a rate above 0")
	}
	if h.Stream() {
		if h.Message != "" {
			d.problem(given["message"], "a message is sent over a WebSocket (ws://); of a stream only what comes is read")
		}
		if given["every"] == 0 {
			h.Every = 0
		}
	}
	return h
}
