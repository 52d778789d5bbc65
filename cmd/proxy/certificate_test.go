package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/label"
)

// shelf is a proxy's folder with certificates, looked at by hand.
type folder struct {
	t    *testing.T
	dir  string
	list *certificates
	good []byte // a certificate that is fine
}

func newFolder(t *testing.T, preferred ...string) *folder {
	s := &folder{t: t, dir: t.TempDir(), good: makeCertificate(t, time.Now().Add(60*24*time.Hour), "a.test")}
	s.list = newCertificates(s.dir, preferred, map[digest]string{})
	s.list.sources = slices.DeleteFunc(s.list.sources, func(source certificateSource) bool { return !strings.HasPrefix(source.dir, s.dir) })
	return s
}

func (s *folder) put(content []byte, path ...string) string {
	s.t.Helper()
	return put(s.t, content, append([]string{s.dir}, path...)...)
}

// names are those of the certificates in use; reasons are the problems, without the folder.
func (s *folder) names() (names, reasons []string) {
	list, problems := s.list.read(time.Now())
	for _, c := range list {
		names = append(names, c.Name)
	}
	for _, p := range problems {
		reasons = append(reasons, strings.ReplaceAll(p.Label+" "+p.Reason, s.dir+"/", ""))
	}
	return names, reasons
}

func (s *folder) want(names ...string) {
	s.t.Helper()
	got, reasons := s.names()
	if diff := cmp.Diff(names, got); diff != "" {
		s.t.Errorf("%s\nproblems: %q", diff, reasons)
	}
}

// reason wants one problem that says this; "" wants none.
func (s *folder) reason(part string) {
	s.t.Helper()
	_, reasons := s.names()
	if part == "" && len(reasons) > 0 || part != "" && (len(reasons) != 1 || !strings.Contains(reasons[0], part)) {
		s.t.Errorf("problems are %q, want %q", reasons, part)
	}
}

// holds wants the first certificate to be this one.
func (s *folder) holds(content []byte) {
	s.t.Helper()
	if list, _ := s.list.read(time.Now()); len(list) == 0 || !bytes.Equal(list[0].PEM, content) {
		s.t.Errorf("another certificate than wanted is in use: %d in all", len(list))
	}
}

func TestCertificatesComeInTheOrderOfPreferenceFolderSecrets(t *testing.T) {
	for _, row := range []struct {
		files     []string
		preferred []string
		want      []string
	}{
		{files: []string{"certs/b.pem", "certs/a.pem"}, want: []string{"a.pem", "b.pem"}},
		{files: []string{"secrets/cert-a.pem", "secrets/cert_b", "certs/z.pem"}, want: []string{"z.pem", "cert-a.pem", "cert_b"}},
		{files: []string{"secrets/other.pem", "secrets/certificate"}},
		{files: []string{"certs/a.pem", "certs/b.pem", "certs/c.pem"}, preferred: []string{"c.pem"}, want: []string{"c.pem", "a.pem", "b.pem"}},
		{files: []string{"certs/a.pem", "certs/x-1.pem", "certs/x-2.pem", "secrets/cert-x"}, preferred: []string{"cert-?", "x-*"}, want: []string{"cert-x", "x-1.pem", "x-2.pem", "a.pem"}},
		{files: []string{"certs/.hidden.pem", "certs/sub/a.pem", "certs/..data/b.pem"}},
	} {
		t.Run(fmt.Sprint(row.files), func(t *testing.T) {
			s := newFolder(t, row.preferred...)
			for _, file := range row.files {
				s.put(s.good, file)
			}
			s.want(row.want...)
			s.reason("")
		})
	}
}

