package label_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/label"
)

var dialect = label.Table{Prefix: label.Prefix, Specs: []label.Spec{
	{Name: "raw", Kind: label.Lines, Indexed: true},
	{Name: "clauses", Kind: label.Clauses},
	{Name: "list", Kind: label.List, Default: "x,y"},
	{Name: "text", Kind: label.Text},
	{Name: "mode", Kind: label.Enum, Values: []string{"new", "old"}, ObsoleteValues: map[string]string{"old": "is new now"}},
	{Name: "gone", Kind: label.Bool, Obsolete: "does nothing"},
}}

func TestLinesAreWhateverAStackFileCanHold(t *testing.T) {
	for _, row := range []struct {
		meaning, raw string
		want         []string
	}{
		{"one line", "a b", []string{"a b"}},
		{"a block", "  a b\n\n\tc\td \n", []string{"a b", "c d"}},
		{"two characters", `a\nb\n`, []string{"a", "b"}},
		{"a file of Windows", "a\r\nb\rc", []string{"a", "b", "c"}},
		{"a comma separates nothing", "a,b", []string{"a,b"}},
		{"nothing", " \n ", nil},
	} {
		values, problems := dialect.Read("svc", map[string]string{"com.df.raw.1": row.raw})
		if diff := cmp.Diff(row.want, values.At(1).List("raw")); diff != "" || len(problems) > 0 {
			t.Errorf("%s: %v\n%s", row.meaning, problems, diff)
		}
	}
	_, problems := dialect.Read("svc", map[string]string{"com.df.raw": "a\nb\x00"})
	if len(problems) != 1 || problems[0].Reason != "has a control character in line 2" {
		t.Errorf("a control character: %v", problems)
	}
}

func TestSeparatorIsThatOfTheTable(t *testing.T) {
	table := dialect
	table.Separator = "::"
	values, problems := table.Read("svc", map[string]string{"com.df.list": "a,b :: c", "com.df.clauses": "a,b::c", "com.df.text": "a::b"})
	g := values.At(0)
	if diff := cmp.Diff([]string{"a,b", "c"}, g.List("list")); diff != "" || len(problems) > 0 {
		t.Errorf("%v\n%s", problems, diff)
	}
	if got := g.Clauses("clauses"); got != (label.ClauseList{Text: "a,b::c", Separator: "::"}) || g.Text("text") != "a::b" {
		t.Errorf("got %+v, %q", got, g.Text("text"))
	}
	values, _ = table.Read("svc", nil)
	if got := values.At(0).List("list"); len(got) != 2 {
		t.Errorf("the default is read as %q", got)
	}
	if _, problems := table.Read("svc", map[string]string{"com.df.clauses": "a\x01"}); len(problems) != 1 {
		t.Errorf("a control character: %v", problems)
	}
}

func TestObsoleteLabelsAreNotedAndNoProblem(t *testing.T) {
	labels := map[string]string{"com.df.gone": "nonsense", "com.df.gone.3": "", "com.df.mode": " old ", "com.df.text": "old", "other": "x"}
	values, problems := dialect.Read("svc", labels)
	if len(problems) > 0 || values.Unknown() || len(values.Indexes()) > 0 || values.At(0).Text("mode") != "old" {
		t.Errorf("problems %v, indexes %v", problems, values.Indexes())
	}
	var got []string
	for _, n := range dialect.Notes("svc", labels) {
		got = append(got, n.Label+" "+n.Reason)
	}
	if want := "com.df.gone does nothing;com.df.gone.3 does nothing;com.df.mode is new now"; strings.Join(got, ";") != want {
		t.Errorf("got %q", got)
	}
}
