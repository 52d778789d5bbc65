package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"pgregory.net/rapid"
)

// TestTheOrderInWhichChangesAreHeardOfDoesNotMatter takes changes of three proxies in random pieces, orders and numbers.
func TestTheOrderInWhichChangesAreHeardOfDoesNotMatter(t *testing.T) {
	now := time.Now().UnixNano()
	rapid.Check(t, func(t *rapid.T) {
		change := rapid.Custom(func(t *rapid.T) map[string]thing {
			by, at := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "by"), now+rapid.Int64Range(0, 5).Draw(t, "at")
			c := thing{stamp: stamp{At: at, By: by}, Removed: rapid.Bool().Draw(t, "removed")}
			if !c.Removed { // one stamp belongs to one change
				c.Value = fmt.Appendf(nil, `{"com.df.servicePath":"/%s%d"}`, by, at)
			}
			return map[string]thing{rapid.SampledFrom([]string{"x", "y"}).Draw(t, "name"): c}
		})
		unique := func(c map[string]thing) stamp {
			return slices.Collect(maps.Values(c))[0].stamp
		}
		changes := rapid.SliceOfNDistinct(change, 1, 8, unique).Draw(t, "changes")
		var states [2]map[string]mark
		var services [2][]string
		for i := range states {
			d := &declarations{stamper: stamper{by: "me"}}
			heard := append(slices.Clone(changes), rapid.SliceOf(rapid.SampledFrom(changes)).Draw(t, "again")...)
			for _, c := range rapid.Permutation(heard).Draw(t, "order") {
				if err := d.take(c); err != nil {
					t.Fatal(err)
				}
			}
			states[i], services[i] = d.marks, names(d)
			if version, err := d.put("x", labels{}, false); err != nil || version == 0 || !d.marks["x"].after(states[i]["x"].stamp) {
				t.Fatalf("a change that knows of the others is not the last: %v %v", d.marks["x"], err)
			}
		}
		if diff := cmp.Diff(states[0], states[1], cmp.AllowUnexported(mark{})) + cmp.Diff(services[0], services[1]); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestRemovalsAreRememberedForATimeAndNotWithoutBound(t *testing.T) {
	now := time.Now()
	services := map[string]labels{"there": {}}
	marks := map[string]mark{"there": {stamp: stamp{At: 1, By: "a"}}, "old": {stamp: stamp{At: now.Add(-removedFor - time.Minute).UnixNano(), By: "a"}}}
	for i := range removedMax + 5 {
		marks[fmt.Sprint(i)] = mark{stamp: stamp{At: now.UnixNano() + int64(i), By: "a"}}
	}
	forgetOld(marks, services, now)
	for name, want := range map[string]bool{"there": true, "old": false, "4": false, "5": true, fmt.Sprint(removedMax + 4): true} {
		if _, kept := marks[name]; kept != want {
			t.Errorf("%s is kept: %v", name, kept)
		}
	}
}

func TestARemovalFromBeforeTheStartLeavesTheEnvironmentAlone(t *testing.T) {
	for _, row := range []struct {
		name string
		at   time.Duration
		want int
	}{{"before", -time.Minute, 1}, {"since", time.Minute, 0}} {
		d := open(t, "", map[string]labels{"fixed": {}})
		if err := d.take(map[string]thing{"fixed": {stamp: stamp{At: time.Now().Add(row.at).UnixNano(), By: "b"}, Removed: true}}); err != nil {
			t.Fatal(err)
		}
		if got := names(d); len(got) != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

// memoryBlobs are blobs without files.
type memoryBlobs map[string][]byte

func (b memoryBlobs) list() (map[string][]byte, error) { return maps.Clone(b), nil }
func (b memoryBlobs) put(name string, content []byte) error {
	b[name] = content
	return nil
}

func TestBlobsAreKeptAlike(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stamps.json")
	shelf := func(file string, b blobs) *blobShelf {
		s, err := openBlobShelf(file, b, "me"+file)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	move := func(from, to *blobShelf) {
		versions, err := from.versions()
		if err != nil {
			t.Fatal(err)
		}
		things, err := from.give(slices.Sorted(maps.Keys(versions)))
		if err == nil {
			err = to.take(things)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	mine, theirs := memoryBlobs{"site.pem": []byte("old"), "mine.pem": []byte("m")}, memoryBlobs{"site.pem": []byte("theirs")}
	a, b := shelf(file, mine), shelf("", theirs)
	theirs["site.pem"] = []byte("new") // put by whomever
	move(b, a)
	move(a, b)
	want := memoryBlobs{"site.pem": []byte("new"), "mine.pem": []byte("m")}
	if diff := cmp.Diff(want, mine) + cmp.Diff(want, theirs); diff != "" {
		t.Error(diff)
	}
	a.hold("site.pem")
	mine["site.pem"] = []byte("not judged yet")
	move(a, b)
	mine["site.pem"] = []byte("new")
	a.release("site.pem")
	move(a, b)
	if diff := cmp.Diff(want, theirs); diff != "" {
		t.Error("one that HAProxy had not taken was passed on", diff)
	}
	a.hold("local.pem")
	mine["local.pem"] = []byte("l")
	move(a, b) // an exchange may come at any time
	if err := a.changed("local.pem", true); err != nil {
		t.Fatal(err)
	}
	before, _ := a.versions()
	move(a, b)
	if diff := cmp.Diff(want, theirs); diff != "" {
		t.Error("a local one was passed on", diff)
	}
	after, err := shelf(file, mine).versions() // nothing is a change after a restart
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func FuzzExchange(f *testing.F) {
	f.Add(`{"instance":"x","versions":{"services":{"a":{"at":5,"by":"x"}}},"things":{"services":{"a":{"at":5,"by":"x","value":"e30="}}}}`)
	f.Add(`{"instance":"x","things":{"services":{"":{"at":4611686018427387904,"removed":true},"b":{"at":-1,"value":"bnVsbA=="}},"other":{"c":{}}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		d, err := openDeclarations("", nil, "me", zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		s := newSiblings(controlSettings{}, "me", zerolog.Nop())
		s.again, s.inForce, s.shelves[servicesKind] = func() {}, func(context.Context, map[string]thing) error { return nil }, d
		w := httptest.NewRecorder()
		s.answer(w, httptest.NewRequest(http.MethodPost, siblingsPath, strings.NewReader(body)))
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		for name, m := range d.marks {
			if name == "" || !m.usable() {
				t.Errorf("%q is marked %v", name, m)
			}
		}
		if _, err := d.put("later", labels{}, false); err != nil || !d.marks["later"].usable() {
			t.Errorf("later changes are stamped %v, %v", d.marks["later"], err)
		}
	})
}
