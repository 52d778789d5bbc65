package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sluice/internal/swarm"
)

// pretended is the API of an engine whose swarm has so many services of five tasks, as an engine of 20.10 says it: a task
// is about 1,600 bytes.
type pretended struct {
	services, tasks []byte
	of              map[string][]byte // the tasks of one service
	asked, sent     atomic.Int64      // requests, and bytes of answers
}

const pretendedTask = `{"ID":"%[1]s-%[2]d","Version":{"Index":1970},"CreatedAt":"2026-11-23T06:23:31.990014936Z","UpdatedAt":"2026-11-23T06:23:33.682380363Z","Labels":{},` +
	`"Spec":{"ContainerSpec":{"Image":"registry.example.com/team/application:1.2.3","Hostname":"{{.Task.ID}}","Env":["TASK_SLOT={{.Task.Slot}}","CAPACITY=50","WORK=10ms","QUEUE=5000","DRAIN=3s"],"StopGracePeriod":15000000000,"Isolation":"default"},` +
	`"Resources":{"Limits":{"MemoryBytes":268435456}},"RestartPolicy":{"Condition":"any","Delay":100000000,"MaxAttempts":0},"Networks":[{"Target":"m8n713md6fdxov9p242foo9pi"}],"ForceUpdate":0},` +
	`"ServiceID":"%[1]s","Slot":%[2]d,"NodeID":"0dayqmj6adfqgd5w97e9hmhey","Status":{"Timestamp":"2026-11-23T06:23:32.846623682Z","State":"running","Message":"started",` +
	`"ContainerStatus":{"ContainerID":"f1c5c2a1d0c2f8e7b4a39687d5c4b3a291807f6e5d4c3b2a19f8e7d6c5b4a392","PID":12345,"ExitCode":0},"PortStatus":{}},"DesiredState":"running",` +
	`"NetworksAttachments":[{"Network":{"ID":"m8n713md6fdxov9p242foo9pi","Version":{"Index":1929},"CreatedAt":"2026-11-23T06:23:10.986710555Z","UpdatedAt":"2026-11-23T06:23:10.991860321Z",` +
	`"Spec":{"Name":"proxy","Labels":{"com.docker.stack.namespace":"ingress"},"DriverConfiguration":{"Name":"overlay"},"Attachable":true,"Scope":"swarm"},` +
	`"DriverState":{"Name":"overlay","Options":{"com.docker.network.driver.overlay.vxlanid_list":"4115"}},"IPAMOptions":{"Driver":{"Name":"default"},"Configs":[{"Subnet":"10.0.0.0/16","Gateway":"10.0.0.1"}]}},` +
	`"Addresses":["10.0.%[3]d.%[4]d/16"]}]}`

const pretendedService = `{"ID":"%[1]s","Version":{"Index":1943},"CreatedAt":"2026-11-23T06:23:31.897248279Z","UpdatedAt":"2026-11-23T06:23:31.897248279Z",` +
	`"Spec":{"Name":"%[1]s","Labels":{"com.df.notify":"true","com.df.port":"8080","com.df.serviceDomain":"%[1]s.example.com","com.docker.stack.namespace":"s"},` +
	`"TaskTemplate":{"ContainerSpec":{"Image":"registry.example.com/team/application:1.2.3","Env":["CAPACITY=50","WORK=10ms","QUEUE=5000","DRAIN=3s"],"StopGracePeriod":15000000000,"Isolation":"default"},` +
	`"RestartPolicy":{"Condition":"any","Delay":100000000,"MaxAttempts":0},"Networks":[{"Target":"m8n713md6fdxov9p242foo9pi"}],"ForceUpdate":0,"Runtime":"container"},` +
	`"Mode":{"Replicated":{"Replicas":5}},"UpdateConfig":{"Parallelism":1,"FailureAction":"pause","Monitor":500000000,"MaxFailureRatio":0,"Order":"start-first"},"EndpointSpec":{"Mode":"dnsrr"}},"Endpoint":{"Spec":{}}}`

