package label

import "strings"

func (t Table) unknownReason(name string) string {
	base := name
	if dot := strings.LastIndexByte(name, '.'); dot > 0 {
		base = name[:dot]
	}
	var names []string
	for _, s := range t.Specs {
		names = append(names, s.Name)
	}
	return "is not a label of Sluice" + DidYouMean(base, names)
}

// DidYouMean names the candidate nearest to the word, if one is near enough to be a slip of the finger.
func DidYouMean(word string, candidates []string) string {
	best, bestDistance := "", 3
	for _, c := range candidates {
		if strings.EqualFold(c, word) {
			return " (did you mean " + c + "?)"
		}
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best == "" || bestDistance*2 > len(word) {
		return ""
	}
	return " (did you mean " + best + "?)"
}

// distance is the optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
// Source: L. Boytsov, "Indexing methods for approximate dictionary searching", ACM JEA 16 (2011), section 2.1.
func distance(a, b string) int {
	two, one, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one, row = one, row, two
	}
	return one[len(b)]
}
