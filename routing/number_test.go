package routing_test

import (
	"testing"

	"sluice/internal/label"
	"sluice/routing"
)

func TestMapsCallBackendsByNumberUnlessSomebodyAsksForNames(t *testing.T) {
	for _, row := range []struct {
		meaning, extra, format, backend string
		want                            string
	}{
		{"nobody asks", "", "", "", "#1000"},
		{"the operator asks", "http-request deny if { var(txn.be) -m str a-be8080_0 }", "", "", "a-be8080_0"},
		{"the operator counts", "id 1000", "", "", "a-be8080_0"},
		{"the log asks", "", "%[var(txn.be)]", "", "a-be8080_0"},
		{"a backend asks", "", "", "http-request set-header X-Backend %[var(txn.be)]", "a-be8080_0"},
		{"a backend counts", "", "", "id\t1000", "a-be8080_0"},
	} {
		services := cases(t, "a servicePath=/a")
		if row.backend != "" {
			services[0].Labels[label.Prefix+"backendExtra"] = row.backend
		}
		table, _ := routing.BuildTable(services, routing.Options{Network: "proxy", AllowRaw: true})
		s := settings("*:80")
		s.Log.HTTPFormat = row.format
		if row.extra != "" {
			s.Extra.Frontend = []string{row.extra}
		}
		entries := render(t, table, s).Maps["routes.map"]
		if len(entries) != 1 || entries[0].Value != row.want {
			t.Errorf("%s: got %+v, want %s", row.meaning, entries, row.want)
		}
	}
}
