package appkey

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// The universe of the property tests: few enough names that rules meet each other all the time. It holds what rules name and what they do
// not, each canonical form as a literal, and spellings that differ in case.
var (
	someApps   = []string{"/A", "/a", "/B", "/b", "/C", "/A (x)", "/D"}
	someHashes = []string{"h", "H", "g", "*"}
	someIDs    = []string{"id", "ID", "(*)"}
)

func somePrefixes() []string {
	var all []string
	for _, app := range someApps {
		for _, hash := range someHashes {
			all = append(all, app+"("+hash+")")
		}
	}
	return all
}

// someRules returns up to five rules that may be wrong.
func someRules(r *rand.Rand) []Alias {
	side := func() string {
		app := someApps[r.IntN(len(someApps))]
		if hash := r.IntN(2 * len(someHashes)); hash < len(someHashes) {
			return app + "(" + someHashes[hash] + ")"
		}
		if app[len(app)-1] == ')' {
			return app + "(*)"
		}
		return app
	}
	rules := make([]Alias, r.IntN(6))
	for i := range rules {
		rules[i] = Alias{From: side(), To: side()}
	}
	return rules
}

// paste is a failing case as Go.
func paste(rules []Alias, fold bool) string { return fmt.Sprintf("Compile(%#v, %v)", rules, fold) }

// TestRulesJoinWhatTheySay compares random rules with the oracle. Keys become equal exactly if their session ids are equal and the
// rules join their prefixes: so nothing joined stays apart, and no canonical key meets the literal key of another application. And
// every canonical prefix is a member of the class it stands for.
func TestRulesJoinWhatTheySay(t *testing.T) {
	r := random(t)
	universe := somePrefixes()
	for _, app := range someApps { // folding leads here
		folded := []byte(app)
		lowerAll(folded)
		for _, hash := range someHashes {
			if p := string(folded) + "(" + hash + ")"; !slices.Contains(universe, p) {
				universe = append(universe, p)
			}
		}
	}
	const ruleSets = 2000
	sound := 0
	for range ruleSets {
		aliases, fold := someRules(r), r.IntN(3) == 0
		o := oracle{aliases, fold}
		rules, err := Compile(aliases, fold)
		if (err == nil) != o.sound() {
			t.Fatalf("%s: error %v, but the oracle says sound = %v", paste(aliases, fold), err, o.sound())
		}
		if err != nil {
			continue
		}
		sound++
		class := o.classes(universe)
		met := map[string]string{} // what was rewritten to this key
		first := map[int]string{}  // canonical prefix by class
		rewrite := func(key string) string { return string(rules.AppendKey(nil, []byte(key))) }
		for _, p := range universe {
			for _, id := range someIDs {
				key := p + "/" + id
				got := rewrite(key)
				parts, ok := Split([]byte(got))
				if !ok || string(parts.ID) != id {
					t.Fatalf("%s: %s became %s: the session id is another", paste(aliases, fold), key, got)
				}
				canonical := string(Prefix([]byte(got)))
				if class[canonical] != class[p] {
					t.Fatalf("%s: %s became %s, which is no member of what it is joined with", paste(aliases, fold), key, got)
				}
				if was, ok := first[class[p]]; ok && was != canonical {
					t.Fatalf("%s: %s became %s, but it is joined with what became %s", paste(aliases, fold), key, got, was)
				}
				first[class[p]] = canonical
				if other, ok := met[got]; ok && (class[string(Prefix([]byte(other)))] != class[p] || other[len(Prefix([]byte(other))):] != key[len(p):]) {
					t.Fatalf("%s: %s and %s both became %s", paste(aliases, fold), key, other, got)
				}
				met[got] = key
				if again := rewrite(got); again != got {
					t.Fatalf("%s: %s became %s, then %s", paste(aliases, fold), key, got, again)
				}
			}
		}
	}
	t.Logf("%d of %d rule sets were sound", sound, ruleSets)
	if sound < ruleSets/10 {
		t.Error("too few sound rule sets to mean anything")
	}
}

// TestOrderOfRulesDoesNotMatter shuffles rules: they are as sound as before, and rewrite every key as before.
func TestOrderOfRulesDoesNotMatter(t *testing.T) {
	r := random(t)
	for range 2000 {
		aliases, fold := someRules(r), r.IntN(3) == 0
		rules, err := Compile(aliases, fold)
		shuffled := slices.Clone(aliases)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		others, otherErr := Compile(shuffled, fold)
		if (err == nil) != (otherErr == nil) {
			t.Fatalf("%s: %v, shuffled to %v: %v", paste(aliases, fold), err, shuffled, otherErr)
		}
		if err != nil {
			continue
		}
		for _, p := range somePrefixes() {
			key := []byte(p + "/id")
			if a, b := rules.AppendKey(nil, key), others.AppendKey(nil, key); !bytes.Equal(a, b) {
				t.Fatalf("%s: %s became %s, and %s with the rules shuffled to %v", paste(aliases, fold), key, a, b, shuffled)
			}
		}
	}
}

// TestRandomKeys rewrites bytes that are hardly ever keys of a real client. Without an application they stay as they are.
func TestRandomKeys(t *testing.T) {
	r := random(t)
	const alphabet = "()/*aAbB \x00\xff"
	rules := compile(t, []Alias{{"/B", "/A"}, {"/a(b)", "/b"}}, false)
	folding := compile(t, []Alias{{"/B", "/A"}}, true)
	for range 100_000 {
		key := make([]byte, r.IntN(16))
		for i := range key {
			key[i] = alphabet[r.IntN(len(alphabet))]
		}
		checkSplit(t, key)
		checkRewrite(t, rules, key)
		checkRewrite(t, folding, key)
	}
}
