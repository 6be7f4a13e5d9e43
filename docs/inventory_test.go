package docs

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The documents have lists that are easily forgotten when the code changes: of goroutines, locks, metrics, events. Each is compared with the code,
// both ways.

// column returns the code spans in one column of the tables under a heading of a document, and under those below it.
func column(t *testing.T, doc, heading string, n int) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	in := false
	for _, m := range documents(t) {
		if m.path != doc {
			continue
		}
		for _, line := range m.prose {
			if level := len(line) - len(strings.TrimLeft(line, "#")); level > 0 && (!in || level <= strings.Count(heading, "#")) {
				in = line == heading
			}
			cells := strings.Split(line, "|") // the first is what stands before the first bar: nothing
			if !in || n+1 >= len(cells) {
				continue
			}
			for _, span := range codeSpan.FindAllStringSubmatch(cells[n+1], -1) {
				all[span[1]] = true
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no table under %q", doc, heading)
	}
	return all
}

// compare reports what only one of two lists has.
func compare(t *testing.T, doc string, listed, there map[string]bool) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if !listed[name] {
			t.Errorf("%s does not list `%s`", doc, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		if !there[name] {
			t.Errorf("%s lists `%s`, which is not in the code, or not as what it is listed for", doc, name)
		}
	}
}

// running are the sources of which the program is made.
func running(t *testing.T) []source {
	t.Helper()
	return slices.DeleteFunc(sources(t), func(s source) bool {
		return s.isTest() || s.pkg == "peer/sim" || !within(s.pkg, "engine/...", "netpoll", "netpoll/wire", "peer/...", "cmd/...", "bench")
	})
}

func TestGoroutines(t *testing.T) {
	starters := map[string]bool{}
	for _, s := range running(t) {
		for _, d := range s.ast.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := s.ast.Name.Name + "." + f.Name.Name
			if f.Recv != nil {
				name = s.ast.Name.Name + "." + receiver(f) + "." + f.Name.Name
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					starters[name] = true
				case *ast.CallExpr:
					if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Go" { // of a WaitGroup
						starters[name] = true
					}
				}
				return true
			})
		}
	}
	listed := column(t, "docs/concurrency.md", "## Goroutines", 1)
	maps.DeleteFunc(listed, func(name string, _ bool) bool { return !strings.Contains(name, ".") })
	compare(t, "docs/concurrency.md", listed, starters)
}

func TestLocks(t *testing.T) {
	locks := map[string]bool{}
	for _, s := range running(t) {
		ast.Inspect(s.ast, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			st, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, field := range st.Fields.List {
				sel, ok := field.Type.(*ast.SelectorExpr)
				if !ok {
					continue
				}
				if x, ok := sel.X.(*ast.Ident); !ok || x.Name != "sync" || !slices.Contains([]string{"Mutex", "RWMutex"}, sel.Sel.Name) {
					continue
				}
				name := sel.Sel.Name
				if len(field.Names) > 0 {
					name = field.Names[0].Name
				}
				locks[s.ast.Name.Name+"."+spec.Name.Name+"."+name] = true
			}
			return true
		})
	}
	compare(t, "docs/concurrency.md", column(t, "docs/concurrency.md", "## Locks", 0), locks)
}

func TestCloseReasons(t *testing.T) {
	reasons := map[string]bool{}
	for _, s := range running(t) {
		ast.Inspect(s.ast, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Names[0].Name != "closeReasonNames" {
				return true
			}
			ast.Inspect(spec, func(n ast.Node) bool {
				if e, ok := n.(ast.Expr); ok {
					if name, ok := text(e); ok {
						reasons[name] = true
					}
				}
				return true
			})
			return false
		})
	}
	compare(t, "docs/operations.md", column(t, "docs/operations.md", "## Why connections end", 0), reasons)
}

// text is the value of a string literal.
func text(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}
