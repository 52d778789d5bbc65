package routing_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sluice/internal/haproxy/haproxytest"
	"sluice/routing"
)

// TestRequestsAndAnswersAreTreatedAsLabelsSay asks the real HAProxy. A case has labels of the service svc (on port 8080,
// path / unless they say otherwise) or whole services, and requests: the entry (P for http, S for https, C for https with a client certificate), the method, host
// and target, `Header:value` and `as:user:password`; behind the arrow the status, `Header:value` of the answer,
// `saw:Header:value` of the request as the task saw it, and `-Header` and `-saw:Header` for absent ones. A space in a
// value is written as "␣". Cases with a number are those of the public list of routing cases.
func TestRequestsAndAnswersAreTreatedAsLabelsSay(t *testing.T) {
	entries := newEntries(t)
	for _, c := range slices.Concat(userCases(), redirectCases(), headerCases(), accessCases(), balanceCases(), tlsCases()) {
		t.Run(c.name, func(t *testing.T) {
			c.options.Network, c.options.Secrets, c.options.ClientCA = "proxy", secrets(), true
			entries.serve(t, c.services(), c.options, c.trusted)
			for line := range strings.Lines(strings.TrimSpace(c.requests)) {
				asked, want, found := strings.Cut(strings.TrimSpace(line), " => ")
				if !found {
					t.Fatalf("%q has no arrow", line)
				}
				entries.check(t, asked, want)
			}
		})
	}
}

func TestEverySampleAndConditionIsKnownToHAProxy(t *testing.T) {
	haproxytest.Binary(t)
	request, response := routing.AllSamples()
	services := scene(t, "service svc\nnotify true\nport 80\nservicePath /")
	services[0].Labels["com.df.setReqHeader"] = strings.Join(request, ",")
	services[0].Labels["com.df.setResHeader"] = strings.Join(response, ",")
	table, problems := build(services)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	config := render(t, table, settings("127.0.0.1:80"))
	if err := checkConfig(t.Context(), openStore(t), config); err != nil {
		t.Errorf("%v\n%s", err, config.Text)
	}
}

type httpCase struct {
	name, labels, requests string
	options                routing.Options
	trusted                []netip.Prefix
}

// services gives one service, unless the labels begin with services of their own.
func (c httpCase) services() string {
	if strings.HasPrefix(strings.TrimSpace(c.labels), "service ") {
		return c.labels
	}
	text := "service svc\nnotify true\nport 8080\n"
	if !strings.Contains(c.labels, "servicePath") && !strings.Contains(c.labels, "serviceDomain") {
		text += "servicePath /\n"
	}
	return text + c.labels
}

// loopback are front proxies that are trusted, for that is where the tests' requests come from.
func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

