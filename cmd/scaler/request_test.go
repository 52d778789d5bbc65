package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"sluice/internal/daemon"
	"sluice/internal/swarm"
	"sluice/policy"
)

// call sends a request to the API while the loop waits for its next tick.
func (r *rig) call(t *testing.T, method, path, body string, header ...string) (int, string) {
	t.Helper()
	a := api{board: r.recorder.board, gather: prometheus.NewRegistry(), guard: daemon.Guard{Token: "secret"}, requests: r.loop.requests}
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case q := <-r.loop.requests:
				q.answer <- r.loop.serve(t.Context(), q)
			case <-done:
				return
			}
		}
	}()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	for _, line := range append(header, "X-Api-Token: secret") {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	a.handler().ServeHTTP(w, request)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestScaleOverTheAPI(t *testing.T) {
	updating := demo(3)
	updating.Update = "updating"
	rolling := demo(3)
	rolling.Update = "rollback_started"
	global := demo(0)
	global.Mode = swarm.Global
	for _, row := range []struct {
		name       string
		service    swarm.Service
		path, body string
		code       int
		want       string // in the answer
		replicas   int
	}{
		{"to a number", demo(3), "", `{"to": 8}`, 200, `"from":3,"to":8,"verdict":"up","reason":"somebody asks for 8"`, 8},
		{"in the address", demo(3), "?to=8", "", 200, `"to":8`, 8},
		{"by more", demo(3), "", `{"by": "+2"}`, 200, `somebody asks for 2 more than 3`, 5},
		{"by fewer", demo(3), "", `{"by": -1}`, 200, `somebody asks for 1 fewer than 3`, 2},
		{"beyond max", demo(3), "", `{"to": 80}`, 200, `somebody asks for 80, but max is 10: scale to 10`, 10},
		{"below min", demo(3), "", `{"by": -30}`, 200, `but min is 1: scale to 1`, 1},
		{"to what runs", demo(3), "", `{"to": 3}`, 200, `"verdict":"steady"`, 3},
		{"while paused", demo(3, "paused=true"), "", `{"to": 8}`, 200, `"to":8`, 8},
		{"while kept at a number", demo(3, "paused=3"), "", `{"to": 8}`, 409, `paused at 3: hold at 3`, 3},
		{"in an update", updating, "", `{"to": 8}`, 409, `an update of the service is in progress: hold at 3`, 3},
		{"in a rollback", rolling, "", `{"to": 8}`, 409, `an update of the service is in progress: hold at 3`, 3},
		{"in a dry run", demo(3, "dryRun=true"), "", `{"to": 8}`, 409, `this is a dry run, else scale to 8: hold at 3`, 3},
		{"switched off", demo(3, "enabled=false"), "", `{"to": 8}`, 409, `enabled is false`, 3},
		{"global", global, "", `{"to": 8}`, 409, `only a replicated service`, 0},
		{"unusable labels", demo(3, "min=20"), "", `{"to": 8}`, 409, `its labels cannot be used: com.df.scale.min: must not be above max`, 3},
		{"both", demo(3), "", `{"to": 8, "by": 1}`, 400, `say one of to=8 and by=-2`, 3},
		{"neither", demo(3), "", ``, 400, `say one of`, 3},
		{"twice", demo(3), "?to=8", `{"to": 8}`, 400, `to: is given twice`, 3},
		{"no number", demo(3), "", `{"to": "many"}`, 400, `to: is no number of replicas, got \"many\"`, 3},
		{"a fraction", demo(3), "", `{"by": 1.5}`, 400, `by: is no number of replicas, got \"1.5\"`, 3},
		{"less than none", demo(3), "", `{"to": -1}`, 400, `got \"-1\"`, 3},
		{"misspelt", demo(3), "", `{"too": 8}`, 400, `too: is not known, only to, by`, 3},
		{"no JSON", demo(3), "", `to=8`, 400, `read request`, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(row.service)
				r.seconds(t, 1)
				code, answer := r.call(t, "POST", "/v1/services/demo_app/scale"+row.path, row.body)
				if code != row.code || !strings.Contains(answer, row.want) {
					t.Errorf("%d %s, want %d with %s", code, answer, row.code, row.want)
				}
				if got := r.swarm.services[0].Replicas; got != row.replicas {
					t.Errorf("%d replicas, want %d", got, row.replicas)
				}
			})
		})
	}
}

