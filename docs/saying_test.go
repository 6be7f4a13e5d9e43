package docs

import (
	"cmp"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What the program says is found by the shape of the code that says it: a call of a function that is there for that, a text that such a
// function returns, a constant that is named for it.

// messagesOf are the errors, warnings and notices of the program, with the package of each.
func messagesOf(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	values := constantValues(running(t))
	for _, s := range running(t) {
		if within(s.pkg, "netpoll/conformance/...", "netpoll/pages") {
			continue // what tests say
		}
		known := func(pkg, name string) ast.Expr {
			if pkg == "" {
				pkg = s.ast.Name.Name
			}
			return values[pkg+"."+name]
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			for _, e := range messagesIn(n) {
				m := messageText(e, known)
				if wordsOf(m) < 2 {
					continue
				}
				if before, ok := found[m]; !ok || s.pkg < before {
					found[m] = s.pkg
				}
			}
			return true
		})
	}
	if len(found) < 100 {
		t.Fatalf("only %d messages found", len(found))
	}
	return found
}

// constantValues are the values of constants, by package.name.
func constantValues(all []source) map[string]ast.Expr {
	values := map[string]ast.Expr{}
	for _, s := range all {
		for _, d := range s.ast.Decls {
			d, ok := d.(*ast.GenDecl)
			if !ok || d.Tok != token.CONST {
				continue
			}
			for _, spec := range d.Specs {
				spec := spec.(*ast.ValueSpec) // what else a declaration of constants has
				for i, e := range spec.Values {
					values[s.ast.Name.Name+"."+spec.Names[i].Name] = e
				}
			}
		}
	}
	return values
}

// sayers are functions that are given what the user is to read: of all their arguments it is the one with the most words.
var sayers = []string{"Log", "Say", "advise", "deny", "fail", "new", "note", "problem", "report", "say", "shut", "tell", "warn"}

// advisers return what the user is to read, or a part of it.
var advisers = regexp.MustCompile(`^([a-z]+Advice|[aA]dvice|Error|byChance|incomplete|misspelt|owner|parsePattern|pointless|refusal|weakness|worldReadable)$`)

// messagesIn are the texts that a node of the syntax says.
func messagesIn(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.CallExpr:
		if e := said(n); e != nil {
			return []ast.Expr{e}
		}
	case *ast.FuncDecl:
		if advisers.MatchString(n.Name.Name) && n.Body != nil {
			return returned(n.Body)
		}
	case *ast.CompositeLit:
		return written(n)
	case *ast.AssignStmt: // what is the matter with a node, the first line of an error that has several
		switch x := n.Lhs[0].(type) {
		case *ast.SelectorExpr:
			if slices.Contains([]string{"Error", "leftOut"}, x.Sel.Name) {
				if call, ok := n.Rhs[0].(*ast.CallExpr); ok { // cmp.Or(…)
					return call.Args
				}
				return n.Rhs
			}
		case *ast.Ident:
			if list, ok := n.Rhs[0].(*ast.CompositeLit); ok && x.Name == "lines" && len(list.Elts) == 1 {
				return list.Elts
			}
		}
	case *ast.ValueSpec: // const textNoPing, var closeAdvice = map...
		var all []ast.Expr
		for i, e := range n.Values {
			switch lit, ok := e.(*ast.CompositeLit); {
			case strings.HasPrefix(n.Names[i].Name, "text"):
				all = append(all, e)
			case ok && strings.HasSuffix(n.Names[i].Name, "Advice"):
				for _, e := range lit.Elts {
					if kv, ok := e.(*ast.KeyValueExpr); ok {
						all = append(all, kv.Value)
					}
				}
			}
		}
		return all
	}
	return nil
}

// written are the texts in a problem of the configuration (where, what), in an error about a file (name, line, text), and in the reason why a node is not ready
// (name, text).
func written(lit *ast.CompositeLit) (all []ast.Expr) {
	name := typeName(lit.Type)
	for i, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		switch {
		case !ok && name == "Problem" && i == 1:
			all = append(all, e)
		case ok && (name == "Problem" || name == "Reason" || name == "SyntaxError" || name == ""):
			if key := typeName(kv.Key); key == "What" || key == "Text" && name != "" {
				all = append(all, kv.Value)
			}
		}
	}
	return all
}