func userCases() []httpCase {
	hash := strings.TrimPrefix(strings.TrimSpace(secrets()["dfp_users_monitoring"]), "observer:")
	return []httpCase{
		{name: "58 users", labels: "users admin:password,joe:x", requests: `
			P GET a.test/ => 401 WWW-Authenticate:Basic␣realm="svcRealm"
			P GET a.test/ as:admin:password => 200 -saw:Authorization
			P GET a.test/ as:joe:x => 200 -saw:Authorization
			P GET a.test/ as:joe:y => 401
			P GET a.test/ as:: => 401`},
		{name: "59 users with hashes", labels: "users admin:" + hash + "\nusersPassEncrypted true", requests: `
			P GET a.test/ as:admin:password => 200
			P GET a.test/ as:admin:Password => 401`},
		{name: "60 users of a secret", labels: "usersSecret monitoring\nusersPassEncrypted true", requests: `
			P GET a.test/ => 401
			P GET a.test/ as:observer:password => 200`},
		{name: "61 a user whose password is in a secret", labels: "users observer\nusersSecret monitoring\nusersPassEncrypted true", requests: `
			P GET a.test/ as:observer:password => 200
			P GET a.test/ as:observer:x => 401`},
		{name: "62 a secret that is not there serves nobody", labels: "usersSecret missing", requests: `
			P GET a.test/ => 401
			P GET a.test/ as:observer:password => 401`},
		{name: "63 users of the proxy", options: routing.Options{Users: []routing.User{{Name: "g", Password: "gp"}}}, requests: `
			P GET a.test/ => 401 WWW-Authenticate:Basic␣realm="defaultRealm"
			P GET a.test/ as:g:gp => 200 -saw:Authorization`},
		{name: "64 a service's users replace the proxy's", labels: "users a:b", options: routing.Options{Users: []routing.User{{Name: "g", Password: "gp"}}}, requests: `
			P GET a.test/ as:g:gp => 401
			P GET a.test/ as:a:b => 200`},
		{name: "65 a destination without password", labels: "users a:b\nservicePath.1 /api\nignoreAuthorization.1 true\nservicePath.2 /", requests: `
			P GET a.test/api => 200
			P GET a.test/x => 401
			P GET a.test/x as:a:b => 200`},
		{name: "67 a method is refused before a password is asked for", labels: "users a:b\ndeniedMethods PUT", requests: `
			P PUT a.test/ => 403
			P GET a.test/ => 401`},
		{name: "users with characters of the configuration", labels: `users a"'#b:p\"'# $x}%`, requests: `
			P GET a.test/ as:a"'#b:p\"'#␣$x}% => 200
			P GET a.test/ => 401`},
	}
}

func redirectCases() []httpCase {
	return []httpCase{
		{name: "68 https only", labels: "httpsOnly true\nreqPathSearchReplace /s/,/t/", requests: `
			P GET a.test/s/x?y=1 => 302 Location:https://a.test/s/x?y=1
			P GET a.test:80/s/x?y=1 => 302 Location:https://a.test/s/x?y=1
			P GET [::1]:8080/ => 302 Location:https://[::1]/
			S GET a.test/s/x => 200`},
		{name: "69 https only with 301", labels: "httpsOnly true\nhttpsRedirectCode 301", requests: `P POST a.test/ => 301 Location:https://a.test/`},
		{name: "69 https only with 308", labels: "httpsOnly true\nhttpsRedirectCode 308", requests: `P POST a.test/ => 308 Location:https://a.test/`},
		{name: "70 https only for one destination", labels: "servicePath.1 /a\nhttpsOnly.1 true\nservicePath.2 /b", requests: `
			P GET a.test/a => 302
			P GET a.test/b => 200`},
		{name: "71 https only for all", options: routing.Options{HTTPSOnly: true}, requests: `P GET a.test/ => 302 Location:https://a.test/`},
		{name: "71 https only for all but one", labels: "httpsOnly false", options: routing.Options{HTTPSOnly: true}, requests: `P GET a.test/ => 200`},
		{name: "https on another port", labels: "httpsOnly true", options: routing.Options{HTTPSPort: 8443}, requests: `
			P GET a.test:8080/ => 302 Location:https://a.test:8443/
			P GET a.test/ => 302 Location:https://a.test/`},
		{name: "72 a trusted proxy says http", labels: "redirectWhenHttpProto true", trusted: loopback(), requests: `
			P GET a.test/ => 200
			P GET a.test/x?y X-Forwarded-Proto:http => 302 Location:https://a.test/x?y
			P GET a.test/ X-Forwarded-Proto:HTTP => 302
			P GET a.test/ X-Forwarded-Proto:https,http => 302
			P GET a.test/ X-Forwarded-Proto:https => 200
			S GET a.test/ X-Forwarded-Proto:http => 200`},
		{name: "72 somebody says http", labels: "redirectWhenHttpProto true", requests: `P GET a.test/ X-Forwarded-Proto:http => 200`},
		{name: "73 a trusted proxy does not say https", labels: "redirectUnlessHttpsProto true", trusted: loopback(), requests: `
			P GET a.test/ => 302 Location:https://a.test/
			P GET a.test/ X-Forwarded-Proto:http => 302
			P GET a.test/ X-Forwarded-Proto:https => 200
			S GET a.test/ => 200`},
		{name: "73 somebody says https", labels: "redirectUnlessHttpsProto true", requests: `P GET a.test/ X-Forwarded-Proto:https => 302`},
		{name: "74 no http", labels: "denyHttp true", requests: `
			P GET a.test/ => 403
			S GET a.test/ => 200`},
	}
}

