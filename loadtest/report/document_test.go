package report

import (
	"bytes"
	"encoding/csv"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/loadtest/result"
)

func TestEveryFieldAndColumnIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/loadtest-report.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "## timeline.csv")
	timeline, rest, _ := strings.Cut(rest, "## services.csv")
	services, fields, _ := strings.Cut(rest, "## result.json")
	need := func(where, text string, names []string) {
		for _, name := range names {
			if !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%s does not say what %s is", where, name)
			}
		}
	}
	need("timeline.csv", timeline, header(t, writeTimeline))
	need("services.csv", services, header(t, writeServices))
	need("result.json", fields, names(reflect.TypeFor[result.Result]()))
}

func header(t *testing.T, write func(io.Writer, result.Result) error) []string {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out, example()); err != nil {
		t.Fatal(err)
	}
	row, err := csv.NewReader(&out).Read()
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// names are the JSON names of all fields in t and below.
func names(t reflect.Type) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return names(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	if t == reflect.TypeFor[time.Time]() {
		return nil
	}
	var all []string
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			all = append(all, name)
		}
		all = append(all, names(f.Type)...)
	}
	return all
}
