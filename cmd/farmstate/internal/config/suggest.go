package config

import "strings"

// nearest is the candidate that name was probably meant to be; empty when
// none is near. Dashes and letter case do not count as differences, since
// they are the mistakes that come from the other spellings of an option.
func nearest(name string, candidates []string) string {
	name = strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	best, bestDistance := "", 1+max(min(2, (len(name)-1)/2), len(name)/3) // of a name of two or three letters one may be wrong
	for _, c := range candidates {
		if d := distance(name, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of single-byte insertions, deletions and
// replacements that turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Near is the candidate that name was probably meant to be, of any names that are spelt like options; empty when none is near.
func Near(name string, candidates []string) string { return nearest(name, candidates) }
