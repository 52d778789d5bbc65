package routing_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/internal/haproxy"
	"sluice/internal/haproxy/haproxytest"
	"sluice/internal/label"
	"sluice/routing"
)

// TestNoLabelBreaksOutOfItsLine lets HAProxy judge configurations made of any characters. What it refuses must be one
// label's fault: Blame names the backend, and without it the rest is accepted.
func TestNoLabelBreaksOutOfItsLine(t *testing.T) {
	haproxytest.Binary(t)
	store, secure := openStore(t), everyTLS(t)
	certificate := oneLine(newCertificate(t, "*.a.test", "x.a.test", "a.test"))
	checks, refusals, refusedCertificates := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		if checks > 40 { // each costs a process
			return
		}
		table, _ := build(drawNasty(t, certificate))
		s := rapid.SampledFrom([]routing.Settings{settings("127.0.0.1:80"), secure}).Draw(t, "settings")
		for range len(table.Backends) + len(table.Certificates) + 1 {
			config, err := routing.Render(table, s)
			if err != nil {
				t.Fatal(err)
			}
			checks++
			refused := checkConfig(context.Background(), store, config)
			if refused == nil {
				return
			}
			if opinion := (*haproxy.RefusedError)(nil); !errors.As(refused, &opinion) {
				t.Fatal(refused)
			} else if name, _, ok := routing.BlameCertificate(config, opinion.Output); ok && strings.Contains(name, "serviceCert") {
				refusedCertificates++
				table.Certificates = slices.DeleteFunc(slices.Clone(table.Certificates), func(c routing.Certificate) bool { return c.Name == name })
			} else if name, reason, ok := routing.Blame(config, opinion.Output); !ok || !strings.Contains(reason, "regex") {
				t.Fatalf("nobody is to blame for %s\n%s", opinion.Output, config.Text)
			} else {
				refusals++
				table = table.Filter(func(b routing.Backend) bool { return b.Name != name })
			}
		}
		t.Fatal("HAProxy refuses a configuration without any backend")
	})
	t.Logf("%d checks, %d refused expressions, %d refused certificates", checks, refusals, refusedCertificates)
}

func TestBlameFindsTheBackendOfARefusedExpression(t *testing.T) {
	haproxytest.Binary(t)
	services := cases(t, `
		good servicePath=/good reqPathSearchReplace=a,b
		bad servicePath=/bad reqPathSearchReplace=(,b
		worse servicePath=/worse reqPathSearchReplace=[,b`)
	table, problems := build(services)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	config := render(t, table, settings("127.0.0.1:80"))
	opinion := (*haproxy.RefusedError)(nil)
	if err := checkConfig(t.Context(), openStore(t), config); !errors.As(err, &opinion) {
		t.Fatalf("got %v, want a RefusedError", err)
	}
	name, reason, ok := routing.Blame(config, opinion.Output)
	if !ok || name != "bad-be8080_0" || !strings.Contains(reason, "regex") {
		t.Errorf("to blame is %q because %q, %v", name, reason, ok)
	}
}

func TestExpressionThatIsTooLongIsItsBackendsFault(t *testing.T) {
	haproxytest.Binary(t)
	services := cases(t, "good servicePath=/good\nlong servicePath=/long reqPathSearchReplace="+strings.Repeat("x", 20_000)+",y")
	table, _ := build(services)
	config := render(t, table, settings("127.0.0.1:80"))
	opinion := (*haproxy.RefusedError)(nil)
	if err := checkConfig(t.Context(), openStore(t), config); !errors.As(err, &opinion) {
		t.Fatalf("got %v, want a RefusedError", err)
	}
	if name, reason, ok := routing.Blame(config, opinion.Output); !ok || name != "long-be8080_0" {
		t.Errorf("to blame is %q because %q, %v: %.500s", name, reason, ok, opinion.Output)
	}
}

