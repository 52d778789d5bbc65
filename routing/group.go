package routing

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/label"
)

// uniteGroup makes one backend of the members of a group, which come in order. The first one decides what they share; who is
// open to other clients is left out, for nobody could tell them apart.
func uniteGroup(members []Backend, at Bind) (united Backend, problems []label.Problem) {
	united = members[0]
	united.Name = fmt.Sprintf("%s-be%d_group", united.TCP.Group, at.Port)
	if at.Addr.IsValid() {
		united.Name += "_" + at.Addr.String()
	}
	united.Servers, united.HTTP.Servers, united.Note = nil, ServerOptions{}, ""
	var notes, headed []string
	for i, b := range members {
		refuse := func(name, reason string) {
			problems = append(problems, label.Problem{Service: b.Service, Label: b.HTTP.Origins[name], Value: b.shared(name), Reason: reason})
		}
		switch {
		case slices.ContainsFunc(united.TCP.Members, func(m Member) bool { return m.Service == b.Service }):
			refuse("serviceGroup", "another destination of the service is in the group on this port")
			continue
		case !slices.Equal(b.HTTP.Access.AllowFrom, members[0].HTTP.Access.AllowFrom) || !slices.Equal(b.HTTP.Access.DenyFrom, members[0].HTTP.Access.DenyFrom):
			refuse("serviceGroup", "its allowFrom and denyFrom are not those of "+members[0].Service+", which comes first in the group: it is not routed")
			continue
		}
		if !slices.EqualFunc(b.Raw.Backend, members[0].Raw.Backend, func(a, b line) bool { return a.text == b.text }) {
			refuse("serviceGroup", "its backendExtra is not that of "+members[0].Service+", which comes first in the group: it is not routed")
			continue
		}
		for _, name := range []string{"balanceGroup", "timeoutServer", "timeoutTunnel", "timeoutClient", "retries", "clitcpka"} {
			if i > 0 && b.HTTP.Origins[name] != "" && b.shared(name) != members[0].shared(name) {
				refuse(name, "differs from that of "+members[0].Service+", which comes first in the group and decides")
			}
		}
		united.TCP.Members = append(united.TCP.Members, Member{b.Service, b.Stack, b.Labels["listen"], b.HTTP.Servers, serverKeys(b)})
		headed = append(headed, b.Service+" "+b.Labels["backend"])
		for _, s := range b.Servers {
			s.Options = b.HTTP.Servers
			united.Servers = append(united.Servers, s)
		}
		if b.Note != "" {
			notes = append(notes, b.Service+": "+b.Note)
		}
	}
	united.Labels = maps.Clone(united.Labels)
	united.Labels["backend"] = strings.TrimPrefix(strings.Join(headed, " # "), united.Service+" ")
	slices.SortFunc(united.Servers, func(a, b Server) int { return bySlot(a.Name, b.Name) })
	if len(united.Servers) == 0 {
		united.Note = strings.Join(notes, "; ")
	}
	return united, problems
}

// shared is what a backend says of something that a group has once.
func (b Backend) shared(name string) string {
	switch name {
	case "serviceGroup":
		return b.TCP.Group
	case "balanceGroup":
		return b.TCP.Balance
	case "timeoutServer":
		return b.HTTP.Balance.Timeouts.Server.String()
	case "timeoutTunnel":
		return b.HTTP.Balance.Timeouts.Tunnel.String()
	case "timeoutClient":
		return b.TCP.Client.String()
	case "retries":
		return b.HTTP.Balance.Retries
	}
	return strconv.FormatBool(b.TCP.KeepAlive)
}

// Of tells whether the backend is the service's, alone or with others of a group.
func (b Backend) Of(service string) bool {
	return b.Service == service || slices.ContainsFunc(b.TCP.Members, func(m Member) bool { return m.Service == service })
}

// memberOptions says what a group's tasks have of their own, which only a reload can change.
func (b Backend) memberOptions() string {
	var text strings.Builder
	for _, m := range b.TCP.Members {
		fmt.Fprintf(&text, "%s %s\n", m.Service, m.options)
	}
	return text.String()
}
