package routing_test

import (
	"bytes"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/routing"
)

// Answers of HAProxy 2.6.12, as they came.
const (
	serverState = `1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port
2 handover 1 successor abns@x 2 0 1 1 3 1 0 2 0 0 0 0 - 0 - 0 0 - - 0
3 a-be1_0 1 a.1 127.0.0.1 2 0 1 1 3 1 0 2 0 0 0 0 - 9 - 0 0 - - 0
3 a-be1_0 2 a.2 ::1 2 0 1 1 3 1 0 2 0 0 0 0 - 9 - 0 0 - - 0
4 b-be1_0 1 b.1 10.0.0.3 0 1 1 1 0 1 0 0 0 0 0 0 - 82 - 0 0 - - 0

`
	backendList = "# name\nhandover\na-be1_0\nb-be1_0\n\n"
	mapDump     = "0x55d7e21f92c0 /a;x/ a-be1_0\n0x7f8390046500 a.test/b'/ b-be1_0\n\n"
	noMap       = "Unknown map identifier. Please use #<id> or <file>.\n\n"
	shapeFound  = "proc.sluice_shape: type=str value=<abc123>\n"
	shapeAbsent = "Variable not found.\n\n"
	noCommand   = "Unknown command, but maybe one of the following ones is a better match:\n  show libs : show loaded object files and libraries\n\n"
	noBackend   = "Can't find backend.\n\n"
)

func TestParseServers(t *testing.T) {
	got, err := routing.ParseServers([]byte(serverState))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]routing.RunningServer{
		"a-be1_0": {
			"a.1": {Addr: netip.MustParseAddrPort("127.0.0.1:9")},
			"a.2": {Addr: netip.MustParseAddrPort("[::1]:9")},
		},
		"b-be1_0": {"b.1": {Addr: netip.MustParseAddrPort("10.0.0.3:82"), Maint: true}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
}

func TestParseServersFindsColumnsByName(t *testing.T) {
	got, err := routing.ParseServers([]byte("2\n# srv_port new srv_admin_state srv_name be_name srv_addr\n80 x 0 s b 10.0.0.1\n"))
	if want := (routing.RunningServer{Addr: netip.MustParseAddrPort("10.0.0.1:80")}); err != nil || got["b"]["s"] != want {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestParseServersRefusesWhatIsNoServerState(t *testing.T) {
	const head = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_port\n"
	for meaning, answer := range map[string]string{
		"nothing":                       "",
		"another answer":                noCommand,
		"no such backend":               noBackend,
		"servers before a head":         "1\n2 b 1 s 10.0.0.1 2 0 80\n",
		"a line cut short":              head + "2 b 1 s 10.0.0.1 2\n",
		"an address that is no address": head + "2 b 1 s - 2 0 80\n",
		"a port that is no port":        head + "2 b 1 s 10.0.0.1 2 0 65536\n",
		"a state that is no number":     head + "2 b 1 s 10.0.0.1 2 up 80\n",
	} {
		if got, err := routing.ParseServers([]byte(answer)); err == nil {
			t.Errorf("%s is read as %v", meaning, got)
		}
	}
}

func TestParseMap(t *testing.T) {
	for meaning, row := range map[string]struct {
		answer string
		want   map[string]string
	}{
		"entries":                          {mapDump, map[string]string{"/a;x/": "a-be1_0", "a.test/b'/": "b-be1_0"}},
		"an empty map is not nil":          {"\n", map[string]string{}},
		"a map that is not referred to is": {noMap, nil},
	} {
		got, err := routing.ParseMap([]byte(row.answer))
		if err != nil {
			t.Errorf("%s: %v", meaning, err)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s", meaning, diff)
		}
	}
	for _, answer := range []string{noCommand, "0x1 key\n", "key value more\n"} {
		if got, err := routing.ParseMap([]byte(answer)); err == nil {
			t.Errorf("%q is read as %v", answer, got)
		}
	}
}

func TestParseBackendsLeavesOutTheHandover(t *testing.T) {
	want := map[string]bool{"a-be1_0": true, "b-be1_0": true}
	if diff := cmp.Diff(want, routing.ParseBackends([]byte(backendList))); diff != "" {
		t.Error(diff)
	}
}

func TestParseShape(t *testing.T) {
	for answer, want := range map[string]string{shapeFound: "abc123", shapeAbsent: "", "": "", noCommand: "", "x: type=str value=<": ""} {
		if got := routing.ParseShape([]byte(answer)); got != want {
			t.Errorf("%q is read as %q", answer, got)
		}
	}
}

func FuzzParseServers(f *testing.F) {
	f.Add([]byte(serverState))
	f.Add([]byte(noBackend))
	f.Add([]byte("# srv_port srv_admin_state srv_name be_name srv_addr\n80 0 s b 10.0.0.1\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		servers, err := routing.ParseServers(answer)
		if err != nil {
			return
		}
		for backend, list := range servers {
			for name, s := range list {
				if backend == "" || name == "" || !s.Addr.IsValid() {
					t.Errorf("server %q/%q at %v", backend, name, s.Addr)
				}
			}
		}
	})
}

func FuzzParseMap(f *testing.F) {
	f.Add([]byte(mapDump))
	f.Add([]byte(noMap))
	f.Fuzz(func(t *testing.T, answer []byte) {
		entries, err := routing.ParseMap(answer)
		if err != nil {
			return
		}
		for key, value := range entries {
			if key == "" || value == "" {
				t.Errorf("entry %q %q", key, value)
			}
		}
	})
}

func FuzzParseShape(f *testing.F) {
	f.Add([]byte(shapeFound))
	f.Add([]byte(shapeAbsent))
	f.Fuzz(func(t *testing.T, answer []byte) { _ = routing.ParseShape(answer) })
}

func TestFrontendsAreReadByTheirNames(t *testing.T) {
	got := routing.ParseFrontends([]byte("# pxname,svname,qcur\nservices,FRONTEND,,\ntcp_fd00::1_6379,FRONTEND,,\n\n"))
	if want := map[string]bool{"services": true, "tcp_fd00::1_6379": true}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func FuzzParseFrontends(f *testing.F) {
	f.Add([]byte("# pxname,svname\nservices,FRONTEND,,\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		for name := range routing.ParseFrontends(answer) {
			if strings.ContainsAny(name, ",\n") || !bytes.Contains(answer, []byte(name+",")) {
				t.Errorf("%q is no name in %q", name, answer)
			}
		}
	})
}

func FuzzListenerBinds(f *testing.F) {
	f.Add("frontend tcp_6379\n    mode tcp\n    bind *:6379 # svc com.df.srcPort\nbackend x\n    bind 1.2.3.4:5\n")
	f.Add("frontend sni_[::1]_443\n    bind [::1]:443\n\nfrontend services\n    bind *:80\n")
	f.Fuzz(func(t *testing.T, config string) {
		for _, addr := range routing.ListenerBinds(config) {
			if !addr.IsValid() || !strings.Contains(config, "bind ") {
				t.Errorf("found %s in %q", addr, config)
			}
		}
	})
}