// What somebody asked for is the scaler's own from then on, even for one that starts anew; and the rules go on from it.
func TestScaleOverTheAPISurvivesARestartAndThenTheRulesDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3, "stabilizeDown=20s", "cooldownDown=5s", "warmup=0s"))
		r.load["demo_app"] = 250
		r.seconds(t, 30)
		if code, answer := r.call(t, "POST", "/v1/services/demo_app/scale", `{"to": 7}`); code != http.StatusOK {
			t.Fatal(answer)
		}
		r.restart()
		r.seconds(t, 15)
		if diff := cmp.Diff([]string{"demo_app 3->7"}, r.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
		r.seconds(t, 10)
		if diff := cmp.Diff([]string{"demo_app 3->7", "demo_app 7->3"}, r.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
	})
}

func TestPauseOverTheAPI(t *testing.T) {
	for _, row := range []struct {
		name, path, body string
		code             int
		want             string
	}{
		{"wholly", "", "", 200, "paused over the API (true) until somebody ends it"},
		{"for a time", "?for=30m", "", 200, "paused over the API (true) until 2000-01-01T00:30:01Z"},
		{"in one direction", "", `{"mode": "in"}`, 200, "(in)"},
		{"at a number", "", `{"mode": 5, "for": "1h"}`, 200, "(5) until 2000-01-01T01:00:01Z"},
		{"at none", "", `{"mode": 50}`, 409, "a pause at 50 must lie between min, 1, and max, 10"},
		{"ended", "?mode=false", "", 200, "the pause over the API has ended"},
		{"unknown", "?mode=sometimes", "", 400, `mode: is not true, false, in, out or a number of replicas, got \"sometimes\"`},
		{"no time", "?for=30", "", 400, `for: is not a duration such as 30m, got \"30\"`},
		{"no time at all", "?for=-1m", "", 400, `for: is not a duration`},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(demo(3))
				r.seconds(t, 1)
				if code, answer := r.call(t, "POST", "/v1/services/demo_app/pause"+row.path, row.body); code != row.code || !strings.Contains(answer, row.want) {
					t.Errorf("%d %s, want %d with %s", code, answer, row.code, row.want)
				}
			})
		})
	}
}

// A pause of the API stands in the label of the state: it survives a restart, holds for a second scaler, is written again
// after a deployment, and ends when its time is over.
func TestPauseOverTheAPISurvivesARestartADeploymentAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3))
		r.seconds(t, 1)
		if code, answer := r.call(t, "POST", "/v1/services/demo_app/pause", `{"for": "1m"}`); code != http.StatusOK {
			t.Fatal(answer)
		}
		r.load["demo_app"] = 480
		r.restart()
		r.seconds(t, 20)
		r.swarm.deploy(3)
		r.loop.stale = true
		r.seconds(t, 1)
		if r.swarm.services[0].Labels[policy.StateLabel] == "" {
			t.Error("the pause is not written again")
		}
		r.restart()
		r.seconds(t, 20)
		s, _ := r.recorder.board.get("demo_app")
		if len(r.swarm.scaled) > 0 || !strings.Contains(s.Reason, "but paused over the API for another 19s: hold at 3") {
			t.Errorf("scaled %v: %s", r.swarm.scaled, s.Reason)
		}
		r.seconds(t, 25)
		if diff := cmp.Diff([]string{"demo_app 3->5"}, r.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
	})
}

func TestPauseOverTheAPIIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3))
		r.seconds(t, 1)
		r.call(t, "POST", "/v1/services/demo_app/pause", `{"mode": "out"}`)
		r.load["demo_app"] = 480
		r.seconds(t, 5)
		if len(r.swarm.scaled) > 0 {
			t.Errorf("scaled %v", r.swarm.scaled)
		}
		if code, answer := r.call(t, "DELETE", "/v1/services/demo_app/pause", ""); code != http.StatusOK {
			t.Error(answer)
		}
		r.seconds(t, 2)
		if len(r.swarm.scaled) != 1 {
			t.Errorf("scaled %v", r.swarm.scaled)
		}
	})
}

