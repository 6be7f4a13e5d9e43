//go:build !race

package appkey

import "testing"

// TestAllocs: what runs for every request, every session created and every miss must not allocate.
func TestAllocs(t *testing.T) {
	key := []byte(benchPrefix + "/" + benchID)
	other := []byte("/LM/W3SVC/2/Root(" + benchHash + ")/" + benchID)
	parts, _ := Split(key)
	otherParts, _ := Split(other)
	table := NewTable()
	aliases := []Alias{{From: "/LM/W3SVC/2/ROOT", To: "/LM/W3SVC/1/ROOT"}}
	plain, folding := compile(t, aliases, false), compile(t, aliases, true)
	full := compile(t, aliases, true)
	fillLearned(full)
	var none *Rules
	dst := make([]byte, 0, 512)
	for name, f := range map[string]func(){
		"Split":                     func() { Split(key) },
		"Prefix":                    func() { Prefix(key) },
		"KindOf":                    func() { KindOf(parts.Hash) },
		"Compare":                   func() { Compare(parts, otherParts) },
		"Note":                      func() { table.Note(Prefix(key)) },
		"Each":                      func() { table.Each(func(prefix string) bool { return len(prefix) > len(dst) }) },
		"AppendKey without rules":   func() { none.AppendKey(dst, key) },
		"AppendKey, no rule":        func() { plain.AppendKey(dst, key) },
		"AppendKey, joined":         func() { plain.AppendKey(dst, other) },
		"AppendKey, folded":         func() { folding.AppendKey(dst, other) },
		"AppendKey, not learned":    func() { full.AppendKey(dst, other) },
		"AppendKey, no application": func() { folding.AppendKey(dst, key[:20]) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
