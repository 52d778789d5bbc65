package policy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Move is one step up or down: a number of replicas, a percentage of them, or an exact number. The zero value moves
// nothing.
type Move struct {
	Amount  int
	Percent bool // of the present replicas
	Exact   bool // Amount is the number to go to
}

// String is the step as its label says it.
func (m Move) String() string {
	switch {
	case m.Exact:
		return "=" + strconv.Itoa(m.Amount)
	case m.Percent:
		return strconv.Itoa(m.Amount) + "%"
	}
	return strconv.Itoa(m.Amount)
}

// parseMove reads `2`, `50%` or `=7`.
func parseMove(raw string) (Move, error) {
	digits, exact := strings.CutPrefix(strings.TrimSpace(raw), "=")
	digits, percent := strings.CutSuffix(digits, "%")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > 100_000 || exact && percent || strings.HasPrefix(digits, "+") {
		return Move{}, fmt.Errorf("is not a step such as 2, 50%% or =7")
	}
	return Move{Amount: n, Percent: percent, Exact: exact}, nil
}

// Up is the number of replicas after the step up: at least one more, but for a step to an exact number that is not more.
func (m Move) Up(from int) int {
	switch {
	case m.Exact:
		return max(from, m.Amount)
	case m.Percent:
		return from + max(1, int(math.Ceil(float64(from)*float64(m.Amount)/100)))
	}
	return from + m.Amount
}

// Down is the number of replicas after the step down, never below zero.
func (m Move) Down(from int) int {
	switch {
	case m.Exact:
		return min(from, m.Amount)
	case m.Percent:
		return max(0, from-max(1, int(math.Ceil(float64(from)*float64(m.Amount)/100))))
	}
	return max(0, from-m.Amount)
}