func newPretended(b *testing.B, services int) (*pretended, *swarm.Client) {
	p := &pretended{of: map[string][]byte{}}
	var allServices, allTasks [][]byte
	for i := range services {
		name := fmt.Sprint("service", i)
		allServices = append(allServices, fmt.Appendf(nil, pretendedService, name))
		var own [][]byte
		for slot := range 5 {
			n := 5*i + slot
			own = append(own, fmt.Appendf(nil, pretendedTask, name, slot+1, n/250, n%250+1))
		}
		allTasks = append(allTasks, own...)
		p.of[name] = array(own)
	}
	p.services, p.tasks = array(allServices), array(allTasks)
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	mux.HandleFunc("GET /{api}/services", func(w http.ResponseWriter, _ *http.Request) { p.answer(w, p.services) })
	mux.HandleFunc("GET /{api}/networks", func(w http.ResponseWriter, _ *http.Request) {
		p.answer(w, []byte(`[{"Id":"m8n713md6fdxov9p242foo9pi","Name":"proxy"}]`))
	})
	mux.HandleFunc("GET /{api}/tasks", func(w http.ResponseWriter, r *http.Request) { p.answer(w, p.listed(r.FormValue("filters"))) })
	server := httptest.NewServer(mux)
	b.Cleanup(server.Close)
	client, err := swarm.Open(strings.Replace(server.URL, "http", "tcp", 1))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close() })
	return p, client
}

func array(items [][]byte) []byte {
	return append(append([]byte("["), bytes.Join(items, []byte(","))...), ']')
}

func (p *pretended) listed(filters string) []byte {
	_, of, filtered := strings.Cut(filters, `"service":{`)
	if !filtered {
		return p.tasks
	}
	var own [][]byte
	for name := range strings.SplitSeq(strings.TrimRight(of, "}"), ",") {
		tasks := p.of[strings.Trim(strings.TrimSuffix(name, ":true"), `"`)]
		own = append(own, bytes.Trim(tasks, "[]"))
	}
	return array(own)
}

func (p *pretended) answer(w http.ResponseWriter, content []byte) {
	p.asked.Add(1)
	p.sent.Add(int64(len(content)))
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(content) // a client that has gone will ask again
}

// BenchmarkLook is what looking at a swarm of 5,000 tasks costs in which nothing has changed: at rest, after an event, and
// between whole lists while a service moves. The CPU time is that of both sides; the pretended engine has its answers ready.
func BenchmarkLook(b *testing.B) {
	for _, one := range []struct {
		name   string
		before func(*lister)
	}{
		{"at rest", func(l *lister) { l.known.whole = time.Time{} }},
		{"after an event", func(l *lister) { l.forget(); l.known.whole = time.Time{} }},
		{"while one service moves", func(l *lister) { l.known.services[7].due, l.known.whole = true, time.Now() }},
	} {
		b.Run(one.name, func(b *testing.B) {
			p, client := newPretended(b, 1000)
			l := &lister{swarm: client}
			if found, err := l.look(b.Context(), time.Now(), false); err != nil || found.tasks != 5000 || found.converges {
				b.Fatal(found.tasks, found.converges, err)
			}
			asked, sent, cpu := p.asked.Load(), p.sent.Load(), cpuTime(b)
			b.ReportAllocs()
			for b.Loop() {
				one.before(l)
				if _, err := l.look(b.Context(), time.Now(), false); err != nil {
					b.Fatal(err)
				}
			}
			n := float64(b.N)
			b.ReportMetric(float64(p.asked.Load()-asked)/n, "requests/op")
			b.ReportMetric(float64(p.sent.Load()-sent)/n/1e6, "MB/op")
			b.ReportMetric((cpuTime(b)-cpu).Seconds()*1000/n, "cpu-ms/op")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
