package main

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/routing"
)

func TestNamesAreResolvedBesideTheSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := map[string][]netip.Addr{"db": addrs("::1", "192.0.2.1"), "six": addrs("2001:db8::1")}
		r := newResolver()
		r.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			if host == "slow" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			if found := answers[host]; found != nil {
				return append([]netip.Addr(nil), found...), nil
			}
			return nil, errors.New("no such host")
		}
		services := []routing.Service{
			{Name: "a", Labels: labels{"com.df.outboundHostname.1": "db", "com.df.outboundHostname.2": "slow", "com.df.outboundHostname.3": "six"}},
			{Name: "b", Labels: labels{"com.df.outboundHostname": "lost"}},
			{Name: "c", Labels: labels{"com.df.outboundHostname": "192.0.2.7"}},
		}
		look := func() map[string][]netip.Addr {
			r.fill(t.Context(), time.Now(), services, ",")
			return services[0].Outbound
		}
		check := func(when string, want map[string][]netip.Addr) {
			t.Helper()
			if diff := cmp.Diff(want, look(), cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: %s", when, diff)
			}
		}
		began := time.Now()
		// IPv4 where there is any; the slow name costs the first step half a second, and no other one anything.
		known := map[string][]netip.Addr{"db": addrs("192.0.2.1"), "six": addrs("2001:db8::1"), "slow": nil, "lost": nil}
		check("at first", known)
		check("again", known)
		if took := time.Since(began); took != resolveFirst {
			t.Errorf("a name server that is slow costs %s", took)
		}
		delete(answers, "db")
		answers["six"] = addrs("2001:db8::2")
		time.Sleep(resolveAgain)
		look()
		synctest.Wait()
		known["six"] = addrs("2001:db8::2")
		check("after a while, db's name server away", known)
		time.Sleep(resolveTimeout)
	})
}
