package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/influx"
)

func TestMainJob(t *testing.T) {
	t.Parallel() // after TestHitless, which wants the machine for itself
	s := deploy(t)
	// The order matters: each part begins where the one before left the swarm, with one replica.
	t.Run("it scales up and down with the load and no request fails", func(t *testing.T) { scalesWithoutLoss(s.in(t)) })
	t.Run("connections and decisions are in InfluxDB", func(t *testing.T) { isRecorded(s.in(t)) })
	t.Run("dashboards and alerts have data", func(t *testing.T) { isShown(s.in(t), appName) })
	t.Run("what is killed comes back and the scaling stays right", func(t *testing.T) { survives(s.in(t)) })
}

func scalesWithoutLoss(s *stack) {
	t := s.t
	r, err := s.attack("up-and-down.yml", func() {})
	if err != nil {
		t.Errorf("run the load: %v", err)
	}
	judge(t, r)
	if r.Total.Retries > 0 {
		t.Errorf("the client sent %d requests again: each of them met a connection that was closed under it", r.Total.Retries)
	}
}

func isRecorded(s *stack) {
	t := s.t
	reader := influx.NewReader(influx.Config{URL: "http://" + s.influxd, Bucket: "telegraf/autogen"})
	defer reader.Close()
	for what, query := range map[string]string{
		"sessions of the backend": `from(bucket: "telegraf/autogen") |> range(start: -10m)
			|> filter(fn: (r) => r._measurement == "haproxy" and r.service == "` + appName + `" and r.type == "backend" and r._field == "scur_mean") |> group() |> max()`,
		"replicas that the scaler wanted": `from(bucket: "telegraf/autogen") |> range(start: -10m)
			|> filter(fn: (r) => r._measurement == "sluice_scale" and r.service == "` + appName + `" and r._field == "desired") |> toFloat() |> group() |> max()`,
	} {
		records, err := reader.Query(t.Context(), query)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(records) != 1 || records[0].Value < 4 {
			t.Errorf("%s: got %v, want one maximum of at least 4", what, records)
		}
	}
}

// victim is a process to kill: find answers its id, 0 while it does not run.
type victim struct {
	name string
	find func() int
	// within is how soon requests must be answered again. A machine that is busy elsewhere may miss it once: see killAll.
	within time.Duration
	// loses is true where requests in flight are lost with the process.
	loses bool
	// beside allows three times what the victim before took to come back, if that is more than within.
	beside bool
}

func survives(s *stack) {
	t := s.t
	var losing []outage
	r, err := s.attackWhile("outages.yml", func() { losing = s.killAll() })
	if err != nil {
		t.Errorf("the load through the outages: %v", err)
	}
	s.await(patience, "it has one replica again", func() bool { return s.replicas() == 1 && s.decision().Running == 1 })
	for i, second := range r.Seconds {
		at := r.Started.Add(time.Duration(i) * time.Second)
		var cause []string
		for _, o := range losing {
			if at.Add(time.Second).After(o.at) && at.Before(o.until.Add(time.Second)) {
				cause = append(cause, o.name)
			}
		}
		if second.Failed > 0 && len(cause) == 0 {
			t.Errorf("second %d: %d requests failed though nothing that serves them was killed", i, second.Failed)
		} else if second.Failed > 0 {
			t.Logf("second %d: %d requests lost with %s", i, second.Failed, strings.Join(cause, ", "))
		}
	}
}

// outage is the end of a victim, until it is back.
type outage struct {
	victim
	at, until time.Time
}

// attempts is how often a victim is killed until requests were answered again in time. What takes too long by its nature does
// so each time; what else the machine does at that moment is not ours to judge.
const attempts = 3

// killAll kills one after the other and answers those that lose requests.
func (s *stack) killAll() (losing []outage) {
	t, started := s.t, time.Now()
	var back time.Duration // of the last victim
	s.await(patience, "the load has made it grow", func() bool { return s.replicas() >= 4 && s.decision().Running >= 4 })
	for _, v := range []victim{
		{"the proxy's controller", func() int { return child(s.container("proxy"), " control") }, 2 * time.Second, false, false},
		{"HAProxy's master", func() int { return child(s.container("proxy"), "haproxy -W") }, 2 * time.Second, true, false},
		{"the scaler", func() int { return s.container("scaler") }, 2 * time.Second, false, false},
		// With its first process the whole container ends; how soon the swarm starts another one is not ours to say
		// (about 2 s on an idle machine, as for the scaler's).
		{"the proxy's container", func() int { return s.container("proxy") }, 10 * time.Second, true, true},
		{"influxd", func() int { return influxd(s.container("influxdb")) }, 2 * time.Second, false, false},
	} {
		if v.beside {
			v.within = max(v.within, 3*back)
		}
		for attempt := 1; ; attempt++ {
			at := time.Now()
			reachable := s.kill(v)
			if v.loses {
				losing = append(losing, outage{v, at, time.Now()})
			}
			back = time.Since(at)
			t.Logf("%s: reachable after %s, back after %s", v.name, reachable.Round(time.Millisecond), back.Round(time.Millisecond))
			if reachable <= v.within {
				break
			}
			if attempt == attempts {
				t.Errorf("%s: %d times the service was not reachable again within %s", v.name, attempts, v.within)
				break
			}
		}
	}
	last := time.Now()
	s.await(patience, "the load goes on for seconds", func() bool { return time.Since(last) > 3*time.Second })
	t.Logf("all killed and back after %s", time.Since(started).Round(time.Second))
	return losing
}

// kill ends the process and waits until requests are answered again, and then until the process is back.
func (s *stack) kill(v victim) (reachable time.Duration) {
	t := s.t
	t.Helper()
	var pid int
	s.await(patience, v.name+" runs", func() bool { pid = v.find(); return pid != 0 })
	at := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill %s: %v", v.name, err)
	}
	s.await(patience, v.name+" has ended", func() bool { _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); return err != nil })
	s.await(patience, "requests are answered after the end of "+v.name, func() bool { return s.status() == http.StatusOK })
	reachable = time.Since(at)
	s.await(patience, v.name+" is back", func() bool { now := v.find(); return now != 0 && now != pid })
	return reachable
}

// influxd is the server itself where the container's first process is a script.
func influxd(container int) int {
	if below := child(container, "influxd"); below != 0 {
		return below
	}
	return container
}
