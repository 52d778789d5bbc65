package routing

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestAWrittenConfigurationWithoutAListener(t *testing.T) {
	services := []Service{
		{Name: "redis", Networks: []string{"proxy"}, Labels: map[string]string{"com.df.notify": "true", "com.df.reqMode": "tcp", "com.df.port": "6379", "com.df.srcPort": "6379"}},
		{Name: "names", Networks: []string{"proxy"}, Labels: map[string]string{"com.df.notify": "true", "com.df.reqMode": "sni", "com.df.port": "443", "com.df.srcPort": "8443", "com.df.serviceDomain": "a.test"}},
		{Name: "web", Networks: []string{"proxy"}, Labels: map[string]string{"com.df.notify": "true", "com.df.port": "80", "com.df.servicePath": "/"}},
	}
	table, problems := BuildTable(services, Options{Network: "proxy"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	config, err := Render(table, Settings{Entries: []HTTPEntry{{Address: "*:6379"}}, Handover: "unix@h"})
	if err != nil {
		t.Fatal(err)
	}
	all := ListenerBinds(config.Text)
	if len(all) != 2 {
		t.Fatalf("it binds %v", all)
	}
	for _, gone := range [][]netip.AddrPort{nil, all[:1], all[1:], all} {
		text := WithoutListeners(config.Text, func(addr netip.AddrPort) bool { return slices.Contains(gone, addr) })
		left := slices.DeleteFunc(slices.Clone(all), func(addr netip.AddrPort) bool { return slices.Contains(gone, addr) })
		if got := ListenerBinds(text); !slices.Equal(got, left) {
			t.Errorf("without %v it binds %v", gone, got)
		}
		if strings.Contains(text, config.Shape) || !strings.Contains(text, "    bind *:6379\n") || strings.Count(text, "\nbackend ") != strings.Count(config.Text, "\nbackend ") {
			t.Errorf("without %v:\n%s", gone, text)
		}
	}
	if whole := WithoutListeners(config.Text, func(netip.AddrPort) bool { return false }); strings.Replace(whole, "str(incomplete)", "str("+config.Shape+")", 1) != config.Text {
		t.Errorf("the rest is not as it was:\n%s", whole)
	}
}
