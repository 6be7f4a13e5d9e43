package docs

import (
	"go/ast"
	"testing"
)

// TestEventNames compares the list that `farmstate trace --kind` knows with the events of the code.
func TestEventNames(t *testing.T) {
	const file = "cmd/farmstate/internal/event/names.go"
	listed := map[string]bool{}
	for _, s := range running(t) {
		if s.path != file {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			if list, ok := n.(*ast.CompositeLit); ok {
				for _, e := range list.Elts {
					if name, ok := text(e); ok {
						listed[name] = true
					}
				}
			}
			return true
		})
	}
	compare(t, file, listed, names(eventsInCode(t)))
}
