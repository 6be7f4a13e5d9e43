package docs

import (
	"regexp"
	"strings"
	"testing"
)

var clause = regexp.MustCompile(`§\s?(\d+(?:\.\d+)?)`)

// clauses are the numbered sections of a protocol.
func clauses(t *testing.T, doc string) map[string]bool {
	t.Helper()
	heading := regexp.MustCompile(`^#+ (?:§)?(\d+(?:\.\d+)?)\.? `)
	all := map[string]bool{}
	for _, m := range documents(t) {
		for _, line := range m.prose {
			if found := heading.FindStringSubmatch(line); m.path == doc && found != nil {
				all[found[1]] = true
			}
		}
	}
	return all
}

const (
	stateProtocol = "docs/protocol.md"
	peerProtocol  = "docs/peer-protocol.md"
)

// TestClauses finds citations of the protocols that lead nowhere. A clause is one of the peer protocol if the line names that before it, and one of the state
// protocol otherwise.
func TestClauses(t *testing.T) {
	state, peer := clauses(t, stateProtocol), clauses(t, peerProtocol)
	if !state["8"] || !state["7.10"] || !peer["5.2"] {
		t.Fatal("the protocols have no clauses 8, 7.10 and 5.2: has their form changed?")
	}
	for _, f := range tree(t) {
		if !f.isGo() && !f.isDoc() || strings.Contains(f.path, "/testdata/") {
			continue
		}
		n := 0
		for line := range strings.Lines(f.text) {
			n++
			for _, at := range clause.FindAllStringSubmatchIndex(line, -1) {
				doc, known := stateProtocol, state
				if strings.Contains(line[:at[0]], "peer-protocol.md") {
					doc, known = peerProtocol, peer
				}
				number := line[at[2]:at[3]]
				if f.path == peerProtocol && peer[number] { // its own, unless it cites the other
					continue
				}
				if !known[number] {
					t.Errorf("%s:%d: %s has no §%s", f.path, n, doc, number)
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
