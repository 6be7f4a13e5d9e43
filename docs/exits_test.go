package docs

import (
	"go/ast"
	"os"
	"regexp"
	"strings"
	"testing"
)

// flagWord is a flag in a text, which is set as code.
var flagWord = regexp.MustCompile(`--[a-z-]+\b`)

// exitTable is the table of exit statuses as cmd/farmstate/exit.go has it.
func exitTable(t *testing.T) string {
	t.Helper()
	table := "| command | 0 | 1 | 2 |\n|---|---|---|---|\n"
	found := false
	for _, s := range sources(t) {
		if s.path != "cmd/farmstate/exit.go" {
			continue
		}
		words := stringConstants(s)
		ast.Inspect(s.ast, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Names[0].Name != "exitStatuses" {
				return true
			}
			found = true
			for _, e := range spec.Values[0].(*ast.CompositeLit).Elts {
				row := e.(*ast.CompositeLit)
				command, ok := text(row.Elts[0])
				if !ok || len(row.Elts) != 2 {
					t.Fatalf("%s: a row has another form than this test knows", s.at(row))
				}
				name := "every other"
				if command != "" {
					name = "`farmstate " + command + "`"
				}
				table += "| " + name + " |"
				for _, meaning := range row.Elts[1].(*ast.CompositeLit).Elts {
					word, ok := text(meaning)
					if name, named := meaning.(*ast.Ident); named {
						word, ok = words[name.Name], words[name.Name] != ""
					}
					if !ok {
						t.Fatalf("%s: a meaning is neither a literal nor a constant of the file", s.at(meaning))
					}
					table += " " + flagWord.ReplaceAllString(word, "`$0`") + " |"
				}
				table += "\n"
			}
			return false
		})
	}
	if !found {
		t.Fatal("cmd/farmstate/exit.go has no exitStatuses")
	}
	return table
}

// stringConstants are the constants of a file that are strings.
func stringConstants(s source) map[string]string {
	all := map[string]string{}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == len(spec.Names) {
			for i, name := range spec.Names {
				if value, ok := text(spec.Values[i]); ok {
					all[name.Name] = value
				}
			}
		}
		return true
	})
	return all
}

// TestExitStatuses compares the table of exit statuses with the code. With -update it writes it anew.
func TestExitStatuses(t *testing.T) {
	file, err := os.ReadFile("operations.md")
	if err != nil {
		t.Fatal(err)
	}
	doc, head := string(file), "| command | 0 | 1 | 2 |\n"
	from := strings.Index(doc, head)
	if from < 0 {
		t.Fatalf("%s has no table that begins with %q", operations, head)
	}
	to := strings.Index(doc[from:], "\n\n") + from + 1
	want := exitTable(t)
	if *update {
		if err := os.WriteFile("operations.md", []byte(doc[:from]+want+doc[to:]), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := doc[from:to]; got != want {
		t.Errorf("%s: the table of exit statuses is not what the code says (go test ./docs -run TestExitStatuses -update writes it):\n%s", operations, want)
	}
}
