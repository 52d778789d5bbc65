package policy

import (
	"math"
	"slices"
)

var aggregates = []string{"mean", "max", "min", "sum", "last", "p50", "p90", "p95", "p99"}

// aggregate makes one value of a window's, oldest first. The percentiles are nearest-rank: always a value that was
// measured. The mean is weighted. It may reorder values and must not be given none.
func aggregate(how string, values, weights []float64) float64 {
	switch how {
	case "max":
		return slices.Max(values)
	case "min":
		return slices.Min(values)
	case "last":
		return values[len(values)-1]
	case "sum":
		return sum(values)
	case "p50":
		return percentile(values, 50)
	case "p90":
		return percentile(values, 90)
	case "p95":
		return percentile(values, 95)
	case "p99":
		return percentile(values, 99)
	}
	total, weight := 0.0, 0.0
	for i, v := range values {
		total, weight = total+v*weights[i], weight+weights[i]
	}
	return total / weight
}

func sum(values []float64) float64 {
	var total float64
	for _, v := range values {
		total += v
	}
	return total
}

func percentile(values []float64, p int) float64 {
	slices.Sort(values)
	rank := int(math.Ceil(float64(p*len(values)) / 100))
	return values[max(rank, 1)-1]
}
