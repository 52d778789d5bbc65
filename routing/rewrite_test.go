package routing

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRewrites(t *testing.T) {
	type pair = Rewrite
	for _, row := range []struct {
		meaning, value string
		want           []Rewrite
	}{
		{"a search and what takes its place", "/a/,/b/", []pair{{"/a/", "/b/"}}},
		{"nothing takes its place", "^/a,", []pair{{"^/a", ""}}},
		{"several pairs", "a,b:c,d:e,f", []pair{{"a", "b"}, {"c", "d"}, {"e", "f"}}},
		{"groups", `^/s/(.*),/u/\1`, []pair{{"^/s/(.*)", `/u/\1`}}},
		{"a colon in the search", "(?:a|b),/x", []pair{{"(?:a|b)", "/x"}}},
		{"a colon in the search of a later pair", "a,b:(?:c|d),e", []pair{{"a", "b"}, {"(?:c|d)", "e"}}},
		{"a colon in the replacement", "^/,http://x/", []pair{{"^/", "http://x/"}}},
		{"a named class", "[[:digit:]]+,n", []pair{{"[[:digit:]]+", "n"}}},
		{"an escaped comma", `a{1\,2},b`, []pair{{"a{1,2}", "b"}}},
		{"an escaped colon", `a\,b\:c,d\,e\:f`, []pair{{"a,b:c", "d,e:f"}}},
		{"other escapes are the expression's", `\d+\.\w,\1`, []pair{{`\d+\.\w`, `\1`}}},
		{"an escaped backslash escapes nothing", `a\\,b`, []pair{{`a\\`, "b"}}},
		{"blanks belong to it", "a b, c", []pair{{"a b", " c"}}},
	} {
		t.Run(row.meaning, func(t *testing.T) {
			got, err := parseRewrites(row.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseRewritesRefuses(t *testing.T) {
	for meaning, value := range map[string]string{
		"nothing":                        "",
		"no comma":                       "a",
		"no comma in any piece":          "a:b",
		"a search without characters":    ",b",
		"a later one without characters": "a,b:,c",
		"two commas":                     "a,b,c",
		"a replacement that ends in a backslash, of which HAProxy makes an empty path": `a,b\`,
	} {
		if got, err := parseRewrites(value); err == nil {
			t.Errorf("%s: %q is read as %q", meaning, value, got)
		}
	}
}

func FuzzParseRewrites(f *testing.F) {
	for _, value := range []string{"a,b", "^/s/(.*),/u/\\1:c,d", "(?:a|b),/x", `a\,\:,b`, `\`, ":,:", "[[:alpha:]],x"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		rewrites, err := parseRewrites(value)
		if err != nil {
			return
		}
		if len(rewrites) == 0 {
			t.Errorf("%q is read as no rewrite at all", value)
		}
		var again []string
		escape := strings.NewReplacer(`\\`, `\\`, `\,`, `\,`, `\:`, `\:`, ",", `\,`, ":", `\:`)
		for _, r := range rewrites {
			if r.Search == "" {
				t.Errorf("%q has an empty search", value)
			}
			again = append(again, escape.Replace(r.Search)+","+escape.Replace(r.Replace))
		}
		if got, err := parseRewrites(strings.Join(again, ":")); err != nil || !cmp.Equal(got, rewrites) {
			t.Errorf("%q is read as %q, which written down again is read as %q, %v", value, rewrites, got, err)
		}
	})
}