func TestRequestIsAnsweredAnewWhenTheServiceChangedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3))
		r.seconds(t, 1)
		r.swarm.rival = func() { r.swarm.services[0].Replicas = 4 }
		if code, answer := r.call(t, "POST", "/v1/services/demo_app/scale", `{"by": 2}`); code != http.StatusOK || !strings.Contains(answer, `"from":4,"to":6`) {
			t.Errorf("%d %s", code, answer)
		}
		r.swarm.failure = errors.New("no leader")
		if code, answer := r.call(t, "POST", "/v1/services/demo_app/scale", `{"by": 2}`); code != http.StatusServiceUnavailable || !strings.Contains(answer, "no leader") {
			t.Errorf("%d %s", code, answer)
		}
	})
}

func TestOnlyTheTokenChangesSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3))
		r.seconds(t, 1)
		for path, method := range map[string]string{
			"/v1/services/demo_app/scale?to=5": "POST", "/v1/services/demo_app/pause": "POST", "/v1/alerts?service=demo_app&scale=up": "POST",
			"/v1/scale-service?service=demo_app&scale=up": "POST", "/v1/services/demo_app/pause?x": "DELETE",
		} {
			w := httptest.NewRecorder()
			api{board: r.recorder.board, gather: prometheus.NewRegistry(), guard: daemon.Guard{Token: "secret"}}.handler().ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != http.StatusUnauthorized {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
		}
	})
}