func TestBlameFindsNobodyForAFaultOfTheHead(t *testing.T) {
	haproxytest.Binary(t)
	table, _ := build(cases(t, `good servicePath=/good`))
	config := render(t, table, settings("nonsense"))
	opinion := (*haproxy.RefusedError)(nil)
	if err := checkConfig(t.Context(), openStore(t), config); !errors.As(err, &opinion) {
		t.Fatalf("got %v, want a RefusedError", err)
	}
	if name, reason, ok := routing.Blame(config, opinion.Output); ok {
		t.Errorf("to blame is %q because %q", name, reason)
	}
}

// drawNasty draws services whose labels hold anything that a label can hold.
func drawNasty(t *rapid.T, certificate string) []routing.Service {
	printable := rapid.StringOfN(rapid.SampledFrom([]rune(`aB09/.-_*~!$&'()+;=:@%,"\#{}[]|^<>? é`+"\t\n\x00\u2028")), 0, 20, -1)
	anything := rapid.OneOf(printable, rapid.String())
	path := rapid.Map(rapid.StringOfN(rapid.SampledFrom([]rune(`aB09/.-_~!$&'()*+;=:@%`)), 0, 20, -1), func(s string) string { return "/" + s })
	rewrite := rapid.Custom(func(t *rapid.T) string { return printable.Draw(t, "search") + "," + printable.Draw(t, "replace") })
	// expressions that PCRE mostly takes, so that not only refusals are seen
	plain := rapid.Custom(func(t *rapid.T) string {
		text := rapid.StringOfN(rapid.SampledFrom([]rune(`aB09/.-_~!&'=@%"#<>  é;`)), 1, 20, -1)
		return text.Draw(t, "search") + "," + text.Draw(t, "replace")
	})
	var services []routing.Service
	for _, name := range []string{"a", "b", "c_d", "e.f"} {
		services = append(services, routing.Service{Name: name, Networks: []string{"proxy"}, Labels: map[string]string{
			label.Prefix + "notify":                    "true",
			label.Prefix + "port":                      "80",
			label.Prefix + "servicePath.1":             rapid.OneOf(path, anything).Draw(t, "path"),
			label.Prefix + "serviceDomain.2":           rapid.OneOf(rapid.Just("*.a.test"), anything).Draw(t, "host"),
			label.Prefix + "servicePath.3":             path.Draw(t, "path"),
			label.Prefix + "servicePath.4":             path.Draw(t, "path"),
			label.Prefix + "serviceCert":               rapid.OneOf(rapid.Just(certificate), mutated(certificate), anything).Draw(t, "certificate"),
			label.Prefix + "httpsPort.4":               rapid.OneOf(rapid.Just("8443"), anything).Draw(t, "https port"),
			label.Prefix + "srcHttpsPort.3":            rapid.OneOf(rapid.Just("443"), anything).Draw(t, "entry"),
			label.Prefix + "reqPathSearchReplace.3":    plain.Draw(t, "plain"),
			label.Prefix + "reqPathSearchReplace.4":    rewrite.Draw(t, "rewrite"),
			label.Prefix + "servicePath.5":             path.Draw(t, "path"),
			label.Prefix + "reqPathSearch.5":           printable.Draw(t, "search"),
			label.Prefix + "reqPathReplace.5":          printable.Draw(t, "replace"),
			label.Prefix + anything.Draw(t, "unknown"): anything.Draw(t, "value"),
		}})
	}
	return services
}

// mutated is a text with one character in the place of another.
func mutated(text string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		return text[:at] + rapid.StringN(1, 1, -1).Draw(t, "character") + text[at+1:]
	})
}

func openStore(t *testing.T) *haproxy.Store {
	t.Helper()
	store, err := haproxy.OpenStore(t.TempDir(), haproxytest.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func checkConfig(ctx context.Context, store *haproxy.Store, config routing.Config) error {
	g, err := store.Write(config.Files())
	if err != nil {
		return err
	}
	return errors.Join(g.Check(ctx), g.Discard())
}
