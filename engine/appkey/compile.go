package appkey

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Compile makes Rules of aliases, and of folding if fold is set. Without either it returns nil, which is a usable *Rules without
// rules. The error joins one *RuleError for each problem found.
func Compile(aliases []Alias, fold bool) (*Rules, error) {
	if len(aliases) == 0 && !fold {
		return nil, nil
	}
	c := compiler{fold: fold, governs: make(map[pattern]int), merged: make(map[string]bool)}
	for i, a := range aliases {
		c.read(i, a)
	}
	if c.errs == nil { // Else the rules that could be read are not all there are, and circles among them may be none.
		c.findCircles()
	}
	if c.errs != nil {
		return nil, errors.Join(c.errs...)
	}
	return c.rules(), nil
}

// compiler turns aliases into tables in which every chain has been followed to its end.
type compiler struct {
	fold    bool
	from    []pattern // of each rule; so are to and text
	to      []pattern
	text    []Alias         // as given, for errors
	governs map[pattern]int // the rule with this From
	merged  map[string]bool // applications all hashes of which some To stands for
	errs    []error
}

func (c *compiler) fail(rule int, field, value, problem string) {
	c.errs = append(c.errs, &RuleError{Rule: rule + 1, Field: field, Value: value, Problem: problem})
}

// read takes in rule i.
func (c *compiler) read(i int, a Alias) {
	from, badFrom := c.side(i, "from", a.From)
	to, badTo := c.side(i, "to", a.To)
	c.from, c.to, c.text = append(c.from, from), append(c.to, to), append(c.text, a)
	if badFrom || badTo {
		return
	}
	if from == to {
		c.fail(i, "to", a.To, c.pointless(from))
		return
	}
	if first, taken := c.governs[from]; !taken {
		c.governs[from] = i
	} else if c.to[first] != to {
		there := quote(c.text[first].To)
		c.fail(i, "from", a.From, fmt.Sprintf("is already joined with %s by rule %d: remove one of the two rules, or, if all three are one application, write from %s to %s",
			there, first+1, quote(a.To), there))
	}
	if to.hash == anyHash {
		c.merged[to.app] = true
	}
}

// side reads one side of rule i.
func (c *compiler) side(i int, field, value string) (p pattern, bad bool) {
	p, problem := parsePattern(value)
	if problem != "" {
		c.fail(i, field, value, problem)
		return p, true
	}
	if c.fold {
		app := []byte(p.app)
		lowerAll(app)
		p.app = string(app)
	}
	return p, false
}

// pointless says why a rule from p to p is an error.
func (c *compiler) pointless(p pattern) string {
	switch {
	case c.fold:
		return "is the same as from, because fold_application_case ignores letter case and hash: remove the rule"
	case p.hash == anyHash:
		return fmt.Sprintf("is the same as from: remove the rule, or, to join all hashes of this application, name one of them in to: %s",
			quote(p.app+"(hash)"))
	}
	return "is the same as from: remove the rule"
}

// next returns the rule that applies to what rule i leads to, or -1.
func (c *compiler) next(i int) int {
	to := c.to[i]
	if n, ok := c.governs[to]; ok {
		return n
	}
	if n, ok := c.governs[pattern{to.app, anyHash}]; ok {
		return n
	}
	return -1
}

// findCircles reports each circle of rules once, at the first of them. A rule that leads to itself is none: it joins the hashes of one
// application under one of them.
func (c *compiler) findCircles() {
	for i := range c.from {
		circle := []int{i}
		for n := c.next(i); n > i && len(circle) <= len(c.from); n = c.next(n) {
			circle = append(circle, n)
		}
		last := circle[len(circle)-1]
		if len(circle) > 1 && len(circle) <= len(c.from) && c.next(last) == i {
			c.fail(i, "from", c.text[i].From, "leads back to itself through rules "+list(circle)+": remove one of them")
		}
	}
}

// list spells out rule numbers.
func list(rules []int) string {
	var b strings.Builder
	for i, r := range rules {
		switch {
		case i == 0:
		case i == len(rules)-1:
			b.WriteString(" and ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(r + 1))
	}
	return b.String()
}

// end returns the canonical prefix of what rule i joins. Requires that there is no circle.
func (c *compiler) end(i int) string {
	for n := c.next(i); n >= 0 && n != i; n = c.next(i) {
		i = n
	}
	to := c.to[i]
	if c.next(i) < 0 && (c.merged[to.app] || c.fold) {
		to.hash = anyHash // Its application is joined as a whole.
	}
	return to.prefix()
}

// rules returns the tables.
func (c *compiler) rules() *Rules {
	r := &Rules{fold: c.fold, hashed: make(map[string]string), whole: make(map[string]string)}
	for app := range c.merged {
		r.whole[app] = pattern{app, anyHash}.prefix()
	}
	for from, i := range c.governs { // Must come after the loop above, because a chain goes on where an application is joined.
		if from.hash == anyHash {
			r.whole[from.app] = c.end(i)
		} else {
			r.hashed[from.prefix()] = c.end(i)
		}
	}
	r.learned.Store(new(map[string]string))
	return r
}
