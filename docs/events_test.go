package docs

import (
	"go/ast"
	"maps"
	"slices"
	"strings"
	"testing"
)

// logMethods are the methods that write a log line, by the level that they give it.
var logMethods = map[string]string{"Debug": "debug", "Info": "info", "Warn": "warn", "warn": "warn", "Error": "error"}

// eventLevels are the levels that each event of the code is logged with.
type eventLevels map[string]map[string]bool

func (e eventLevels) add(event string, levels ...string) {
	if e[event] == nil {
		e[event] = map[string]bool{}
	}
	for _, level := range levels {
		e[event][level] = true
	}
}

// eventsInCode reads the events out of the source: wherever the attribute "event" stands with a name, among the arguments of a call that logs, or in a list that
// such a call takes.
func eventsInCode(t *testing.T) eventLevels {
	t.Helper()
	all := eventLevels{}
	for _, s := range running(t) {
		if !within(s.pkg, "netpoll", "cmd/...", "peer/...") {
			continue
		}
		for _, d := range s.ast.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Plural" { // the word, not the attribute
						return true
					}
					for _, event := range eventNames(n.Args) {
						all.add(event, levelsOfCall(t, s, f, n)...)
					}
				case *ast.CompositeLit:
					for _, event := range eventNames(n.Elts) {
						all.add(event, levelsOfLists(t, s, f)...)
					}
				}
				return true
			})
		}
	}
	return all
}

// eventNames are the events in a list of keys and values.
func eventNames(list []ast.Expr) (events []string) {
	for i := range len(list) - 1 {
		key, ok1 := text(list[i])
		name, ok2 := text(list[i+1])
		if ok1 && ok2 && key == "event" {
			events = append(events, name)
		}
	}
	return events
}

// levelsOfCall are the levels that a call may log with.
func levelsOfCall(t *testing.T, s source, within *ast.FuncDecl, call *ast.CallExpr) []string {
	t.Helper()
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	if level := logMethods[sel.Sel.Name]; level != "" {
		return []string{level}
	}
	if !strings.HasPrefix(sel.Sel.Name, "Log") || len(call.Args) < 2 {
		return nil
	}
	switch level := call.Args[1].(type) {
	case *ast.SelectorExpr:
		return constantLevels(level)
	case *ast.CallExpr: // a function of the package that says the level
		if f, ok := level.Fun.(*ast.Ident); ok {
			return levelsOfFunc(t, s.pkg, f.Name)
		}
	case *ast.Ident: // a parameter: what callers give
		return levelsGiven(t, s.pkg, within, level.Name)
	}
	return nil
}

// levelsOfLists are the levels of the calls in a function that log a list of arguments.
func levelsOfLists(t *testing.T, s source, f *ast.FuncDecl) (levels []string) {
	t.Helper()
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && call.Ellipsis.IsValid() {
			levels = append(levels, levelsOfCall(t, s, f, call)...)
		}
		return true
	})
	return levels
}

// constantLevels are the levels of log/slog that are named in a piece of code.
func constantLevels(n ast.Node) (levels []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if name, ok := strings.CutPrefix(sel.Sel.Name, "Level"); ok && logMethods[name] != "" {
				levels = append(levels, logMethods[name])
			}
		}
		return true
	})
	return levels
}

func levelsOfFunc(t *testing.T, pkg, name string) (levels []string) {
	t.Helper()
	for _, s := range running(t) {
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.pkg == pkg && f.Name.Name == name {
				levels = append(levels, constantLevels(f.Body)...)
			}
		}
	}
	return levels
}

// levelsGiven are the levels that callers in a package give to a function as its parameter.
func levelsGiven(t *testing.T, pkg string, f *ast.FuncDecl, parameter string) (levels []string) {
	t.Helper()
	at, i := -1, 0
	for _, field := range f.Type.Params.List {
		for _, name := range field.Names {
			if name.Name == parameter {
				at = i
			}
			i++
		}
	}
	for _, s := range running(t) {
		ast.Inspect(s.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || s.pkg != pkg || at < 0 || at >= len(call.Args) {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == f.Name.Name {
				levels = append(levels, constantLevels(call.Args[at])...)
			}
			return true
		})
	}
	return levels
}

// TestEvents compares the tables of events with the code: names and levels.
func TestEvents(t *testing.T) {
	code := eventsInCode(t)
	if len(code) < 50 {
		t.Fatalf("only %d events found in the source: has its form changed?", len(code))
	}
	compare(t, operations, column(t, operations, "## Events", 0), names(code))
	for _, cells := range rows(t, operations, "## Events") {
		event := strings.Trim(cells[0], "`")
		if code[event] == nil {
			continue // reported above
		}
		want := strings.Join(slices.Sorted(maps.Keys(code[event])), ", ")
		listed := strings.Split(cells[1], ", ")
		slices.Sort(listed)
		if got := strings.Join(listed, ", "); got != want {
			t.Errorf("%s: event %s has the level %q; the code logs it with %q", operations, event, got, want)
		}
	}
}

// rows are the cells of the tables under a heading of a document, and under those below it, without the heads of the tables.
func rows(t *testing.T, doc, heading string) (all [][]string) {
	t.Helper()
	in, head := false, true
	for _, m := range documents(t) {
		if m.path != doc {
			continue
		}
		for _, line := range m.prose {
			if level := len(line) - len(strings.TrimLeft(line, "#")); level > 0 && (!in || level <= strings.Count(heading, "#")) {
				in = line == heading
			}
			if !in || !strings.HasPrefix(line, "|") {
				head = true
				continue
			}
			if strings.HasPrefix(line, "|-") || strings.HasPrefix(line, "|:") {
				head = false
				continue
			}
			if head {
				continue
			}
			var cells []string
			for c := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
				cells = append(cells, strings.TrimSpace(c))
			}
			all = append(all, cells)
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no table under %q", doc, heading)
	}
	return all
}