func headerCases() []httpCase {
	return []httpCase{
		{name: "84 allowed methods", labels: "allowedMethods GET,delete", requests: `
			P GET a.test/ => 200
			P DELETE a.test/ => 200
			P PUT a.test/ => 403`},
		{name: "85 denied methods", labels: "deniedMethods PUT,POST", requests: `
			P GET a.test/ => 200
			P PUT a.test/ => 403
			P PATCH a.test/ => 200`},
		{name: "86 headers of requests are added", labels: "addReqHeader X-Add one,X-From %[src]", requests: `
			P GET a.test/ X-Add:zero => 200 saw:X-Add:zero,one saw:X-From:127.0.0.1`},
		{name: "87 headers of requests are replaced and deleted", labels: "setReqHeader X-Set \"one, two\"\ndelReqHeader X-Del", requests: `
			P GET a.test/ X-Set:zero X-Del:x => 200 saw:X-Set:one,␣two -saw:X-Del`},
		{name: "88 headers of answers", labels: "addResHeader X-R r1\nsetResHeader X-Backend over\ndelResHeader X-Del", requests: `
			P GET a.test/ => 200 X-R:r1 X-Backend:over -X-Del`},
		{name: "89 a quoted value", labels: `setResHeader Strict-Transport-Security "max-age=16000000; includeSubDomains; preload;"`, requests: `
			P GET a.test/ => 200 Strict-Transport-Security:max-age=16000000;␣includeSubDomains;␣preload;`},
		{name: "90 headers of one service only", labels: "service svc\nnotify true\nport 80\nservicePath /a\naddReqHeader X-A a\nservice other\nnotify true\nport 80\nservicePath /b", requests: `
			P GET a.test/a => 200 saw:X-A:a
			P GET a.test/b => 200 -saw:X-A`},
		{name: "headers with conditions", labels: `setReqHeader X-A a if { path_beg /a } !{ hdr(host) -i B.test } or METH_PUT,X-B b unless { path /b },X-C "it's 50% #x" if { src 127.0.0.0/8 }
			addResHeader X-S s if { status ge 400 }`, requests: `
			P GET a.test/a => 200 saw:X-A:a saw:X-B:b saw:X-C:it's␣50%␣#x -X-S
			P GET b.test/a => 200 -saw:X-A
			P PUT b.test/b => 200 saw:X-A:a -saw:X-B
			P GET a.test/status/404 => 404 X-S:s`},
		{name: "a value is not taken apart", labels: `setResHeader A-B "x %[res.hdr(x-backend),upper] %ci 100%% if { y }"`, requests: `
			P GET a.test/ => 200 A-B:x␣OWN␣127.0.0.1␣100%␣if␣{␣y␣}`},
		{name: "92 an old host leads to the new one", labels: "serviceDomain new.test\nredirectFromDomain old.test", trusted: loopback(), requests: `
			S GET old.test/p?q=1 => 301 Location:https://new.test/p?q=1
			P GET old.test/p => 301 Location:http://new.test/p
			P GET OLD.test.:81/p => 301 Location:http://new.test:81/p
			P GET old.test/p X-Forwarded-Proto:https => 301 Location:https://new.test/p
			P GET old.test.evil.org/p => 503
			P GET new.test/p => 200`},
		{name: "another host for tasks", labels: "setHost inner.test:81", requests: `P GET a.test/ => 200 saw:Host:inner.test:81`},
		{name: "strict transport security", labels: "hsts true", trusted: loopback(), requests: `
			P GET a.test/ => 200 -Strict-Transport-Security
			P GET a.test/ X-Forwarded-Proto:https => 200 Strict-Transport-Security:max-age=31536000
			S GET a.test/ => 200 Strict-Transport-Security:max-age=31536000`},
		{name: "origins", labels: "corsAllowOrigin https://a.test,https://b.test\nallowedMethods GET\nusers a:b", requests: `
			P GET x.test/ as:a:b Origin:https://b.test => 200 Access-Control-Allow-Origin:https://b.test Vary:Origin
			P GET x.test/ as:a:b Origin:https://c.test => 200 -Access-Control-Allow-Origin Vary:Origin
			P GET x.test/ as:a:b => 200 -Access-Control-Allow-Origin
			P OPTIONS x.test/ Origin:https://a.test Access-Control-Request-Method:GET Access-Control-Request-Headers:x-y => 204 Access-Control-Allow-Origin:https://a.test Access-Control-Allow-Methods:GET Access-Control-Allow-Headers:x-y
			P OPTIONS x.test/ Origin:https://c.test Access-Control-Request-Method:GET => 403`},
		{name: "any origin", labels: "corsAllowOrigin *", requests: `P GET x.test/ Origin:null => 200 Access-Control-Allow-Origin:null`},
	}
}

