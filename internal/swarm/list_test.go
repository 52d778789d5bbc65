package swarm

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const threeTasks = `[
	{"ID":"a","ServiceID":"web","NodeID":"n","Slot":2,"DesiredState":"running","Status":{"State":"running","Timestamp":"2025-01-02T03:04:05Z","Message":"started"},
	 "NetworksAttachments":[{"Network":{"ID":"net1"},"Addresses":["10.0.1.5/24"]},{"Network":{"ID":"net2"},"Addresses":[]}]},
	{"ID":"b","ServiceID":"db","DesiredState":"ready","Status":{"State":"pending","Err":"no suitable node"}},
	{"ID":"c","ServiceID":"job","DesiredState":"running","JobIteration":{"Index":3}}]`

func TestTasksAsPlainValues(t *testing.T) {
	c := startEngine(t, &engine{api: "1.41", tasks: threeTasks})
	got, err := c.Tasks(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Task{
		{ID: "a", ServiceID: "web", NodeID: "n", Slot: 2, Desired: "running", State: "running", Message: "started",
			Since: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC), Addresses: map[string]netip.Addr{"net1": netip.MustParseAddr("10.0.1.5")}},
		{ID: "b", ServiceID: "db", Desired: "ready", State: "pending", Err: "no suitable node", Addresses: map[string]netip.Addr{}},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTasksOfServices(t *testing.T) {
	many := []string{"web"}
	for i := range maxServiceFilter {
		many = append(many, fmt.Sprint("other", i))
	}
	for _, row := range []struct {
		name     string
		services []string
		want     string
		asked    int  // lists asked for
		filtered bool // the last of them
	}{
		{"all", nil, "a b", 1, false},
		{"none", []string{}, "", 0, false},
		{"one", []string{"db"}, "b", 1, true},
		{"one of which is just gone", []string{"db", "gone"}, "b", 2, false},
		{"more than fit a request", many, "a", 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := &engine{api: "1.41", tasks: threeTasks}
			tasks, err := startEngine(t, e).Tasks(t.Context(), row.services)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, task := range tasks {
				ids = append(ids, task.ID)
			}
			if got := strings.Join(ids, " "); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
			if len(e.asked) != row.asked {
				t.Fatalf("asked %q", e.asked)
			}
			for i, q := range e.asked {
				if !strings.Contains(q, `"running":true`) || strings.Contains(q, `"service"`) != (row.filtered || i < row.asked-1) {
					t.Errorf("asked %s", q)
				}
			}
		})
	}
}

func TestAddressOfAttachment(t *testing.T) {
	for _, row := range []struct {
		cidrs []string
		want  string
	}{
		{[]string{"10.0.1.5/24"}, "10.0.1.5"},
		{[]string{"fd00::5/64", "10.0.1.5/24"}, "10.0.1.5"},
		{[]string{"fd00::5/64"}, "fd00::5"},
		{[]string{"nonsense", "10.0.1.5"}, ""},
		{nil, ""},
	} {
		addr, ok := addressOf(row.cidrs)
		if got := addr.String(); ok != (row.want != "") || ok && got != row.want {
			t.Errorf("%v: %v %v, want %q", row.cidrs, got, ok, row.want)
		}
	}
}

func TestServiceAsPlainValue(t *testing.T) {
	e := &engine{api: "1.41", version: 12, spec: `{"Name":"shop_web","Labels":{"com.docker.stack.namespace":"shop","com.df.port":"80"},
		"TaskTemplate":{"ContainerSpec":{"Image":"web:1"},"Networks":[{"Target":"n2"},{"Target":"n1"}]},
		"Networks":[{"Target":"n1"},{"Target":"old"}],"Mode":{"Replicated":{"Replicas":3}}}`}
	got, err := startEngine(t, e).Services(t.Context(), Filter{Label: "com.df.notify"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Service{{ID: "svc", Name: "shop_web", Stack: "shop", Version: 12, Mode: Replicated, Replicas: 3, Image: "web:1", Update: "paused",
		Labels: map[string]string{"com.docker.stack.namespace": "shop", "com.df.port": "80"}, Networks: []string{"n2", "n1", "old"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{`{"label":{"com.df.notify":true}}`}, e.asked); diff != "" {
		t.Errorf("filter (-want +got):\n%s", diff)
	}
}
