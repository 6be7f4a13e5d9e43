package appkey

import "strings"

// oracle is a second, naive reading of the rules: it works with strings in a small universe of prefixes, and joins what a rule joins, without
// tables, chains or a canonical form.
type oracle struct {
	rules []Alias
	fold  bool
}

// spell writes a side of a rule with a hash, if need be "*", and folded.
func (o oracle) spell(side string) string {
	if !strings.HasSuffix(side, ")") {
		side += "(*)"
	}
	if app, hash := cut(side); o.fold {
		return strings.ToLower(app) + hash
	}
	return side
}

// cut splits a prefix in front of its hash.
func cut(prefix string) (app, hash string) {
	at := strings.LastIndex(prefix, "(")
	return prefix[:at], prefix[at:]
}

// leadsTo returns the prefix that one step leads to. It is prefix itself if there is no step.
func (o oracle) leadsTo(prefix string) string {
	prefix = o.spell(prefix)
	app, _ := cut(prefix)
	for _, from := range []string{prefix, app + "(*)"} { // a named hash wins
		for _, r := range o.rules {
			if o.spell(r.From) == from {
				return o.spell(r.To)
			}
		}
	}
	for _, r := range o.rules {
		if o.spell(r.To) == app+"(*)" {
			return app + "(*)"
		}
	}
	if o.fold {
		return app + "(*)"
	}
	return prefix
}

// sound reports whether the rules are free of contradictions and circles.
func (o oracle) sound() bool {
	for i, r := range o.rules {
		if o.spell(r.From) == o.spell(r.To) {
			return false
		}
		for _, s := range o.rules[:i] {
			if o.spell(r.From) == o.spell(s.From) && o.spell(r.To) != o.spell(s.To) {
				return false
			}
		}
		at := r.From
		for range 2 * len(o.rules) {
			at = o.leadsTo(at)
		}
		if o.leadsTo(at) != at {
			return false
		}
	}
	return true
}

// classes numbers the prefixes so that those are equal which the rules join.
func (o oracle) classes(universe []string) map[string]int {
	class := make(map[string]int)
	for i, p := range universe {
		class[p] = i
	}
	join := func(a, b string) {
		from, to := class[a], class[b]
		for p, n := range class {
			if n == from {
				class[p] = to
			}
		}
	}
	for _, p := range universe {
		join(p, o.spell(p)) // folding
		join(p, o.leadsTo(p))
	}
	return class
}
