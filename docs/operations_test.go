package docs

import (
	"go/ast"
	"strings"
	"testing"
)

// TestAdminPages compares the table of the admin pages with the code: every page and every action.
func TestAdminPages(t *testing.T) {
	pages := map[string]bool{}
	for _, s := range running(t) {
		ast.Inspect(s.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr: // API and Actions of admin.Options
				key, ok1 := n.Key.(*ast.Ident)
				lit, ok2 := n.Value.(*ast.CompositeLit)
				if !ok1 || !ok2 || s.pkg != "cmd/farmstate" {
					return true
				}
				prefix := map[string]string{"API": "/api/v1/", "Actions": "POST /api/v1/"}[key.Name]
				for _, e := range lit.Elts {
					if pair, ok := e.(*ast.KeyValueExpr); ok && prefix != "" {
						if name, ok := text(pair.Key); ok {
							pages[prefix+name] = true
						}
					}
				}
			case *ast.CallExpr: // patterns of the multiplexer
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || s.pkg != "cmd/farmstate/internal/admin" || sel.Sel.Name != "Handle" && sel.Sel.Name != "HandleFunc" {
					return true
				}
				if pattern, ok := text(n.Args[0]); ok {
					pages[strings.TrimSuffix(strings.TrimPrefix(pattern, "GET "), "{$}")] = true
				}
			}
			return true
		})
	}
	if !pages["/readyz"] || !pages["/api/v1/status"] || !pages["POST /api/v1/drain"] {
		t.Fatal("/readyz, /api/v1/status and the drain are not found in the source: has its form changed?")
	}
	listed := map[string]bool{}
	for name := range column(t, operations, "## Admin pages", 0) {
		name, _, _ = strings.Cut(name, "?")
		listed[name] = true
	}
	compare(t, operations, listed, pages)
}

// TestReadyReasons compares the reasons for which a node is not ready with the code.
func TestReadyReasons(t *testing.T) {
	compare(t, operations, column(t, operations, "## Whether a node is ready", 0), constants(t, "cmd/farmstate/ready.go", "reason"))
}

// constants are the values of the constants of a file that are strings and whose names begin with prefix.
func constants(t *testing.T, path, prefix string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, s := range sources(t) {
		if s.path != path {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for i, name := range spec.Names {
				if strings.HasPrefix(name.Name, prefix) && i < len(spec.Values) {
					if value, ok := text(spec.Values[i]); ok {
						all[value] = true
					}
				}
			}
			return true
		})
	}
	if len(all) == 0 {
		t.Fatalf("%s has no constant %s…", path, prefix)
	}
	return all
}
