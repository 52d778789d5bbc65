package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAuthoritiesThatAreRenewedAreAnotherFileAndABrokenOneChangesNothing(t *testing.T) {
	dir := t.TempDir()
	one, two, three := makeCertificate(t, time.Now().Add(time.Hour), "one"), makeCertificate(t, time.Now().Add(2*time.Hour), "two"), makeCertificate(t, time.Now().Add(3*time.Hour), "three")
	a := &authorities{file: put(t, one, dir, "ca.pem"), dir: filepath.Join(dir, "authorities")}
	holds := func(content []byte, reason string) (path string) {
		t.Helper()
		path, problems := a.read(time.Now())
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
			t.Errorf("HAProxy is given another content: %v", err)
		}
		if text := ""; reason != "" {
			for _, p := range problems {
				text += p.String()
			}
			if !strings.Contains(text, reason) {
				t.Errorf("problems %q, want %q", text, reason)
			}
		} else if len(problems) > 0 {
			t.Errorf("problems: %v", problems)
		}
		return path
	}
	first := holds(one, "")
	if again := holds(one, ""); again != first {
		t.Errorf("what has not changed is another file: %s and %s", first, again)
	}
	put(t, two, a.file)
	second := holds(two, "")
	if second == first {
		t.Error("what was renewed is the same file")
	}
	put(t, []byte("x"), a.file)
	holds(two, "holds no certificate")
	if err := os.Remove(a.file); err != nil {
		t.Fatal(err)
	}
	holds(two, "no such file")
	put(t, three, a.file)
	third := holds(three, "")
	left, err := filepath.Glob(filepath.Join(a.dir, "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("files left are %v, want those of now and before: %s and %s", left, second, third)
	}
}
