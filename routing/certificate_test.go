package routing_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/routing"
)

func TestParseCertificateTellsWhatItHolds(t *testing.T) {
	root := newCertificate(t, "root")
	between := root.issue(newKey(t), "between")
	c := between.issue(newKey(t), "A.test", "b.test", "*.A.test")
	_, info, err := routing.ParseCertificate("a.pem", slices.Concat(c.keyPEM(), []byte("# a word in front\n\n"), c.chain()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b.test", "*.a.test", "a.test"}, info.Hosts); diff != "" || info.Subject != "A.test" || !info.NotAfter.Equal(c.leaf.NotAfter) || len(info.Fingerprint) != 40 {
		t.Errorf("got %+v, hosts %s", info, diff)
	}
}

func TestCertificateThatCannotBeUsedIsRefusedWithoutAWordOfIt(t *testing.T) {
	a, b := newCertificate(t, "a.test"), newCertificate(t, "b.test")
	root := newCertificate(t, "root")
	between := root.issue(newKey(t), "between")
	chained := between.issue(newKey(t), "a.test")
	key := string(a.keyPEM())
	for _, row := range []struct{ meaning, content, reason string }{
		{"nothing", "", "holds no PEM"},
		{"no PEM", "hello", "holds no PEM"},
		{"a certificate without its key", string(a.chain()), "has no private key"},
		{"a key without its certificate", key, "has no certificate"},
		{"the key of another one", string(a.chain()) + string(b.keyPEM()), "is not that of its first certificate"},
		{"the chain in front of the leaf", string(between.chain()) + string(chained.chain()) + string(chained.keyPEM()), "is not that of its first certificate"},
		{"two keys", string(a.pem()) + string(b.keyPEM()), "more than one private key"},
		{"a key with a password", string(a.chain()) + strings.ReplaceAll(key, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "with a password"},
		{"a key that is none", string(a.chain()) + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "private key that cannot be read"},
		{"a certificate that is none", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + key, "certificate that cannot be read (number 1)"},
		{"too much", strings.Repeat(" ", 300<<10), "more than"},
	} {
		_, _, err := routing.ParseCertificate("a.pem", []byte(row.content))
		if err == nil || !strings.Contains(err.Error(), row.reason) {
			t.Errorf("%s: got %v, want %q", row.meaning, err, row.reason)
		} else if secret := strings.Split(key, "\n")[1]; strings.Contains(err.Error(), secret[:8]) {
			t.Errorf("%s: the reason quotes the key", row.meaning)
		}
	}
	for _, name := range []string{"", ".a", "a b", "a/b", "a;b", "ä", strings.Repeat("a", 201)} {
		if _, _, err := routing.ParseCertificate(name, a.pem()); err == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
}

func TestBindOptionsAndCiphersAreCheckedAsWords(t *testing.T) {
	for text, good := range map[string]bool{
		"": true, "ssl-min-ver TLSv1.2": true, "no-sslv3 no-tls-tickets  strict-sni": true, "ssl-min-ver": false, "ssl-min-ver no-sslv3": false,
		"crt /x": false, "no-sslv3 # x": false, "no-sslv3\nbind *:1": false, "ssl-min-ver TLSv1.3 ssl-max-ver SSLv3": false,
	} {
		if err := routing.CheckBindOptions(text); (err == nil) != good {
			t.Errorf("options %q: %v", text, err)
		}
	}
	for text, good := range map[string]bool{
		"": true, routing.DefaultCiphers: true, "HIGH:!aNULL:+RC4:@STRENGTH": true, "a b": false, "a\nb": false, "a'b": false, "-a": false, "a#b": false,
	} {
		if err := routing.CheckCiphers(text); (err == nil) != good {
			t.Errorf("ciphers %q: %v", text, err)
		}
	}
}

// Answers of HAProxy 2.6.12, as they came.
const (
	certificateNames  = "# transaction\n*b.pem\n# filename\na.pem\nb.pem\n/cfg/own.pem\n\n"
	certificateLines  = "# certs.list\na.pem:1\nb.pem:2 b.test *.b.test\n\n"
	certificateStatus = "Filename: b.pem\nStatus: Used\nSerial: 44\nnotAfter: Dec 23 02:15:29 2026 GMT\nSubject Alternative Name: DNS:b.test\nAlgorithm: EC256\n" +
		"SHA1 FingerPrint: 5F9C\nSubject: /CN=b.test\nIssuer: /C=US/O=A/CN=R3\nChain Subject: /C=US/O=Let's Encrypt/CN=R3\nChain Issuer: /CN=root\nChain Subject: /CN=a/b=c/O=x\nOCSP Response Key: \n\n"
	noCertificateList = "didn't find the specified filename\n\n"
)

func TestAnswersAboutCertificatesAreRead(t *testing.T) {
	names, transaction := routing.ParseCertificateNames([]byte(certificateNames))
	if diff := cmp.Diff([]string{"a.pem", "b.pem"}, names); diff != "" || transaction != "b.pem" {
		t.Errorf("transaction %q, names %s", transaction, diff)
	}
	list, err := routing.ParseCertificateList([]byte(certificateLines))
	if diff := cmp.Diff([]routing.CertificateLine{{File: "a.pem", Number: 1}, {File: "b.pem", Number: 2, Filters: "b.test *.b.test"}}, list); diff != "" || err != nil {
		t.Errorf("%v, list %s", err, diff)
	}
	if list, err := routing.ParseCertificateList([]byte(noCertificateList)); list != nil || err != nil {
		t.Errorf("no list is read as %v, %v", list, err)
	}
	status, err := routing.ParseCertificateStatus([]byte(certificateStatus))
	if diff := cmp.Diff(routing.RunningCertificate{Fingerprint: "5F9C", Chain: []string{"R3", "a"}}, status); diff != "" || err != nil {
		t.Errorf("%v, status %s", err, diff)
	}
	for _, answer := range []string{noCommand, "Can't display the certificate: Not found or the certificate is a bundle!\n\n"} {
		if list, err := routing.ParseCertificateList([]byte(answer)); err == nil {
			t.Errorf("%q is read as %v", answer, list)
		}
		if status, err := routing.ParseCertificateStatus([]byte(answer)); err == nil {
			t.Errorf("%q is read as %v", answer, status)
		}
	}
}

func FuzzParseCertificate(f *testing.F) {
	c := newCertificate(f, "a.test")
	f.Add(c.pem())
	f.Add(slices.Concat(c.keyPEM(), []byte("\n\n"), c.chain()))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		one, info, err := routing.ParseCertificate("a.pem", content)
		if err != nil {
			return
		}
		if len(info.Fingerprint) != 40 {
			t.Errorf("got %+v", info)
		}
		config, err := routing.Render(routing.Table{}, secured("*:443", one))
		if err != nil || len(config.Certificates) != 1 || bytes.Contains(config.Certificates[0].PEM, []byte("\n\n")) {
			t.Errorf("%v: a blank line would end a command: %q", err, config.Certificates[0].PEM)
		}
	})
}

func FuzzParseCertificateAnswers(f *testing.F) {
	for _, answer := range []string{certificateNames, certificateLines, certificateStatus, noCertificateList, noCommand} {
		f.Add([]byte(answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		_, _ = routing.ParseCertificateNames(answer)
		_, _ = routing.ParseCertificateStatus(answer)
		if list, err := routing.ParseCertificateList(answer); err == nil && slices.ContainsFunc(list, func(l routing.CertificateLine) bool { return l.File == "" }) {
			t.Errorf("a line without a file: %v", list)
		}
	})
}
