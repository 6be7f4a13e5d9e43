package appkey

import (
	"fmt"
	"strings"
)

// Alias is one rule as an operator writes it: From and To are one application. Both are application ids, with or without a hash
// in parentheses behind; see the package comment for what they stand for.
type Alias struct {
	From, To string
}

// RuleError is what is wrong with one rule, as one line that says what to do.
type RuleError struct {
	Rule    int    // counted from 1, in the order given to Compile
	Field   string // "from" or "to"
	Value   string // of that field
	Problem string // goes on after the value
}

// Error is the problem as one line.
func (e *RuleError) Error() string {
	return fmt.Sprintf("alias rule %d: %s %s %s", e.Rule, e.Field, quote(e.Value), e.Problem)
}

// quote makes a value fit for one line of a log.
func quote(value string) string {
	const most = 200
	if len(value) <= most {
		return fmt.Sprintf("%q", value)
	}
	return fmt.Sprintf("%q...", value[:most])
}

// anyHash is the hash of a pattern that stands for every hash, and that of the canonical key which belongs to it.
const anyHash = "*"

// pattern is one side of a rule.
//
// Invariant: app is not empty, and hash holds no opening parenthesis, so that Split reads prefix back as it was.
type pattern struct {
	app, hash string
}

// prefix returns the prefix that p stands for, or that all it stands for are rewritten to.
func (p pattern) prefix() string { return p.app + "(" + p.hash + ")" }

// parsePattern reads one side of a rule. problem is empty if there is none, and else goes on after the value.
func parsePattern(value string) (p pattern, problem string) {
	if problem := misspelt(value); problem != "" {
		return p, problem
	}
	open, shut := strings.LastIndexByte(value, '('), strings.LastIndexByte(value, ')')
	switch {
	case shut == len(value)-1 && open >= 0: // also if value[open:] closes more than once: so does Split
		p = pattern{value[:open], value[open+1 : shut]}
		if p.hash == "" {
			return p, "has nothing in its parentheses: write the hash there, or leave the parentheses out to mean every hash"
		}
	case open > shut || shut == len(value)-1:
		return p, fmt.Sprintf("has an unpaired parenthesis: close it behind the hash, or, if it belongs to the application id, write %s",
			quote(value+"(*)"))
	default:
		p = pattern{value, anyHash}
		if key, ok := Split([]byte(value)); ok && KindOf(key.Hash) != HashUnknown {
			return p, fmt.Sprintf("goes on behind the hash: leave the session id out and write %s", quote(string(Prefix([]byte(value)))))
		}
		if value[len(value)-1] == '/' {
			return p, "ends in a slash: leave it out, application ids have none there"
		}
	}
	if p.app == "" || p.app == "/" {
		return p, "has no application id: write one such as /LM/W3SVC/1/ROOT in front"
	}
	if p.app[0] != '/' {
		p.app = "/" + p.app
	}
	return p, incomplete(p.app)
}

// misspelt finds what can be no part of a key, or only by mistake.
func misspelt(value string) string {
	switch {
	case value == "":
		return "is empty: write an application id such as /LM/W3SVC/1/ROOT"
	case len(value) > MaxPrefix:
		return fmt.Sprintf("has %d bytes: write an application id, %d bytes at most", len(value), MaxPrefix)
	case strings.TrimSpace(value) != value:
		return "has blanks around it: leave them out"
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "holds a control character: leave it out"
	case strings.Contains(strings.ToLower(value), "%2f"):
		return "is URL-encoded: write it decoded, with / for %2f and so on"
	}
	return ""
}

// incomplete finds application ids that only look like one of IIS.
func incomplete(app string) string {
	const root = "/LM"
	if w3svc := metabaseRoot[len(root):]; len(app) >= len(w3svc) && equalFold(app[:len(w3svc)], w3svc) {
		return fmt.Sprintf("lacks %s in front: write %s", root, quote(root+app))
	}
	if under := app + "/"; len(under) < len(metabaseRoot) || !equalFold(under[:len(metabaseRoot)], metabaseRoot) {
		return ""
	}
	_, path, ok := metabase([]byte(app))
	switch {
	case !ok:
		return fmt.Sprintf("has no site id behind %s: write one, such as %s1/ROOT", metabaseRoot, metabaseRoot)
	case len(path) <= 1: // nothing, or a slash
		return "names a site, not an application: add its path, such as /ROOT"
	}
	return ""
}
