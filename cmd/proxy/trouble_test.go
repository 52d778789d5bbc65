package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/label"
)

func TestQuarantineIsToldBeforeOtherProblems(t *testing.T) {
	bad := label.Problem{Service: "shop", Label: "com.df.users", Value: "secret", Reason: "is no list of users"}
	refused := label.Problem{Service: "chat", Label: "com.df.backendExtra", Value: "chat-be80_0", Reason: refuses + "its backend: unknown keyword 'nonsense'"}
	for _, c := range []struct {
		name     string
		problems []label.Problem
		count    int64
		want     string
	}{
		{"nothing is wrong", nil, 0, ""},
		{"a label is wrong, its value is not told", []label.Problem{bad}, 0, "shop: com.df.users: is no list of users"},
		{"one of two is refused", []label.Problem{bad, refused}, 1, "chat: com.df.backendExtra: HAProxy refuses its backend: unknown keyword 'nonsense'"},
		{"the whole service", []label.Problem{{Service: "shop", Reason: "is not on the network proxy"}}, 0, "shop: is not on the network proxy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			count, said := worst(c.problems)
			if diff := cmp.Diff([]any{c.count, c.want}, []any{count, said}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
