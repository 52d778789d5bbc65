package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/internal/swarm"
)

// silent starts a task that takes requests and never answers; it tells of each.
func (r *rig) silent(service string, slot int, address string) (swarm.Task, <-chan struct{}) {
	r.t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, fmt.Sprint(r.port)))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { listener.Close() })
	requests := make(chan struct{}, 100)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r.t.Cleanup(func() { conn.Close() })
			go func() {
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil { // the gate sends nothing
					requests <- struct{}{}
				}
			}()
		}
	}()
	return runningTask(service, slot, address), requests
}

func TestOldWorkersWithOpenConnectionsAreBounded(t *testing.T) {
	r := newRig(t)
	const most = 2
	r.loop.settings.OldWorkers, r.loop.settings.HardStopAfter, r.loop.settings.Timeouts.Server = most, time.Hour, time.Hour
	task, requests := r.silent("slow", 1, "127.0.0.12")
	r.swarm.services, r.swarm.tasks = []swarm.Service{r.service("slow", 1, "servicePath=/slow")}, []swarm.Task{task}
	r.settle()
	before := r.reloads()
	var conns []net.Conn
	for i := range most + 2 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
		fmt.Fprint(conn, "GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
		<-requests
		r.swarm.change(func() {
			r.swarm.services = append(r.swarm.services, r.service(fmt.Sprint("new", i), 0, fmt.Sprint("servicePath=/new", i)))
		})
		r.settle()
	}
	if n := r.reloads() - before; n != most+2 {
		t.Fatalf("%d reloads, want %d", n, most+2)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		p, err := r.master.Processes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Old()) == most {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d old workers, want %d", len(p.Old()), most)
		}
	}
	for i, conn := range conns {
		kept, wait := i >= len(conns)-most, time.Minute // for an end that must come
		if kept {
			wait = 100 * time.Millisecond
		}
		conn.SetReadDeadline(time.Now().Add(wait))
		_, err := conn.Read(make([]byte, 1))
		if open := errors.Is(err, os.ErrDeadlineExceeded); open != kept {
			t.Errorf("connection %d: open is %t", i+1, open)
		}
	}
	if !strings.Contains(r.log.String(), "oldest worker was ended") || !strings.Contains(r.loop.figures().reloadReason, "MAX_OLD_WORKERS") {
		t.Errorf("neither log nor reason of the reload %q tell", r.loop.figures().reloadReason)
	}
}

func TestReloadsGetRarerWhileOldWorkersStay(t *testing.T) {
	var c pendingChange
	start := time.Now()
	c.due(start, "shape", start, oldGap(20))
	for after, want := range map[time.Duration]bool{reloadGap + settle: false, oldGap(20) - time.Millisecond: false, oldGap(20): true} {
		if got := c.due(start.Add(after), "shape", start, oldGap(20)); got != want {
			t.Errorf("with 20 old workers a reload %v after the one before is due: %t", after, got)
		}
	}
}
