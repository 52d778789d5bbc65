// Package ballot is what the parts of the voting application say to each other: a vote, as it waits in Redis.
//
//	{"id":"K5…","voter":"7Q…","choice":"sea","at":"2026-01-02T15:04:05Z"}
package ballot

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Choices are what can be voted for, in the order of the pages.
func Choices() []string { return []string{"mountains", "sea"} }

// longest is the length of an id at most, in bytes.
const longest = 64

// Vote is one vote. Its ID makes it count once, however often it is sent; of a voter's votes the last one counts.
type Vote struct {
	ID     string    `json:"id"`
	Voter  string    `json:"voter"`
	Choice string    `json:"choice"`
	At     time.Time `json:"at"` // when it was cast, by the clock of who took it
}

// NewID gives an id for a vote or a voter.
func NewID() string { return rand.Text() }

// ValidID says whether an id that came from outside may be used: letters and digits, 64 at most.
func ValidID(id string) bool {
	return id != "" && len(id) <= longest && !strings.ContainsFunc(id, func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') })
}

// Check refuses a vote that cannot be counted.
func (v Vote) Check() error {
	switch {
	case !ValidID(v.ID):
		return fmt.Errorf("%.80q is no id of a vote", v.ID)
	case !ValidID(v.Voter):
		return fmt.Errorf("%.80q is no voter", v.Voter)
	case !slices.Contains(Choices(), v.Choice):
		return fmt.Errorf("choice is one of %s, got %.80q", strings.Join(Choices(), ", "), v.Choice)
	case v.At.Year() < 2000 || v.At.Year() > 9999: // what databases have no room for
		return fmt.Errorf("%s is no time of a vote", v.At)
	}
	return nil
}

// Encode is the vote as Parse reads it.
func (v Vote) Encode() (string, error) {
	if err := v.Check(); err != nil {
		return "", fmt.Errorf("encode vote: %w", err)
	}
	text, err := json.Marshal(v)
	return string(text), err
}

// Parse reads a vote, and refuses one that cannot be counted.
func Parse(text string) (v Vote, err error) {
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return Vote{}, fmt.Errorf("parse vote: %w", err)
	}
	if err := v.Check(); err != nil {
		return Vote{}, fmt.Errorf("parse vote: %w", err)
	}
	return v, nil
}
