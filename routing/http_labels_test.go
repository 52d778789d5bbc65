package routing

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/label"
)

func TestHTTPLabelsThatAreRefused(t *testing.T) {
	for _, row := range []struct{ name, value, reason string }{
		{"allowFrom", "", "names no address"},
		{"allowFrom", "10.0.0.0/8,a", `has an item that is neither an address nor a network such as 10.0.0.0/8: "a"`},
		{"denyFrom", "fe80::1%eth0", `has an item that is neither an address nor a network such as 10.0.0.0/8: "fe80::1%eth0"`},
		{"allowedMethods", "", "names 0 methods, not 1 to 32"},
		{"deniedMethods", "GET POST", `has an item that is no method such as GET: "GET POST"`},
		{"rateLimit", "10", "is not requests/period such as 100/10s, with a period of 1s to 24h"},
		{"rateLimit", "0/10s", "is not requests/period such as 100/10s, with a period of 1s to 24h"},
		{"rateLimit", "10/10", "is not requests/period such as 100/10s, with a period of 1s to 24h"},
		{"rateLimit", "10/25h", "is not requests/period such as 100/10s, with a period of 1s to 24h"},
		{"redirectFromDomain", "*.a.test", `has a host with *: "*.a.test"`},
		{"redirectFromDomain", "", "names no host"},
		{"usersSecret", "../x", "is not the name of a secret"},
		{"setHost", "a.test:x", "has no port behind the colon"},
		{"setHost", "*.a.test", "is not a host"},
		{"setHost", "", `has a host that is no name: ""`},
		{"hsts", "max-age=1; x", "is neither true nor seconds nor a value such as max-age=31536000; includeSubDomains"},
		{"corsAllowOrigin", "*,https://a.test", "has * beside other origins"},
		{"corsAllowOrigin", "https://a.test/", `has an item that is no origin such as https://www.example.com: "https://a.test/"`},
		{"loadBalance", "leastcon", "is not one of roundrobin, leastconn, random, first, source, uri, hdr(name), url_param(name) (did you mean leastconn?)"},
		{"loadBalance", "hdr(a b)", "is not one of roundrobin, leastconn, random, first, source, uri, hdr(name), url_param(name)"},
		{"timeoutServer", "25000000", "is neither seconds nor a duration such as 1m30s, above zero and at most 24 days"},
		{"timeoutServer", "NaN", "is neither seconds nor a duration such as 1m30s, above zero and at most 24 days"},
		{"retries", "101", "is not between 0 and 100"},
		{"retryOn", "none,503", "has none beside other reasons"},
		{"retryOn", "503,503", `has "503" twice`},
		{"compressionAlgo", "gzip,br", `has "br", which is not one of gzip, deflate, raw-deflate, identity`},
		{"compressionType", "text", `has an item that is no content type such as text/plain: "text"`},
		{"checkPath", "/a b", "is not a path such as /health"},
		{"checkExpect", "299-200", `has an item that is neither a status nor a range such as 200-299: "299-200"`},
		{"maxConn", "0", "is not between 1 and 1000000"},
	} {
		spec, _ := Labels.Lookup(row.name)
		if _, err := spec.Parse(row.value); err == nil || err.Error() != row.reason {
			t.Errorf("%s=%q is answered by %v, want %s", row.name, row.value, err, row.reason)
		}
	}
}

func TestHTTPLabelsThatMeanNothingTogetherTakeTheirDestinationAlong(t *testing.T) {
	for _, row := range []struct{ labels, reason string }{
		{"compressionType=text/plain", "does nothing without compressionAlgo"},
		{"checkInterval=5", "does nothing without checkPath or checkTcp"},
		{"checkTcp=true checkExpect=200", "does nothing without checkPath"},
		{"redirectFromDomain=old.test serviceDomain=*.new.test", "has nowhere to lead to: the first serviceDomain must be a host, neither with * nor an expression"},
		{"redirectFromDomain=old.test serviceDomain=^new$ serviceDomainAlgo=hdr_reg(host)", "has nowhere to lead to: the first serviceDomain must be a host, neither with * nor an expression"},
		{"redirectFromDomain=A.test. serviceDomain=b.test,a.test", "has a host that is a serviceDomain too"},
		{"users=a:b,a:c", `has the user "a" twice`},
		{"users=:b", "has a password without a user"},
		{"users=,", "names no user"},
		{"users=a:$6$rounds=999999$abcdefgh$" + strings.Repeat("a", 86) + " usersPassEncrypted=true",
			`has for the user "a" no hash of crypt(3) such as openssl passwd -6 makes, or one that takes too long to check`},
	} {
		service := Service{Name: "svc", Labels: map[string]string{}}
		for _, written := range strings.Fields(row.labels) {
			name, value, _ := strings.Cut(written, "=")
			service.Labels[label.Prefix+name] = value
		}
		values, problems := Labels.Read("svc", service.Labels)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		_, _, problems = readHTTP(service, values.At(0), Options{})
		if len(problems) != 1 || problems[0].Reason != row.reason || strings.Contains(problems[0].Value, ":") {
			t.Errorf("%s is answered by %v, want %s", row.labels, problems, row.reason)
		}
	}
}

func FuzzParseUsers(f *testing.F) {
	for _, text := range []string{"a:b,c:d", "a", "a:b\nc:d\r\n", ":b", "a::b", "a:$6$x$y"} {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, encrypted bool) {
		users, err := ParseUsers(text, encrypted)
		if err != nil {
			return
		}
		var again []string
		for _, u := range users {
			if u.Name == "" || u.Password == "" || u.Encrypted != encrypted {
				t.Errorf("%q is read as %+v", text, u)
			}
			again = append(again, u.Name+":"+u.Password)
		}
		if got, err := ParseUsers(strings.Join(again, "\n"), encrypted); err != nil || !cmp.Equal(got, users) {
			t.Errorf("%q is read as %+v, which written down again is read as %+v, %v", text, users, got, err)
		}
	})
}