func accessCases() []httpCase {
	return []httpCase{
		{name: "allowed addresses", labels: "service in\nnotify true\nport 80\nservicePath /in\nallowFrom 127.0.0.0/8,::1\nservice out\nnotify true\nport 80\nservicePath /out\nallowFrom 10.0.0.0/8", requests: `
			P GET a.test/in => 200
			P GET a.test/out => 403
			P GET a.test/out X-Forwarded-For:10.0.0.1 => 403`},
		{name: "denied addresses", labels: "service in\nnotify true\nport 80\nservicePath /in\ndenyFrom 10.0.0.0/8\nservice out\nnotify true\nport 80\nservicePath /out\ndenyFrom 127.0.0.1", requests: `
			P GET a.test/in => 200
			P GET a.test/out => 403`},
		{name: "addresses behind a trusted proxy", labels: "allowFrom 10.0.0.0/8\naddReqHeader X-Src %[src]", trusted: loopback(), requests: `
			P GET a.test/ => 403
			P GET a.test/ X-Forwarded-For:10.0.0.1,192.0.2.1 => 403
			P GET a.test/ X-Forwarded-For:192.0.2.1,10.0.0.1 => 200 saw:X-Src:10.0.0.1
			P GET a.test/ X-Forwarded-For:nonsense => 403`},
		{name: "a rate", labels: "rateLimit 2/60s", requests: `
			P GET a.test/ => 200
			P GET a.test/ => 200
			P GET a.test/ => 429`},
		{name: "a rate for each client of a trusted proxy", labels: "rateLimit 1/60s", trusted: loopback(), requests: `
			P GET a.test/ X-Forwarded-For:10.0.0.1 => 200
			P GET a.test/ X-Forwarded-For:10.0.0.1 => 429
			P GET a.test/ X-Forwarded-For:10.0.0.2 => 200`},
	}
}

func balanceCases() []httpCase {
	return []httpCase{
		{name: "98 compression of one service", labels: "service svc\nnotify true\nport 80\nservicePath /a\ncompressionAlgo gzip\ncompressionType text/plain\nservice svc2\nnotify true\nport 80\nservicePath /b", requests: `
			P GET a.test/a/big Accept-Encoding:gzip => 200 Content-Encoding:gzip
			P GET a.test/a/big => 200 -Content-Encoding
			P GET a.test/b/big Accept-Encoding:gzip => 200 -Content-Encoding`},
		{name: "102 a task that takes too long", labels: "timeoutServer 1\nservicePath.1 /slow\nservicePath.2 /patient\ntimeoutServer.2 5", requests: `
			P GET a.test/slow => 504
			P GET a.test/patient/slow => 200`},
		{name: "a status is tried again", labels: "retryOn 503\nretries 1", requests: `P GET a.test/once => 200`},
		{name: "a status is not tried again", labels: "retryOn conn-failure", requests: `P GET a.test/once => 503`},
	}
}
