package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// spread says how far a change goes.
type spread int

const (
	everywhere spread = iota // to the siblings too, where there are some
	asked                    // the same, and the request said so
	here                     // distribute=false
)

// distributed is what Docker Flow Proxy answers.
const distributed = "Distributed to all instances"

// distribution reads the parameter distribute, unless there was an error before.
func distribution(parameters map[string]string, before error) (spread, error) {
	text, given := parameters["distribute"]
	if before != nil || !given || text == "" {
		return everywhere, before
	}
	switch yes, err := strconv.ParseBool(strings.ToLower(text)); {
	case err != nil:
		return here, refusal{http.StatusBadRequest, fmt.Sprintf("distribute is not true or false: %q", text)}
	case yes:
		return asked, nil
	}
	return here, nil
}

// passOn tells the siblings of a change that is in force here, and answers what shall be said about it. Like Docker Flow
// Proxy it is an error when one of them has not taken it.
func (a api) passOn(ctx context.Context, kind, name string, how spread) (note string, err error) {
	switch {
	case how == here:
		return "", nil
	case a.siblings == nil && how == asked:
		return "changed here alone: SERVICE_NAME and API_TOKEN are not both set", nil
	case a.siblings == nil:
		return "", nil
	}
	note, err = a.siblings.passOn(ctx, kind, name)
	if err != nil {
		return "", refusal{http.StatusInternalServerError, err.Error()}
	}
	return joined(distributed, note), nil
}

// joined puts remarks into one line.
func joined(remarks ...string) string {
	var said []string
	for _, r := range remarks {
		if r != "" {
			said = append(said, r)
		}
	}
	return strings.Join(said, "; ")
}
