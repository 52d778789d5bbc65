package label_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/label"
)

// table has a label of every kind.
var table = label.Table{
	Prefix:  label.Prefix,
	Foreign: func(name string) bool { return strings.HasPrefix(name, "scale") },
	Specs: []label.Spec{
		{Name: "text", Kind: label.Text, Indexed: true, Default: "none", Doc: "Some text.", Example: "a|b"},
		{Name: "bool", Kind: label.Bool, Default: "true"},
		{Name: "int", Kind: label.Int},
		{Name: "port", Kind: label.Port, Indexed: true},
		{Name: "float", Kind: label.Float},
		{Name: "wait", Kind: label.Duration, Default: "15s", Aliases: []string{"com.df.oldWait"}},
		{Name: "list", Kind: label.List, Check: func(value any) error {
			if len(value.([]string)) > 3 {
				return errors.New("has more than three items")
			}
			return nil
		}},
		{Name: "choice", Kind: label.Enum, Values: []string{"least", "first"}},
	},
}

func read(t *testing.T, labels ...string) (label.Values, []label.Problem) {
	t.Helper()
	all := map[string]string{}
	for i := 0; i < len(labels); i += 2 {
		all[labels[i]] = labels[i+1]
	}
	return table.Read("svc", all)
}

func TestValuesAreReadByTheirKind(t *testing.T) {
	for _, row := range []struct {
		name, raw string
		want      any
	}{
		{"text", " a, b ", "a, b"},
		{"text", "", ""},
		{"bool", "true", true},
		{"bool", "FALSE", false},
		{"bool", "1", true},
		{"bool", " 0 ", false},
		{"int", "-7", -7},
		{"port", "65535", 65535},
		{"port", "1", 1},
		{"float", "0.25", 0.25},
		{"wait", "1m30s", 90 * time.Second},
		{"wait", "0s", time.Duration(0)},
		{"list", " a ,b,, c,", []string{"a", "b", "c"}},
		{"list", " , ", []string(nil)},
		{"choice", "first", "first"},
	} {
		t.Run(row.name+"="+row.raw, func(t *testing.T) {
			values, problems := read(t, "com.df."+row.name, row.raw)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(row.want, get(values.At(0), row.name)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func get(g label.Group, name string) any {
	spec, _ := table.Lookup(name)
	switch spec.Kind {
	case label.Bool:
		return g.Bool(name)
	case label.Int, label.Port:
		return g.Int(name)
	case label.Float:
		return g.Float(name)
	case label.Duration:
		return g.Duration(name)
	case label.List:
		return g.List(name)
	}
	return g.Text(name)
}

func TestUnreadableValuesAreReportedAndTheDefaultStands(t *testing.T) {
	for _, row := range []struct {
		name, raw, reason string
		stands            any
	}{
		{"text", "a\x00b", "has a control character at byte 1", "none"},
		{"text", "a\nb", "has a control character at byte 1", "none"},
		{"bool", "yes", "is neither true nor false", true},
		{"bool", "", "is neither true nor false", true},
		{"int", "1.5", "is not a whole number", 0},
		{"int", "99999999999999999999", "is not a whole number", 0},
		{"port", "8o80", "is not a port between 1 and 65535", 0},
		{"port", "0", "is not a port between 1 and 65535", 0},
		{"port", "65536", "is not a port between 1 and 65535", 0},
		{"float", "NaN", "is not a number", 0.0},
		{"float", "Inf", "is not a number", 0.0},
		{"float", "1e999", "is not a number", 0.0},
		{"wait", "15", "has no unit (write 15s or 15m)", 15 * time.Second},
		{"wait", "-1s", "is not a duration such as 15s or 1m30s", 15 * time.Second},
		{"wait", "soon", "is not a duration such as 15s or 1m30s", 15 * time.Second},
		{"wait", "inf", "is not a duration such as 15s or 1m30s", 15 * time.Second},
		{"list", "a,b\tc", "has a control character at byte 3", []string(nil)},
		{"list", "a,b,c,d", "has more than three items", []string(nil)},
		{"choice", "Least", "is not one of least, first (did you mean least?)", ""},
		{"choice", "random", "is not one of least, first", ""},
	} {
		t.Run(row.name+"="+row.raw, func(t *testing.T) {
			key := "com.df." + row.name
			values, problems := read(t, key, row.raw)
			want := []label.Problem{{Service: "svc", Label: key, Value: row.raw, Reason: row.reason}}
			if diff := cmp.Diff(want, problems); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(row.stands, get(values.At(0), row.name)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{key}, values.At(0).Bad()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestKeysThatAreNoLabelAreReported(t *testing.T) {
	for key, reason := range map[string]string{
		"com.df.prot":     "is not a label of Sluice (did you mean port?)",
		"com.df.PORT":     "is not a label of Sluice (did you mean port?)",
		"com.df.portt.1":  "is not a label of Sluice (did you mean port?)",
		"com.df.tset":     "is not a label of Sluice (did you mean text?)",
		"com.df.zzz":      "is not a label of Sluice",
		"com.df.port.0":   "is not a label of Sluice (did you mean port?)",
		"com.df.port.01":  "is not a label of Sluice (did you mean port?)",
		"com.df.port.+1":  "is not a label of Sluice (did you mean port?)",
		"com.df.port.-1":  "is not a label of Sluice (did you mean port?)",
		"com.df.port.1.2": "is not a label of Sluice (did you mean port?)",
		"com.df.port.":    "is not a label of Sluice (did you mean port?)",
		"com.df.bool.1":   "com.df.bool takes no index",
	} {
		t.Run(key, func(t *testing.T) {
			values, problems := read(t, key, "1")
			if diff := cmp.Diff([]label.Problem{{Service: "svc", Label: key, Value: "1", Reason: reason}}, problems); diff != "" {
				t.Error(diff)
			}
			if !values.Unknown() || len(values.Indexes()) > 0 {
				t.Errorf("unknown %v, indexes %v", values.Unknown(), values.Indexes())
			}
		})
	}
}

func TestKeysOfOthersArePassedOver(t *testing.T) {
	values, problems := read(t, "traefik.enable", "true", "com.df.", "x", "com.df.scale.min", "no number", "com.dfport", "1", "", "")
	if len(problems) > 0 || values.Unknown() {
		t.Errorf("got %v", problems)
	}
}

func TestLabelWithoutIndexIsTheDefaultOfEveryIndex(t *testing.T) {
	values, problems := read(t, "com.df.port", "80", "com.df.text.2", "two", "com.df.port.3", "83", "com.df.text.11", "eleven")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff([]int{2, 3, 11}, values.Indexes()); diff != "" {
		t.Error(diff)
	}
	for _, row := range []struct {
		index, port int
		text, key   string
	}{
		{0, 80, "none", "com.df.port"},
		{2, 80, "two", "com.df.port"},
		{3, 83, "none", "com.df.port.3"},
		{11, 80, "eleven", "com.df.port"},
	} {
		g := values.At(row.index)
		if g.Int("port") != row.port || g.Text("text") != row.text || g.Key("port") != row.key || g.Index() != row.index {
			t.Errorf("index %d: port %d from %q, text %q", row.index, g.Int("port"), g.Key("port"), g.Text("text"))
		}
	}
	if values.At(3).Has("text") || values.At(3).Raw("text") != "none" || values.At(3).Key("text") != "" {
		t.Error("a label that is absent is there")
	}
}

func TestBadValueWithAnIndexIsNotReplacedByTheOneWithout(t *testing.T) {
	values, _ := read(t, "com.df.port", "80", "com.df.port.1", "x", "com.df.text.2", "two")
	if got := values.At(1).Bad(); !cmp.Equal(got, []string{"com.df.port.1"}) || values.At(1).Int("port") != 0 {
		t.Errorf("bad are %q, port %d", got, values.At(1).Int("port"))
	}
	if got := values.At(2).Bad(); len(got) > 0 {
		t.Errorf("another index suffers: %q", got)
	}
}

func TestAliasIsReadWhereTheLabelIsAbsent(t *testing.T) {
	values, problems := read(t, "com.df.oldWait", "3s")
	if g := values.At(0); len(problems) > 0 || g.Duration("wait") != 3*time.Second || g.Key("wait") != "com.df.oldWait" {
		t.Errorf("got %v from %q, problems %v", g.Duration("wait"), g.Key("wait"), problems)
	}
	values, problems = read(t, "com.df.oldWait", "nonsense", "com.df.wait", "4s")
	if got := values.At(0).Duration("wait"); len(problems) > 0 || got != 4*time.Second {
		t.Errorf("got %v, problems %v", got, problems)
	}
}

func TestProblemsComeInTheOrderOfTheLabels(t *testing.T) {
	_, problems := read(t, "com.df.zzz", "1", "com.df.port.2", "x", "com.df.port", "x", "com.df.aaa", "1")
	var keys []string
	for _, p := range problems {
		keys = append(keys, p.Label)
	}
	if diff := cmp.Diff([]string{"com.df.aaa", "com.df.port", "com.df.port.2", "com.df.zzz"}, keys); diff != "" {
		t.Error(diff)
	}
}

func TestAskingForALabelThatTheTableLacksPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	values, _ := read(t)
	values.At(0).Text("nothing")
}

func TestProblemReadsAsASentence(t *testing.T) {
	for want, p := range map[string]label.Problem{
		`web: com.df.port: is not a port, got "8o80"`: {Service: "web", Label: "com.df.port", Value: "8o80", Reason: "is not a port"},
		`web: has gaps`: {Service: "web", Reason: "has gaps"},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestMarkdownHasALineForEachLabel(t *testing.T) {
	text := table.Markdown()
	for _, line := range []string{
		"| label | type | default | meaning | example |\n|---|---|---|---|---|\n",
		"| `com.df.text` `.n` | text | `none` | Some text. | `a\\|b` |\n",
		"| `com.df.bool` | bool | `true` |  |  |\n",
		"| `com.df.wait` | duration | `15s` |  Alias: `com.df.oldWait`. |  |\n",
		"| `com.df.choice` | least, first |  |  |  |\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no line\n%s in\n%s", line, text)
		}
	}
	if got, want := strings.Count(text, "\n"), len(table.Specs)+2; got != want {
		t.Errorf("%d lines, want %d", got, want)
	}
}

// FuzzRead asks that any label is a value, a problem or somebody else's, and never a panic.
func FuzzRead(f *testing.F) {
	for _, seed := range [][2]string{{"port", "80"}, {"port.1", "8o80"}, {"text", "\x00"}, {"wait", "1m"}, {"list", "a,b"}, {"choice.2", "first"}, {"float", "1e9"}, {"x", "y"}, {"bool", "TRUE"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		values, problems := table.Read("svc", map[string]string{"com.df." + name: value})
		if len(problems) > 1 {
			t.Fatalf("one label has several problems: %v", problems)
		}
		has, bad := false, false
		for _, index := range append(values.Indexes(), 0) {
			g := values.At(index)
			for _, s := range table.Specs {
				_ = get(g, s.Name)
				has = has || g.Has(s.Name)
			}
			bad = bad || len(g.Bad()) > 0
		}
		if bad != (len(problems) > 0 && !values.Unknown()) {
			t.Errorf("%q=%q is bad: %v, problems %v", name, value, bad, problems)
		}
		if ours := name != "" && !strings.HasPrefix(name, "scale"); has && values.Unknown() || ours && !has && len(problems) == 0 {
			t.Errorf("%q=%q is neither a value nor a problem", name, value)
		}
	})
}
