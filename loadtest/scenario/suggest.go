package scenario

import "strings"

// didYouMean names the candidate nearest to the word, if one is near enough to be a slip of the finger.
func didYouMean(word string, candidates []string) string {
	best, nearest := "", max(1, len(word)/2)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < min(nearest, 4) {
			best, nearest = c, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

// distance is the number of letters to insert, delete or exchange (V. Levenshtein, 1966).
func distance(a, b string) int {
	above := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range a {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above[j+1]+1, row[j]+1, above[j]+cost)
		}
		above = row
	}
	return above[len(b)]
}
