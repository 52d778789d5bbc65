package main

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"time"
)

// attacking measures how exactly the load test sends what it is asked to, by the clock of the server that it sends to, and up to which rate.
func attacking(ctx context.Context, b bench) ([]row, error) {
	const within = 1 // percent
	worst, worstAt := 0.0, 0
	for _, rate := range []int{500, 1_000, 2_000, 5_000} {
		var errs []float64
		for range b.rounds {
			a, err := b.attacked(ctx, rate)
			if err != nil {
				return nil, err
			}
			if a.starved {
				return nil, fmt.Errorf("send %d requests/s: the server of this measurement did not keep up: is the machine busy?", rate)
			}
			errs = append(errs, a.off)
		}
		off := median(errs)
		b.say("  %6d requests/s: off by %.2f %%", rate, off)
		if off >= worst {
			worst, worstAt = off, rate
		}
	}
	accuracy := limited("attacked rate, off from 500 to 5,000 requests/s", "%", worst, within)
	accuracy.Detail = fmt.Sprintf("the worst is at %d requests/s", worstAt)
	highest := row{Name: "attacked rate, the highest within 1 %", Unit: "requests/s"}
	for rate := 5_000; rate <= 60_000; rate += 2_500 {
		a, err := b.attacked(ctx, rate)
		if err != nil {
			return nil, err
		}
		b.say("  %6d requests/s: off by %.2f %%, %s", rate, a.off, a.detail)
		if a.off > within || a.starved {
			break
		}
		highest.Ours, highest.Detail = float64(rate), a.detail
	}
	return []row{accuracy, highest}, nil
}

// attack is one run of the attacker.
type attack struct {
	off     float64 // percent by which the rate at which requests came was not the one asked for
	starved bool    // the server was the limit: all connections waited for it
	detail  string
}

func (b bench) attacked(ctx context.Context, rate int) (a attack, err error) {
	server, err := startStopwatch()
	if err != nil {
		return a, err
	}
	defer server.listener.Close()
	r, err := b.loadtest(ctx, "rate.yml", "TARGET=http://"+server.listener.Addr().String()+"/", fmt.Sprintf("RATE=%d", rate), "DURATION=3s")
	if err != nil {
		return a, err
	}
	if err := spoiled(r); err != nil {
		return a, err
	}
	n, took := server.read()
	if n != r.Total.Asked {
		return a, fmt.Errorf("send requests: %d came of %d", n, r.Total.Asked)
	}
	a.starved = r.Pace.ConnectionLimited
	a.off = 100 * math.Abs(float64(n-1)/took.Seconds()/float64(rate)-1)
	a.detail = fmt.Sprintf("%.1f of %d cores, 99 %% left less than %.1f ms late", r.Pace.CPU, r.Pace.Cores, r.Pace.LatenessP99Ms)
	return a, nil
}

// stopwatch is a server that answers all requests alike, without looking at them, and notes when they came.
type stopwatch struct {
	listener net.Listener

	mu          sync.Mutex
	n           int
	first, last time.Time
}

func startStopwatch() (*stopwatch, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &stopwatch{listener: listener}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go s.answer(conn)
		}
	}()
	return s, nil
}

func (s *stopwatch) answer(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if strings.TrimSpace(line) != "" {
			continue
		}
		s.note(time.Now())
		if _, err := conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")); err != nil {
			return
		}
	}
}

func (s *stopwatch) note(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n++; s.n == 1 {
		s.first = at
	}
	s.last = at
}

// read answers how many requests came, and the time from the first to the last.
func (s *stopwatch) read() (n int, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n, s.last.Sub(s.first)
}
