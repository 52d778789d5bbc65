package main

import (
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"sluice/routing"
)

func open(t *testing.T, file string, fixed map[string]labels) *declarations {
	t.Helper()
	d, err := openDeclarations(file, fixed, "test", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func names(d *declarations) (list []string) {
	for _, s := range d.current().services {
		list = append(list, s.Name+" "+s.Labels["com.df.servicePath"])
	}
	return list
}

func TestDeclaredServicesSurviveAndThoseOfTheEnvironmentComeBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "services.json")
	environment := func() map[string]labels {
		return map[string]labels{"fixed": {"com.df.servicePath": "/fixed"}, "both": {"com.df.servicePath": "/environment"}}
	}
	d := open(t, file, environment())
	for _, step := range []func() (uint64, error){
		func() (uint64, error) { return d.put("both", labels{"com.df.servicePath": "/api"}, false) },
		func() (uint64, error) { return d.put("given", labels{"com.df.servicePath": "/given"}, false) },
		func() (uint64, error) { return d.put("gone", labels{"com.df.servicePath": "/gone"}, false) },
		func() (uint64, error) { return d.put("gone", nil, false) },
		func() (uint64, error) { return d.put("fixed", nil, false) },
	} {
		before := d.current().version
		if after, err := step(); err != nil || after <= before {
			t.Fatalf("version %d after %d, %v", after, before, err)
		}
	}
	if diff := cmp.Diff([]string{"both /api", "given /given"}, names(d)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"both /api", "fixed /fixed", "given /given"}, names(open(t, file, environment()))); diff != "" {
		t.Error("after a restart:", diff)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file may hold passwords: %v, %v", info.Mode(), err)
	}
}

func TestABrokenFileIsSetAside(t *testing.T) {
	for _, content := range []string{"", "{", `{"version":2,"services":{}}`, `{"version":1}`, `{"version":1,"services":{"a":{"b":1}}}`, `[]`} {
		file := filepath.Join(t.TempDir(), "services.json")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		d, err := openDeclarations(file, nil, "test", zerolog.New(&log))
		if err != nil || len(names(d)) != 0 || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("%q: %v, services %v, log %s", content, err, names(d), &log)
		}
		if kept, err := os.ReadFile(file + ".broken"); err != nil || string(kept) != content {
			t.Errorf("%q: kept %q, %v", content, kept, err)
		}
	}
}

func TestManyWritersLoseNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "services.json")
	d := open(t, file, nil)
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			if _, err := d.put(fmt.Sprintf("s%02d", i), labels{}, false); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := len(names(open(t, file, nil))); n != 20 {
		t.Errorf("%d services of 20 are in the file", n)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestADeclaredServiceIsReachedByItsNameAndAsksForItsRoute(t *testing.T) {
	d := &declarations{}
	if _, err := d.put("db", labels{"com.df.port": "80"}, false); err != nil {
		t.Fatal(err)
	}
	want := labels{"com.df.port": "80", "com.df.notify": "true", "com.df.outboundHostname": "db"}
	if diff := cmp.Diff(want, d.current().services[0].Labels); diff != "" {
		t.Error(diff)
	}
}

func TestTheSwarmsServiceCountsBeforeADeclaredOne(t *testing.T) {
	all, problems := join([]routing.Service{{Name: "a", Stack: "swarm"}}, []routing.Service{{Name: "a"}, {Name: "b"}})
	if len(all) != 2 || all[0].Stack != "swarm" || len(problems) != 1 || problems[0].Service != "a" {
		t.Errorf("got %+v, problems %v", all, problems)
	}
}

func TestEnvironmentIsReadAsDockerFlowProxyHasIt(t *testing.T) {
	for _, row := range []struct {
		name    string
		environ string
		want    map[string]labels
		err     string
	}{
		{"no variable", "PATH=/bin DFP_SERVER_1_PORT=8", map[string]labels{}, ""},
		{"without a number", "DFP_SERVICE_SERVICE_NAME=a DFP_SERVICE_PORT=80 DFP_SERVICE_OUTBOUND_HOSTNAME=h",
			map[string]labels{"a": {"com.df.port": "80", "com.df.outboundHostname": "h"}}, ""},
		{"numbered, with gaps", "DFP_SERVICE_1_SERVICE_NAME=a DFP_SERVICE_1_PORT=80 DFP_SERVICE_7_SERVICE_NAME=b DFP_SERVICE_7_SERVICE_PATH=/x,/y",
			map[string]labels{"a": {"com.df.port": "80"}, "b": {"com.df.servicePath": "/x,/y"}}, ""},
		{"indexes at the end", "DFP_SERVICE_SERVICE_NAME=a DFP_SERVICE_PORT_1=80 DFP_SERVICE_2_SERVICE_NAME=b DFP_SERVICE_2_SERVICE_PATH_12=/x",
			map[string]labels{"a": {"com.df.port.1": "80"}, "b": {"com.df.servicePath.12": "/x"}}, ""},
		{"a value with =", "DFP_SERVICE_SERVICE_NAME=a DFP_SERVICE_SERVICE_PATH=/a=b", map[string]labels{"a": {"com.df.servicePath": "/a=b"}}, ""},
		{"an unknown field is routing's business", "DFP_SERVICE_SERVICE_NAME=a DFP_SERVICE_SERVICE_PTAH=/a DFP_SERVICE_DISTRIBUTE=true", map[string]labels{"a": {"com.df.servicePtah": "/a"}}, ""},
		{"no name", "DFP_SERVICE_2_PORT=80", nil, "DFP_SERVICE_2_SERVICE_NAME: is missing, but other variables begin with DFP_SERVICE_2"},
		{"one name twice", "DFP_SERVICE_1_SERVICE_NAME=a DFP_SERVICE_2_SERVICE_NAME=a", nil, `DFP_SERVICE_2_SERVICE_NAME: another service of the environment has the name "a"`},
	} {
		got, err := declaredByEnvironment(strings.Fields(row.environ))
		if fmt.Sprint(err) != row.err && (err != nil || row.err != "") {
			t.Errorf("%s: error %v, want %q", row.name, err, row.err)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

func FuzzEnvironment(f *testing.F) {
	f.Add("DFP_SERVICE_1_SERVICE_NAME=a\nDFP_SERVICE_1__PORT_=80\nDFP_SERVICE_=")
	f.Fuzz(func(t *testing.T, environ string) {
		services, err := declaredByEnvironment(strings.Split(environ, "\n"))
		for name := range services {
			if name == "" || err != nil {
				t.Errorf("service %q, error %v", name, err)
			}
		}
	})
}

func TestParametersAreReadWithoutCase(t *testing.T) {
	for _, row := range []struct{ parameter, want string }{
		{"servicePath", "servicePath"}, {"servicepath", "servicePath"}, {"SERVICEPATH.3", "servicePath.3"}, {"SERVICENAME", "serviceName"},
		{"outboundhostname.1", "outboundHostname.1"}, {"servicePtah", "servicePtah"}, {"port.x", "port.x"}, {"", ""}, {".1", ".1"},
	} {
		if got := canonical(row.parameter); got != row.want {
			t.Errorf("%q: got %q, want %q", row.parameter, got, row.want)
		}
	}
}

func TestWhatDockerFlowProxyRefusesIsRefusedWithItsCode(t *testing.T) {
	for _, row := range []struct {
		parameters map[string]string
		code       int // 0 is accepted
	}{
		{map[string]string{"serviceName": "a", "port": "80", "servicePath": "/"}, 0},
		{map[string]string{"serviceName": "a", "port.1": "80", "serviceDomain.1": "a.test"}, 0},
		{map[string]string{"port": "80", "servicePath": "/"}, http.StatusBadRequest},
		{map[string]string{"serviceName": " ", "port": "80", "servicePath": "/"}, http.StatusBadRequest},
		{map[string]string{"serviceName": "a", "servicePath": "/"}, http.StatusBadRequest},
		{map[string]string{"serviceName": "a", "port": "80"}, http.StatusConflict},
		{map[string]string{"serviceName": "a"}, http.StatusConflict},
		{map[string]string{"serviceName": "a", "httpsPort": "443", "servicePath": "/"}, 0},
		{map[string]string{"serviceName": "a", "port": "80", "reqMode": "tcp"}, http.StatusBadRequest},
		{map[string]string{"serviceName": "a", "port": "80", "reqMode": "TCP", "srcPort": "6379"}, 0},
		{map[string]string{"serviceName": "a", "port.1": "80", "reqMode.1": "sni", "srcPort.1": "443"}, 0},
		{map[string]string{"serviceName": "a", "port": "80", "reqMode.1": "tcp", "reqMode.2": "http", "srcPort.1": "1"}, http.StatusConflict},
	} {
		refused, _ := checkParameters(row.parameters).(refusal)
		if refused.code != row.code {
			t.Errorf("%v: got %d %s, want %d", row.parameters, refused.code, refused.reason, row.code)
		}
	}
}

func TestEntriesAreReadAndBoundOnce(t *testing.T) {
	for _, row := range []struct {
		ports, more string
		want        []string // nil is refused
	}{
		{"80", "", []string{"*:80"}},
		{"80,443:ssl", "8085, 8086", []string{"*:80", "*:443", "*:8085", "*:8086"}},
		{"80, 80", "80", []string{"*:80"}},
		{"127.0.0.1:80,[::1]:81:ssl,localhost:82", "", []string{"127.0.0.1:80", "[::1]:81", "localhost:82"}},
		{"80 accept-proxy, 127.0.0.1:443  accept-proxy:ssl", "", []string{"*:80 accept-proxy", "127.0.0.1:443 accept-proxy"}},
		{"80 mode 777", "", nil}, {"80 accept-proxy x", "", nil}, {"80\taccept-proxy", "", nil},
		{"", "", nil}, {"0", "", nil}, {"65536", "", nil}, {"80:tls", "", nil}, {"a b:80", "", nil}, {"80", "x", nil}, {":80", "", nil}, {"ssl", "", nil},
	} {
		entries, err := routeSettings{DefaultPorts: row.ports, BindPorts: row.more}.entries()
		var got []string
		for _, e := range entries {
			got = append(got, e.line())
		}
		if diff := cmp.Diff(row.want, got); diff != "" || (err != nil) != (row.want == nil) {
			t.Errorf("%q and %q: %v %s", row.ports, row.more, err, diff)
		}
	}
}

func TestPortsWithoutACertificateAreReportedUnlessNobodyAskedForThem(t *testing.T) {
	for _, row := range []struct {
		ports, more string
		certificate bool
		want        []string // values of the problems
		log         int      // lines
	}{
		{ports: "80,443:ssl", log: 1},
		{ports: "80,443:ssl", more: "8443:ssl", want: []string{"8443:ssl"}, log: 1},
		{ports: "80,8443:ssl", want: []string{"8443:ssl"}},
		{ports: "80"},
		{ports: "80,8443:ssl", certificate: true},
	} {
		r := routeSettings{DefaultPorts: row.ports, BindPorts: row.more}
		entries, err := r.entries()
		if err != nil {
			t.Fatal(err)
		}
		var want routing.Config
		if row.certificate {
			want.Certificates = []routing.CertificateFile{{}}
		}
		var log strings.Builder
		plain := newPlainPorts(r, entries)
		for range 2 {
			var values []string
			for _, p := range plain.judge(want, routing.Settings{}, zerolog.New(&log)) {
				values = append(values, p.Value)
			}
			if diff := cmp.Diff(row.want, values); diff != "" || strings.Count(log.String(), "\n") != row.log {
				t.Errorf("%+v: %s log: %s", row, diff, log.String())
			}
		}
	}
}

func addrs(texts ...string) (list []netip.Addr) {
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}
