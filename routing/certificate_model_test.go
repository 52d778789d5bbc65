package routing_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sluice/internal/haproxy/haproxytest"
	"sluice/routing"
)

// modelCertificates are the certificates of a HAProxy that does what routing's commands ask, in the words of the real one.
type modelCertificates struct {
	known   map[string]routing.CertificateFile // what a payload holds, by payload
	stored  map[string]routing.RunningCertificate
	pending map[string][]byte // of the transaction: file -> payload
	list    []routing.CertificateLine
	number  int
}

// loadCertificates is a start or a reload.
func loadCertificates(c routing.Config, known map[string]routing.CertificateFile) *modelCertificates {
	m := &modelCertificates{known: known, stored: map[string]routing.RunningCertificate{}, pending: map[string][]byte{}}
	for _, f := range c.Certificates {
		m.stored[f.File] = f.RunningCertificate
	}
	for line := range strings.Lines(string(c.Files()["certs.list"])) {
		m.add(strings.TrimSuffix(line, "\n"))
	}
	return m
}

func (m *modelCertificates) add(line string) (file string) {
	file, filters, _ := strings.Cut(line, " ")
	m.number++
	m.list = append(m.list, routing.CertificateLine{File: file, Number: m.number, Filters: filters})
	return file
}

// running is what HAProxy would tell.
func (m *modelCertificates) running() routing.Certificates {
	r := routing.Certificates{Stored: maps.Clone(m.stored), List: slices.Clone(m.list)}
	for file := range m.pending {
		r.Transaction = file
	}
	return r
}

func (m *modelCertificates) execute(c routing.Command) string {
	words := strings.Fields(strings.TrimSuffix(c.Line, "<<"))
	file := words[len(words)-1]
	_, exists := m.stored[file]
	switch strings.Join(words[:3], " ") {
	case "new ssl cert":
		if exists {
			return fmt.Sprintf("Certificate '%s' already exists!\n\n", file)
		}
		m.stored[file] = routing.RunningCertificate{}
		return fmt.Sprintf("New empty certificate store '%s'!\n\n", file)
	case "set ssl cert":
		for other := range m.pending {
			if other != file {
				return fmt.Sprintf("The ongoing transaction is about '%s' but you are trying to set '%s'\nCan't update %s!\n\n", other, file, file)
			}
		}
		if !exists {
			return fmt.Sprintf("Can't replace a certificate which is not referenced by the configuration!\nCan't update %s!\n\n", file)
		}
		m.pending[file] = c.Payload
		return fmt.Sprintf("Transaction created for certificate %s!\n\n", file)
	case "commit ssl cert":
		payload, begun := m.pending[file]
		if !begun {
			return fmt.Sprintf("No ongoing transaction! !\nCan't commit %s!\n\n", file)
		}
		m.stored[file] = m.known[string(payload)].RunningCertificate
		delete(m.pending, file)
		return "Committing " + file + "\nSuccess!\n\n"
	case "abort ssl cert":
		delete(m.pending, file)
		return fmt.Sprintf("Transaction aborted for certificate '%s'!\n\n", file)
	case "add ssl crt-list":
		return fmt.Sprintf("Inserting certificate '%s' in crt-list 'certs.list'.\nSuccess!\n\n", m.add(strings.TrimSuffix(string(c.Payload), "\n")))
	case "del ssl crt-list":
		name, number, _ := strings.Cut(file, ":")
		i := slices.IndexFunc(m.list, func(l routing.CertificateLine) bool { return l.File == name && fmt.Sprint(l.Number) == number })
		if i < 1 { // the first one is the default
			return fmt.Sprintf("Can't delete the entry: certificate '%s' cannot be deleted\n\n", name)
		}
		m.list = slices.Delete(m.list, i, i+1)
		return fmt.Sprintf("Entry '%s' deleted in crtlist 'certs.list'!\n\n", name)
	case "del ssl cert":
		if slices.ContainsFunc(m.list, func(l routing.CertificateLine) bool { return l.File == file }) {
			return fmt.Sprintf("Can't remove the certificate: certificate '%s' in use, can't be deleted!\n\n\n", file)
		}
		delete(m.stored, file)
		return fmt.Sprintf("Certificate '%s' deleted!\n\n", file)
	}
	return "Unknown command: " + c.Line
}