// The forms are those of the programs' documentation.
func TestAlertsOfOtherPrograms(t *testing.T) {
	const alertmanager = `{"version":"4","status":"firing","receiver":"sluice","groupLabels":{"alertname":"busy"},"commonLabels":{"scale":"up"},
		"alerts":[{"status":"firing","labels":{"alertname":"busy","service":"a"}},{"status":"resolved","labels":{"service":"b"}},
		{"status":"firing","labels":{"service":"c","scale":"down"}},{"status":"firing","labels":{"service":"a"}},{"status":"firing","labels":{"service":"c"}}]}`
	for _, row := range []struct{ name, query, body, want string }{
		{"Alertmanager", "", alertmanager, "a+1 c+1"},
		{"Alertmanager, all well", "", `{"status":"resolved","alerts":[{"status":"resolved","labels":{"service":"a","scale":"up"}}]}`, ""},
		{"Alertmanager, somebody else's", "", `{"status":"firing","alerts":[{"labels":{"alertname":"x"}},{"labels":{"service":"a","scale":"down"}}]}`, "a-1"},
		{"docker-scaler", "", `{"groupLabels":{"scale":"down","service":"web"}}`, "web-1"},
		{"Kapacitor", "", `{"id":"x","message":"m","time":"2026-01-01T00:00:00Z","level":"CRITICAL","data":{"series":[{"name":"haproxy","tags":{"service":"web","scale":"up"},"columns":["time"],"values":[[1]]}]}}`, "web+1"},
		{"Kapacitor, direction in the address", "scale=up", `{"level":"WARNING","data":{"series":[{"tags":{"service":"web"}},{"tags":{"service":"db"}}]}}`, "web+1 db+1"},
		{"Kapacitor, all well", "scale=up", `{"level":"OK","data":{"series":[{"tags":{"service":"web"}}]}}`, ""},
		{"by the address alone", "service=web&scale=UP", ``, "web+1"},
		{"no direction", "service=web", ``, `error read alert: scale is neither up nor down, got ""`},
		{"a strange one", "service=web&scale=sideways", ``, `error read alert: scale is neither up nor down, got "sideways"`},
		{"no service", "scale=up", ``, "error read alert: service is missing"},
		{"nothing", "", `{}`, "error read alert: " + errNoAlert.Error()},
	} {
		t.Run(row.name, func(t *testing.T) {
			query, _ := url.ParseQuery(row.query)
			list, err := parseAlert(query, []byte(row.body))
			var got []string
			for _, a := range list {
				got = append(got, a.service+map[int]string{1: "+1", -1: "-1"}[a.step])
			}
			if err != nil {
				got = []string{"error " + err.Error()}
			}
			if diff := cmp.Diff(row.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzParseAlert(f *testing.F) {
	f.Add("", `{"status":"firing","alerts":[{"status":"firing","labels":{"service":"a","scale":"up"}}]}`)
	f.Add("scale=up", `{"level":"CRITICAL","data":{"series":[{"tags":{"service":"web"}}]}}`)
	f.Add("service=a&scale=down", "")
	f.Fuzz(func(t *testing.T, query, body string) {
		values, _ := url.ParseQuery(query)
		list, err := parseAlert(values, []byte(body))
		seen := map[string]bool{}
		for _, a := range list {
			if err != nil || a.service == "" || a.step != 1 && a.step != -1 || seen[a.service] {
				t.Fatalf("%v, error %v", list, err)
			}
			seen[a.service] = true
		}
	})
}

func TestAlertTakesAStepWithinCooldownsAndBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := demo(3, "upBy=2", "cooldownUp=1m")
		delete(s.Labels, policy.Prefix+"target")
		r := newRig(s)
		r.seconds(t, 1)
		const up = `{"groupLabels":{"scale":"up","service":"demo_app"}}`
		for _, want := range []string{
			`200 {"services":[{"service":"demo_app","from":3,"to":5,"verdict":"up","reason":"an alert asks for a step up from 3 (upBy 2)"}]}`,
			`200 {"services":[{"service":"demo_app","from":5,"to":5,"verdict":"hold","reason":"an alert asks for a step up from 5 (upBy 2), but the last change is 1s ago (cooldownUp 1m): hold at 5"}]}`,
		} {
			code, answer := r.call(t, "POST", "/v1/alerts", up)
			if got := http.StatusText(code); got != "OK" || "200 "+answer != want {
				t.Errorf("%d %s, want %s", code, answer, want)
			}
			r.seconds(t, 1)
		}
		r.seconds(t, 120)
		if code, answer := r.call(t, "POST", "/v1/scale-service", up); code != 200 || answer != `{"message":"demo_app: an alert asks for a step up from 5 (upBy 2)","status":"OK"}` {
			t.Errorf("%d %s", code, answer)
		}
		r.seconds(t, 120)
		if diff := cmp.Diff([]string{"demo_app 3->5", "demo_app 5->7"}, r.swarm.scaled); diff != "" {
			t.Errorf("changes differ (-want +got):\n%s", diff)
		}
		if code, _ := r.call(t, "POST", "/v1/scale-service?service=nobody&scale=up", ""); code != http.StatusNotFound {
			t.Errorf("a service that is not there: %d", code)
		}
	})
}

// hook is a webhook that fails as often as it is told to.
type hook struct {
	fail  int
	calls []string
}

func (h *hook) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	h.calls = append(h.calls, r.URL.Host+" "+string(body))
	if h.fail > 0 {
		h.fail--
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
}

func TestWebhooksAreToldOfChangesAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3, "notify=http://hooks.example/T0/secret"))
		h := &hook{fail: 2}
		n := newNotifier(zerolog.New(r.out), r.recorder.metrics)
		n.client.Transport = h
		r.recorder.notify = n
		go n.run(t.Context())
		r.load["demo_app"] = 480
		r.seconds(t, 10)
		if len(r.swarm.scaled) != 1 || len(h.calls) != 3 || h.calls[0] != h.calls[2] {
			t.Fatalf("scaled %v, calls %v", r.swarm.scaled, h.calls)
		}
		for _, want := range []string{`hooks.example {"service":"demo_app","stack":"demo","from":3,"to":5,"verdict":"up","reason":"sessions 480`, `"at":"2000-01-01T00:00:0`} {
			if !strings.Contains(h.calls[0], want) {
				t.Errorf("%s is not in %s", want, h.calls[0])
			}
		}
		h.fail = 1000
		for n := range 5 {
			r.call(t, "POST", "/v1/services/demo_app/scale", `{"to": `+string(rune('6'+n%2))+`}`)
			r.seconds(t, 10)
		}
		if n := r.logged("a webhook was not told of a change"); n != 1 || strings.Contains(r.out.String(), "secret") {
			t.Errorf("logged %d times:\n%s", n, r.out)
		}
		h.fail = 0
		r.call(t, "POST", "/v1/services/demo_app/scale", `{"to": 9}`)
		r.seconds(t, 2)
		if r.logged("a webhook answers again") != 1 {
			t.Errorf("log:\n%s", r.out)
		}
	})
}

// A webhook that hangs keeps nobody waiting, and what does not fit into the queue is counted.
func TestHungWebhookKeepsNobodyWaiting(t *testing.T) {
	n := newNotifier(zerolog.New(io.Discard), newMetrics(prometheus.NewRegistry()))
	began := time.Now()
	for range notifyQueue + 10 { // nobody sends
		n.tell([]string{"http://127.0.0.1:1/"}, change{})
	}
	if len(n.queue) != notifyQueue || time.Since(began) > 30*time.Second {
		t.Errorf("%d wait after %s", len(n.queue), time.Since(began))
	}
}
