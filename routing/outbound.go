package routing

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"sluice/internal/label"
)

// OutboundHosts lists the names that outboundHostname labels ask for, in byte order; the separator is that of
// lists. Somebody who may ask a name server
// hands their addresses in with Service.Outbound; what is an address already needs nobody.
func OutboundHosts(services []Service, separator string) []string {
	names := map[string]bool{}
	for _, s := range services {
		for key, value := range s.Labels {
			if !strings.HasPrefix(key, label.Prefix+"outboundHostname") {
				continue
			}
			for host := range strings.SplitSeq(value, cmp.Or(separator, ",")) {
				host = strings.TrimSpace(host)
				if _, err := parseHost(host); err != nil && checkOutbound([]string{host}) == nil {
					names[host] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// outbound gives the servers of a destination outside the swarm, one for each address of each host, and the hosts that
// have none.
func outbound(s Service, hosts []string, port int) (list []Server, lost []string) {
	var addresses []netip.Addr
	for _, host := range hosts {
		if addr, err := parseHost(host); err == nil {
			addresses = append(addresses, addr.Unmap())
			continue
		}
		if len(s.Outbound[host]) == 0 {
			lost = append(lost, host)
		}
		for _, addr := range s.Outbound[host] {
			addresses = append(addresses, addr.Unmap())
		}
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	for i, addr := range slices.Compact(addresses) {
		list = append(list, Server{Name: fmt.Sprintf("%s.%d", s.Name, i+1), Addr: netip.AddrPortFrom(addr, uint16(port))})
	}
	return list, lost
}

// parseHost reads an address, an IPv6 one with brackets or without.
func parseHost(host string) (netip.Addr, error) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	return netip.ParseAddr(host)
}

func checkOutbound(value any) error {
	hosts := value.([]string)
	if len(hosts) == 0 {
		return fmt.Errorf("names no host")
	}
	for _, host := range hosts {
		if addr, err := parseHost(host); err == nil && addr.Zone() == "" {
			continue
		}
		if strings.HasPrefix(host, "*") {
			return fmt.Errorf("is not the name of one host")
		}
		if err := checkHosts([]string{host}); err != nil {
			return err
		}
	}
	return nil
}