// answers is the file that answers a server name. names are those of the certificates themselves.
func (m *modelCertificates) answers(host string, names map[string][]string) string {
	if files := m.fitting(host, names); len(files) > 0 {
		return files[0]
	}
	return m.list[0].File
}

// fitting are all files that are for a server name, those that name it as it is first.
func (m *modelCertificates) fitting(host string, names map[string][]string) (files []string) {
	_, parent, _ := strings.Cut(host, ".")
	for _, name := range []string{host, "*." + parent} {
		for _, l := range m.list {
			filters := strings.Fields(l.Filters)
			if l.Filters == "" {
				filters = names[m.stored[l.File].Fingerprint]
			}
			if slices.Contains(filters, name) {
				files = append(files, l.File)
			}
		}
	}
	return files
}

// certificatePool are certificates to draw from: several of them for the same hosts.
type certificatePool struct {
	all   []issued
	known map[string]routing.CertificateFile
	names map[string][]string // by fingerprint
}

func newCertificatePool(t *testing.T) certificatePool {
	p := certificatePool{known: map[string]routing.CertificateFile{}, names: map[string][]string{}}
	authority := newCertificate(t, "authority")
	between := authority.issue(newKey(t), "between")
	for _, hosts := range [][]string{{"a.test"}, {"a.test"}, {"b.test"}, {"a.test", "b.test"}, {"w", "*.a.test", "x.a.test"}, {"w2", "*.a.test"}} {
		p.all = append(p.all, between.issue(newKey(t), slices.Insert(slices.Clone(hosts), 0, hosts[0])...))
	}
	broken := p.all[2]
	broken.issuer = nil
	p.all = append(p.all, broken)
	for _, i := range p.all {
		_, info, err := routing.ParseCertificate("x", i.pem())
		if err != nil {
			t.Fatal(err)
		}
		p.names[info.Fingerprint] = info.Hosts
		f := render(t, routing.Table{}, secured("127.0.0.1:1", i.named("x"))).Certificates[0]
		p.known[string(f.PEM)] = f
	}
	return p
}

// draw gives the first file always, so that the default keeps its name.
func (p certificatePool) draw(t *rapid.T) (list []routing.Certificate) {
	for i, name := range []string{"default.pem", "b.pem", "c", "d.pem", "e.pem"} {
		if i > 0 && rapid.Bool().Draw(t, "absent") {
			continue
		}
		c := rapid.SampledFrom(p.all).Draw(t, name).named(name)
		if i > 0 && rapid.IntRange(0, 2).Draw(t, "for hosts") == 0 {
			c.Hosts = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a.test", "b.test", "c.test", "*.a.test"}), 1, 3, rapid.ID).Draw(t, "hosts")
		}
		list = append(list, c)
	}
	return list
}

// disturb leaves traces of plans that did not come to their end.
func (m *modelCertificates) disturb(t *rapid.T) {
	switch rapid.IntRange(0, 3).Draw(t, "trace") {
	case 0:
		m.pending["default.pem"] = []byte("half")
	case 1:
		m.stored["b.pem"] = routing.RunningCertificate{}
		m.list = slices.DeleteFunc(m.list, func(l routing.CertificateLine) bool { return l.File == "b.pem" })
	case 2:
		m.stored["gone.pem"] = routing.RunningCertificate{Fingerprint: "00"}
		m.add("gone.pem gone.test")
	}
}

