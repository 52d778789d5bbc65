package policy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rate limits how many replicas are added or removed in a time. The zero value sets no limit.
type Rate struct {
	Disabled bool // no step at all in this direction
	Limits   []Limit
	Tightest bool // of several limits the tightest holds, else the loosest
	text     string
}

// Limit allows a number of replicas, or a percentage of those that ran at the start of the period, per period.
type Limit struct {
	Amount  int
	Percent bool
	Period  time.Duration
}

// String is the rate as its label says it.
func (r Rate) String() string { return r.text }

// allows says how far a step may go by the label of that name.
func (r Rate) allows(name string, replicas int) string {
	if r.Disabled {
		return name + " is disabled"
	}
	return fmt.Sprintf("%s %s allows %d", name, r, replicas)
}

// parseRate reads `4/15s,100%/15s` or `disabled`.
func parseRate(raw string) (Rate, error) {
	r := Rate{text: strings.TrimSpace(raw)}
	if r.text == "disabled" {
		r.Disabled = true
		return r, nil
	}
	for item := range strings.SplitSeq(r.text, ",") {
		amount, period, found := strings.Cut(strings.TrimSpace(item), "/")
		if !found {
			return Rate{}, fmt.Errorf("is not a list such as 4/15s,100%%/15s, or disabled")
		}
		digits, percent := strings.CutSuffix(amount, "%")
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || n > 100_000 {
			return Rate{}, fmt.Errorf("has the amount %q, which is not a number or percentage above 0", amount)
		}
		d, err := time.ParseDuration(period)
		if err != nil || d <= 0 || d > time.Hour {
			return Rate{}, fmt.Errorf("has the period %q, which is not a duration such as 15s, up to 1h", period)
		}
		r.Limits = append(r.Limits, Limit{Amount: n, Percent: percent, Period: d})
	}
	return r, nil
}

// parsePercent reads `200%` as 2.
func parsePercent(raw string) (float64, error) {
	digits, found := strings.CutSuffix(strings.TrimSpace(raw), "%")
	n, err := strconv.ParseFloat(digits, 64)
	if !found || err != nil || !(n > 100 && n <= 100_000) {
		return 0, fmt.Errorf("is not a percentage above 100%%")
	}
	return n / 100, nil
}

// highest is the most replicas that the rate allows now. The arithmetic is that of the Kubernetes
// HorizontalPodAutoscaler (calculateScaleUpLimitWithScalingRules): what ran at the start of the period, plus the limit.
func (r Rate) highest(now time.Time, current int, changes []Change) int {
	if r.Disabled {
		return current
	}
	return max(current, r.pick(now, current, changes, math.MaxInt, func(start int, l Limit) int {
		if l.Percent {
			return int(math.Ceil(float64(start) * (1 + float64(l.Amount)/100)))
		}
		return start + l.Amount
	}, r.Tightest))
}

// lowest is the fewest replicas that the rate allows now.
func (r Rate) lowest(now time.Time, current int, changes []Change) int {
	if r.Disabled {
		return current
	}
	return min(current, r.pick(now, current, changes, 0, func(start int, l Limit) int {
		if l.Percent {
			return int(math.Floor(float64(start) * max(0, 1-float64(l.Amount)/100)))
		}
		return max(0, start-l.Amount)
	}, !r.Tightest))
}

// pick works out every limit and takes the smallest or the largest of them.
func (r Rate) pick(now time.Time, current int, changes []Change, none int, limit func(start int, l Limit) int, smallest bool) int {
	if len(r.Limits) == 0 {
		return none
	}
	picked := limit(startOf(r.Limits[0], now, current, changes), r.Limits[0])
	for _, l := range r.Limits[1:] {
		if n := limit(startOf(l, now, current, changes), l); smallest == (n < picked) {
			picked = n
		}
	}
	return picked
}

// startOf is how many replicas ran when the limit's period began: without our own changes since.
func startOf(l Limit, now time.Time, current int, changes []Change) int {
	start := current
	for _, c := range changes {
		if now.Sub(c.At) < l.Period {
			start -= c.To - c.From
		}
	}
	return max(1, start) // somebody else may have lowered them meanwhile
}