func TestAFileThatCannotBeUsedIsReportedAndLeavesTheOthersAlone(t *testing.T) {
	s := newFolder(t)
	other := makeCertificate(t, time.Now().Add(time.Hour), "b.test")
	for _, row := range []struct {
		name    string
		content []byte
		reason  string
	}{
		{"empty.pem", nil, "holds no PEM"},
		{"readme.txt", []byte("hello"), "holds no PEM"},
		{"no key.pem", s.good, "has a name"},
		{"keyless.pem", s.good[:bytes.Index(s.good, []byte("-----BEGIN PRIVATE"))], "has no private key"},
		{"wrong.pem", slices.Concat(s.good[:bytes.Index(s.good, []byte("-----BEGIN PRIVATE"))], other[bytes.Index(other, []byte("-----BEGIN PRIVATE")):]), "private key that is not that of"},
		{"huge.pem", slices.Concat(s.good, bytes.Repeat([]byte("\n"), maxCertificate)), "is too large"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newFolder(t)
			s.put(s.good, "certs", "z.pem")
			s.put(row.content, "certs", row.name)
			s.want("z.pem")
			s.reason(row.reason)
		})
	}
	t.Run("a pipe", func(t *testing.T) {
		s := newFolder(t)
		s.put(s.good, "certs", "z.pem")
		if err := syscall.Mkfifo(filepath.Join(s.dir, "certs", "pipe.pem"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.want("z.pem")
		s.reason("is no file")
	})
	t.Run("a link to nowhere", func(t *testing.T) {
		s := newFolder(t)
		s.put(s.good, "certs", "z.pem")
		if err := os.Symlink("nowhere", filepath.Join(s.dir, "certs", "link.pem")); err != nil {
			t.Fatal(err)
		}
		s.want("z.pem")
		s.reason("cannot be read")
	})
}

func TestWhatWasGoodGoesOnServingWhileItsFileIsBroken(t *testing.T) {
	s := newFolder(t)
	renewed := makeCertificate(t, time.Now().Add(80*24*time.Hour), "a.test")
	file := s.put(s.good, "certs", "a.pem")
	s.holds(s.good)
	for _, broken := range [][]byte{nil, renewed[:len(renewed)/2], []byte("x")} {
		put(t, broken, file)
		s.holds(s.good)
		s.reason("goes on serving")
	}
	put(t, renewed, file)
	s.holds(renewed)
	s.reason("")

	if err := os.Rename(file, file+".aside"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", file); err != nil { // half of an exchange of links
		t.Fatal(err)
	}
	if err := os.Remove(file + ".aside"); err != nil {
		t.Fatal(err)
	}
	s.holds(renewed)
	s.reason("goes on serving")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.want()
	s.reason("")
}

func TestABrokenFileAtTheStartIsReplacedByHAProxysCopy(t *testing.T) {
	s := newFolder(t)
	s.list.saved = func(name string) []byte {
		if name == "a.pem" {
			return s.good
		}
		return nil
	}
	s.put([]byte("x"), "certs", "a.pem")
	s.put([]byte("x"), "certs", "b.pem")
	s.want("a.pem")
	s.holds(s.good)
}

func TestWhatHAProxyRefusesGivesWayToWhatWasThereBefore(t *testing.T) {
	s := newFolder(t)
	file := s.put(s.good, "certs", "a.pem")
	s.holds(s.good)
	renewed := makeCertificate(t, time.Now().Add(80*24*time.Hour), "a.test")
	put(t, renewed, file)
	s.holds(renewed)
	list, _ := s.list.read(time.Now())
	s.list.refused[list[0].sum] = "key too small"
	s.holds(s.good)
	s.reason("HAProxy refuses it: key too small; what it held before goes on serving")
	delete(s.list.files, file) // as after a restart, when nothing is known of before
	s.want()
	s.reason("HAProxy refuses it: key too small")
}

// Kubernetes exchanges the link ..data, through which the links of all files go; certbot's folders are links as well.
func TestFoldersBehindLinksAreExchangedAtOnce(t *testing.T) {
	s := newFolder(t)
	renewed := makeCertificate(t, time.Now().Add(80*24*time.Hour), "a.test")
	s.put(s.good, "volume", "..1", "tls.pem")
	s.put(renewed, "volume", "..2", "tls.pem")
	link := func(target, name string) {
		t.Helper()
		aside := filepath.Join(s.dir, "aside")
		if err := os.Symlink(target, aside); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(aside, filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("..1", "volume/..data")
	link("..data/tls.pem", "volume/tls.pem")
	link("volume", "certs")
	s.want("tls.pem")
	s.holds(s.good)
	link("..2", "volume/..data")
	s.want("tls.pem")
	s.holds(renewed)
	s.reason("")
}

func TestTheFirstOfTwoPlacesWins(t *testing.T) {
	s := newFolder(t)
	s.put(s.good, "certs", "cert-a.pem")
	s.put(makeCertificate(t, time.Now().Add(80*24*time.Hour), "a.test"), "secrets", "cert-a.pem")
	s.want("cert-a.pem")
	s.holds(s.good)
	s.reason("secrets/cert-a.pem certs/cert-a.pem has the same name and comes first")
}

func TestTheTimeOfACertificateIsReportedButItIsUsed(t *testing.T) {
	const day = 24 * time.Hour
	for _, row := range []struct {
		end    time.Duration
		reason string
	}{{60 * day, ""}, {15 * day, ""}, {13 * day, "expires soon"}, {-day, "has expired"}, {100 * day, "is not valid before"}} {
		s := newFolder(t)
		s.put(makeCertificate(t, time.Now().Add(row.end), "a.test"), "certs", "a.pem")
		s.want("a.pem")
		s.reason(row.reason)
	}
}

// A file system may count time in steps of two seconds: what was written in the same moment, with the same length, must
// be seen too.
func TestASecondChangeInTheSameMomentIsSeen(t *testing.T) {
	s := newFolder(t)
	now := time.Now()
	one := makeCertificate(t, now.Add(60*24*time.Hour), "a.test")
	other := one
	for bytes.Equal(one, other) || len(one) != len(other) {
		other = makeCertificate(t, now.Add(60*24*time.Hour), "a.test")
	}
	file := s.put(one, "certs", "a.pem")
	s.holds(one)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, other, file)
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if s.list.files[file].state != (fileState{}) {
		t.Error("the state of a file of this moment is believed")
	}
	s.holds(other)
}

func TestAnUnchangedFileIsNotReadAgain(t *testing.T) {
	s := newFolder(t)
	file := s.put(s.good, "certs", "a.pem")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	s.holds(s.good)
	s.list.files[file].good[0].Origin = "as it was"
	for range 3 {
		if list, _ := s.list.read(time.Now()); list[0].Origin != "as it was" {
			t.Error("the file was judged again")
		}
	}
	if s.list.files[file].state == (fileState{}) {
		t.Error("the file would be read at every look")
	}
}

func TestProblemsOfCertificatesTellNothingOfTheirContent(t *testing.T) {
	s := newFolder(t)
	s.put(append(slices.Clone(s.good), "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"...), "certs", "a.pem")
	_, problems := s.list.read(time.Now())
	want := []label.Problem{{Service: certificatesOrigin, Label: filepath.Join(s.dir, "certs/a.pem"), Value: "a.pem", Reason: "has more than one private key"}}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Error(diff)
	}
}
