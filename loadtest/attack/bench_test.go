package attack

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/loadtest/scenario"
)

// BenchmarkLag tells by how much requests leave late at a rate, against a server that does next to nothing in the same process: what the
// client is worth on this machine. A run is two seconds of load whatever b.N is.
func BenchmarkLag(b *testing.B) {
	for _, rate := range []float64{1_000, 5_000, 10_000, 20_000, 30_000} {
		b.Run(fmt.Sprintf("%g per second", rate), func(b *testing.B) {
			address := trivial(b)
			for b.Loop() {
				s := load("http://"+address, rate, 2*time.Second)
				s.Connections = 200
				var got outcomes
				if _, err := Run(b.Context(), s, scenario.NewSchedule(s.Phases), time.Now(), got.add); err != nil {
					b.Fatal(err)
				}
				var late, service []time.Duration
				last := time.Duration(0)
				for _, o := range got.all {
					late, service, last = append(late, o.Sent-o.Due), append(service, o.Service()), max(last, o.Done)
				}
				slices.Sort(late)
				slices.Sort(service)
				b.ReportMetric(float64(late[len(late)/2].Microseconds()), "lag-p50-µs")
				b.ReportMetric(float64(late[len(late)*99/100].Microseconds()), "lag-p99-µs")
				b.ReportMetric(float64(service[len(late)/2].Microseconds()), "answer-p50-µs")
				b.ReportMetric(float64(len(got.all))/last.Seconds(), "requests/s")
			}
		})
	}
}

// trivial is a server that answers every request the same, without looking at it.
func trivial(b *testing.B) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					if strings.TrimSpace(line) == "" {
						_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}
