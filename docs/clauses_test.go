package docs

import (
	"regexp"
	"strings"
	"testing"
)

var clause = regexp.MustCompile(`§\s?(\d+(?:\.\d+)?)`)

// clauses are the numbered sections of the protocol.
func clauses(t *testing.T) map[string]bool {
	t.Helper()
	heading := regexp.MustCompile(`^#+ (?:§)?(\d+(?:\.\d+)?)\.? `)
	all := map[string]bool{}
	for _, m := range documents(t) {
		for _, line := range m.prose {
			if found := heading.FindStringSubmatch(line); m.path == "docs/protocol.md" && found != nil {
				all[found[1]] = true
			}
		}
	}
	if !all["8"] || !all["7.10"] {
		t.Fatal("docs/protocol.md has no clauses 8 and 7.10: has its form changed?")
	}
	return all
}

// TestClauses finds citations of the protocol that lead nowhere.
func TestClauses(t *testing.T) {
	known := clauses(t)
	for _, f := range tree(t) {
		if !f.isGo() && !f.isDoc() {
			continue
		}
		n := 0
		for line := range strings.Lines(f.text) {
			n++
			for _, found := range clause.FindAllStringSubmatch(line, -1) {
				if !known[found[1]] {
					t.Errorf("%s:%d: docs/protocol.md has no §%s", f.path, n, found[1])
				}
			}
		}
	}
}

// TestDocumentsCited finds comments that send the reader to a document that is not there.
func TestDocumentsCited(t *testing.T) {
	there := map[string]bool{}
	for _, f := range tree(t) {
		there[f.path] = true
	}
	cited := regexp.MustCompile(`\bdocs/[\w/-]+\.md\b`)
	for _, f := range tree(t) {
		for _, doc := range cited.FindAllString(f.text, -1) {
			if !there[doc] {
				t.Errorf("%s cites %s, which does not exist", f.path, doc)
			}
		}
	}
}