// TestCertificatePlansLeadFromAnyStateToTheWantedOne also sees to it that at every moment a host is answered as before or
// as after, or by another certificate that is for it then.
func TestCertificatePlansLeadFromAnyStateToTheWantedOne(t *testing.T) {
	pool := newCertificatePool(t)
	configOf := func(t *rapid.T) routing.Config {
		config, err := routing.Render(routing.Table{}, secured("127.0.0.1:1", pool.draw(t)...))
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	rapid.Check(t, func(t *rapid.T) {
		haproxy, after := loadCertificates(configOf(t), pool.known), configOf(t)
		haproxy.disturb(t)
		base := routing.Running{Shape: after.Shape, Backends: map[string]bool{}, Maps: load(after).running().Maps}
		running := func() routing.Running { r := base; r.Certificates = haproxy.running(); return r }
		before, target := map[string]string{}, loadCertificates(after, pool.known)
		asked := []string{"a.test", "b.test", "c.test", "x.a.test", "y.a.test", "other.test"}
		for _, host := range asked {
			before[host] = haproxy.answers(host, pool.names)
		}
		plan := routing.Diff(running(), after)
		if plan.Reload != "" {
			t.Fatalf("reload because %s", plan.Reload)
		}
		for _, c := range plan.Commands {
			if answer := haproxy.execute(c); !ok(c.Succeeded(answer)) {
				t.Fatalf("%q is answered %q", c.Line, answer)
			}
			for _, host := range asked {
				if got := haproxy.answers(host, pool.names); got != before[host] && got != target.answers(host, pool.names) && !slices.Contains(target.fitting(host, pool.names), got) {
					t.Fatalf("after %q %s is answered by %s, which nobody wanted", c.Line, host, got)
				}
			}
		}
		for _, host := range asked {
			if got, want := haproxy.answers(host, pool.names), target.answers(host, pool.names); got != want {
				t.Fatalf("%s is answered by %s, want %s of\n%s", host, got, want, after.Files()["certs.list"])
			}
		}
		if plan := routing.Diff(running(), after); plan.Reload != "" || len(plan.Commands) > 0 {
			t.Fatalf("something is left to do: %+v", plan)
		}
	})
}

// TestCertificatePlansWorkOnHAProxy carries drawn plans out, and asks the model and HAProxy who answers.
func TestCertificatePlansWorkOnHAProxy(t *testing.T) {
	pool, address := newCertificatePool(t), haproxytest.Address(t)
	start := render(t, routing.Table{}, secured(address, pool.all[0].named("default.pem")))
	h, model := haproxytest.Start(t, start.Files()), loadCertificates(start, pool.known)
	rounds := 0
	rapid.Check(t, func(rt *rapid.T) {
		if rounds++; rounds > 12 {
			return
		}
		want := render(t, routing.Table{}, secured(address, pool.draw(rt)...))
		plan := routing.Diff(observe(t, h), want)
		if plan.Reload != "" {
			rt.Fatalf("reload because %s", plan.Reload)
		}
		for _, c := range plan.Commands {
			if answer := tell(t, h, c); !ok(c.Succeeded(answer)) {
				rt.Fatalf("%q is answered %q", c.Line, answer)
			}
			if answer := model.execute(c); !ok(c.Succeeded(answer)) {
				rt.Fatalf("the model answers %q to %q", answer, c.Line)
			}
		}
		if diff := cmp.Diff(model.running(), observeCertificates(t, h), cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("-model +HAProxy:\n%s", diff)
		}
		for _, host := range []string{"a.test", "b.test", "c.test", "x.a.test", "y.a.test", "other.test"} {
			leaf := slices.IndexFunc(pool.all, func(i issued) bool {
				_, info, _ := routing.ParseCertificate("x", i.pem())
				return info.Fingerprint == model.stored[model.answers(host, pool.names)].Fingerprint
			})
			if got, want := shown(t, address, host), pool.all[leaf].label(); strings.Fields(got)[1] != strings.Fields(want)[1] {
				rt.Fatalf("%s is answered by %s, want %s", host, got, want)
			}
		}
	})
}