// said is the argument of a call that the user is to read; nil if there is none.
func said(call *ast.CallExpr) ast.Expr {
	pkg, name := "", ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
		if x, ok := f.X.(*ast.Ident); ok {
			pkg = x.Name
		}
	}
	switch full := pkg + "." + name; {
	case len(call.Args) == 0:
	case full == "errors.New", full == "fmt.Errorf":
		return call.Args[0]
	case full == "http.Error" && len(call.Args) == 3:
		return call.Args[1]
	case pkg == "fmt" && strings.HasPrefix(name, "Fprint") && isStderr(call.Args[0]):
		return wordiest(call.Args[1:])
	case (name == "Warn" || name == "Error") && len(call.Args) > 2: // of a logger: a text, and what it is about
		return call.Args[0]
	case name == "Log" && len(call.Args) > 1: // of a logger, with a level; a function of ours that is called so has a text only
	case name == "say" && !isContext(call.Args[0]): // of a command: its result
	case slices.Contains(sayers, name):
		return wordiest(call.Args)
	}
	return nil
}

func isContext(e ast.Expr) bool {
	x, ok := e.(*ast.Ident)
	return ok && x.Name == "ctx"
}

func isStderr(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "stderr"
	case *ast.SelectorExpr:
		return strings.EqualFold(e.Sel.Name, "stderr")
	}
	return false
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// wordiest is the expression with the most words in it; nil if none has any.
func wordiest(all []ast.Expr) (best ast.Expr) {
	most := 0
	for _, e := range all {
		words := wordsOf(messageText(e, nil))
		if _, ok := e.(*ast.Ident); ok {
			words = 1 // it may be a constant
		}
		if words > most {
			best, most = e, words
		}
	}
	return best
}

// returned are the texts that a function returns, and those that it puts together for that.
func returned(body *ast.BlockStmt) (all []ast.Expr) {
	ast.Inspect(body, func(n ast.Node) bool {
		var results []ast.Expr
		switch n := n.(type) {
		case *ast.ReturnStmt:
			results = n.Results
		case *ast.AssignStmt: // what it is put together from
			results = n.Rhs
		}
		for _, e := range results {
			if list, ok := e.(*ast.CompositeLit); ok {
				all = append(all, list.Elts...)
			} else {
				all = append(all, e)
			}
		}
		return true
	})
	return all
}

// wordsOf counts words without what is put in.
func wordsOf(m string) int { return len(plainWord.FindAllString(verb.ReplaceAllString(m, ""), -1)) }

var plainWord = regexp.MustCompile(`[A-Za-z][A-Za-z_'-]*`)

var verb = regexp.MustCompile(`%[-+# 0-9.*]*[a-zA-Z]`)

// messageText is a text as it stands in the source, with … for what is put in when it is said; known is the value of a constant, or nil. A bar would end the cell
// of a table.
func messageText(e ast.Expr, known func(pkg, name string) ast.Expr) string {
	text := strings.Join(parts(e, known), "")
	text = strings.ReplaceAll(verb.ReplaceAllString(text, "…"), "%%", "%")
	text = strings.Join(strings.Fields(text), " ")
	for strings.Contains(text, "……") {
		text = strings.ReplaceAll(text, "……", "…")
	}
	return strings.NewReplacer("|", "∣", "<", "‹", ">", "›").Replace(text)
}

func parts(e ast.Expr, known func(pkg, name string) ast.Expr) []string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, ok := text(e); ok {
			return []string{text}
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return append(parts(e.X, known), parts(e.Y, known)...)
		}
	case *ast.ParenExpr:
		return parts(e.X, known)
	case *ast.Ident:
		if known != nil {
			if value := known("", e.Name); value != nil {
				return parts(value, known)
			}
		}
	case *ast.SelectorExpr:
		if pkg, ok := e.X.(*ast.Ident); ok && known != nil {
			if value := known(pkg.Name, e.Sel.Name); value != nil {
				return parts(value, func(of, name string) ast.Expr { return known(cmp.Or(of, pkg.Name), name) })
			}
		}
	case *ast.CallExpr: // fmt.Sprintf("…", …), errors.New("…")
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "Sprintf" || f.Sel.Name == "Errorf" || f.Sel.Name == "New") && len(e.Args) > 0 {
			return parts(e.Args[0], known)
		}
	}
	return []string{"…"}
}
