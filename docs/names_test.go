package docs

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strings"
	"testing"
)

// vocabulary is what a document may name between backquotes.
type vocabulary struct {
	files    map[string]bool            // files and folders, by path
	bases    map[string]bool            // the last parts of their paths
	packages map[string]map[string]bool // by the last part of a package's path: its declarations, members as Type.Member
	types    map[string]map[string]bool // by type, in any package: its members
	words    map[string]bool            // words in Go files and in the protocol
	options  map[string]bool            // of the configuration
	targets  map[string]bool            // of the Makefile
	commands map[string]bool            // of the program
	groups   map[string]bool            // first words of commands that have two
	flags    map[string]bool            // of its commands
	switches map[string]bool            // of go test, and of our tests
}

var word = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

func newVocabulary(t *testing.T) *vocabulary {
	t.Helper()
	v := &vocabulary{
		files: map[string]bool{}, bases: map[string]bool{}, packages: map[string]map[string]bool{}, types: map[string]map[string]bool{},
		words: map[string]bool{}, options: map[string]bool{}, targets: map[string]bool{}, commands: map[string]bool{}, groups: map[string]bool{}, flags: map[string]bool{},
		switches: map[string]bool{},
	}
	for _, name := range []string{"bench", "count", "cpu", "failfast", "fuzz", "fuzztime", "list", "race", "run", "short", "shuffle", "timeout", "v"} {
		v.switches[name] = true
	}
	for _, f := range tree(t) {
		for p := f.path; p != "."; p = path.Dir(p) {
			v.files[p] = true
		}
		v.bases[path.Base(f.path)] = true
		if f.isTest() {
			for _, found := range regexp.MustCompile(`flag\.\w+\("([\w.]+)"`).FindAllStringSubmatch(f.text, -1) {
				v.switches[found[1]] = true
			}
		}
		if f.isGo() && f.dir() != "docs" || f.path == "docs/protocol.md" {
			for _, w := range word.FindAllString(f.text, -1) {
				v.words[w] = true
			}
		}
		switch f.path {
		case "Makefile":
			for _, found := range regexp.MustCompile(`(?m)^\.PHONY: ([\w-]+)$`).FindAllStringSubmatch(f.text, -1) {
				v.targets[found[1]] = true
			}
		case "docs/configuration.md":
			for _, found := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(f.text, -1) {
				v.options[found[1]] = true
			}
		}
	}
	for _, s := range sources(t) {
		v.declare(s)
	}
	help := farmstate(t, "help")
	for _, found := range regexp.MustCompile(`(?m)^farmstate ([a-z-]+(?: [a-z-]+)?)$`).FindAllStringSubmatch(help, -1) {
		v.commands[found[1]] = true
		if group, _, ok := strings.Cut(found[1], " "); ok {
			v.groups[group] = true
		}
	}
	for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(help, -1) {
		v.flags[flag] = true
	}
	return v
}

// declare adds the declarations of a file.
func (v *vocabulary) declare(s source) {
	name := path.Base(s.pkg)
	for _, p := range []string{name, s.ast.Name.Name} {
		if v.packages[p] == nil {
			v.packages[p] = map[string]bool{}
		}
	}
	add := func(parts ...string) {
		v.packages[name][strings.Join(parts, ".")] = true
		v.packages[s.ast.Name.Name][strings.Join(parts, ".")] = true
		if len(parts) == 2 {
			if v.types[parts[0]] == nil {
				v.types[parts[0]] = map[string]bool{}
			}
			v.types[parts[0]][parts[1]] = true
		}
	}
	for _, d := range s.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add(d.Name.Name)
			} else {
				add(receiver(d), d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, n := range spec.Names {
						add(n.Name)
					}
				case *ast.TypeSpec:
					add(spec.Name.Name)
					for _, m := range members(spec.Type) {
						add(spec.Name.Name, m)
					}
				}
			}
		}
	}
}

// receiver is the name of the type that a method belongs to.
func receiver(d *ast.FuncDecl) string {
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return token.ILLEGAL.String()
		}
	}
}

// members are the names of a struct's fields or an interface's methods. An embedded field is called by its type.
func members(e ast.Expr) (names []string) {
	var list *ast.FieldList
	switch x := e.(type) {
	case *ast.StructType:
		list = x.Fields
	case *ast.InterfaceType:
		list = x.Methods
	default:
		return nil
	}
	for _, f := range list.List {
		for _, n := range f.Names {
			names = append(names, n.Name)
		}
		if len(f.Names) == 0 {
			e := f.Type
			if p, ok := e.(*ast.StarExpr); ok {
				e = p.X
			}
			switch x := e.(type) {
			case *ast.SelectorExpr:
				names = append(names, x.Sel.Name)
			case *ast.Ident:
				names = append(names, x.Name)
			}
		}
	}
	return names
}

var (
	filePath   = regexp.MustCompile(`^(\.ci|bench|cmd|docs|engine|fuzz|netpoll|peer)/[\w./-]*$`)
	fileName   = regexp.MustCompile(`^[\w-]+\.(go|md|json|mod|sum|yml|tmpl|txt)$`)
	symbol     = regexp.MustCompile(`^\w+(\.\w+)+$`)
	snakeCase  = regexp.MustCompile(`^[a-z]+(_[a-z0-9]+)+$`)
	envName    = regexp.MustCompile(`^FARMSTATE_[A-Z_]+`)
	camelCase  = regexp.MustCompile(`^[A-Za-z]*[a-z][A-Z][A-Za-z0-9]*$`)
	makeTarget = regexp.MustCompile(`^make ([a-z-]+)`)
	flagName   = regexp.MustCompile(`--[a-z-]+`)
	switchName = regexp.MustCompile(`^-([a-z][a-z.]*)\b`)
)

// unknown says what is wrong with a name, or nothing. Names that can be anything (words, other people's programs) pass. Identifiers that stand
// alone are looked up only if strict is set.
func (v *vocabulary) unknown(span string, strict bool) string {
	switch command, ours := strings.CutPrefix(span, "farmstate "); {
	case ours:
		return v.unknownCommand(command)
	case strings.HasPrefix(span, "make "):
		if found := makeTarget.FindStringSubmatch(span); found != nil && !v.targets[found[1]] {
			return "the Makefile has no such target"
		}
	case strings.HasPrefix(span, "--"):
		if flag := flagName.FindString(span); !v.flags[flag] {
			return "no command has this flag"
		}
	case switchName.MatchString(span):
		if name := switchName.FindStringSubmatch(span)[1]; !v.switches[name] {
			return "no test has a flag " + name
		}
	case envName.MatchString(span):
		name := strings.ToLower(strings.TrimPrefix(envName.FindString(span), "FARMSTATE_"))
		if !v.options[name] && name != "config" {
			return "no option is called " + name
		}
	case filePath.MatchString(span):
		if !v.files[strings.TrimSuffix(strings.TrimSuffix(span, "..."), "/")] {
			return "no such file"
		}
	case fileName.MatchString(span):
		if !v.bases[span] && v.words[strings.TrimSuffix(span, path.Ext(span))] {
			return "no file of this name"
		}
	case symbol.MatchString(span):
		return v.unknownSymbol(span)
	case snakeCase.MatchString(span):
		if name, metric := strings.CutPrefix(span, "farmstate_"); !v.words[span] && !(metric && v.words[name]) && !v.options[span] {
			return "not in the source"
		}
	case strict && camelCase.MatchString(span):
		if !v.words[span] {
			return "not in the source"
		}
	}
	return ""
}

func (v *vocabulary) unknownCommand(text string) string {
	words := strings.Fields(text)
	name, two := words[0], ""
	if len(words) > 1 && !strings.HasPrefix(words[1], "-") {
		two = name + " " + strings.Split(words[1], "|")[0]
	}
	if !v.commands[name] && !v.commands[two] && (two != "" || !v.groups[name]) {
		return "no such command"
	}
	for _, flag := range flagName.FindAllString(text, -1) {
		if !v.flags[flag] {
			return "no command has the flag " + flag
		}
	}
	return ""
}

// unknownSymbol looks up package.Name, package.Type.Member and Type.Member, if the first part is a package or type of ours.
func (v *vocabulary) unknownSymbol(span string) string {
	first, rest, _ := strings.Cut(span, ".")
	names, isPackage := v.packages[first]
	members, isType := v.types[first]
	if isPackage && !names[rest] && !(isType && members[rest]) {
		return "package " + first + " has no " + rest
	}
	if !isPackage && isType && !members[rest] {
		return "type " + first + " has no " + rest
	}
	return ""
}

// TestNames finds names of files, symbols, options, commands and targets that have gone out of date.
func TestNames(t *testing.T) {
	v := newVocabulary(t)
	for _, m := range documents(t) {
		if m.path == "CHANGELOG.md" || strings.Contains(m.path, "/testdata/") {
			continue // it tells what was
		}
		strict := within(m.dir(), "docs/design") || strings.HasPrefix(path.Base(m.path), "CONTRIBUTING") ||
			within(m.path, "docs/architecture.md", "docs/concurrency.md", "docs/operations.md", "docs/testing.md", "docs/security.md", "docs/topologies.md")
		for n, line := range m.prose {
			for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
				if why := v.unknown(span[1], strict); why != "" {
					t.Errorf("%s:%d: `%s`: %s", m.path, n+1, span[1], why)
				}
			}
		}
	}
}

// TestNamesFound shows that TestNames can fail.
func TestNamesFound(t *testing.T) {
	v := newVocabulary(t)
	for span, good := range map[string]bool{
		"engine/engine.go": true, "engine/motor.go": false, "engine/...": true, "netpoll": true, "peer/core": true, "peer/hull": false,
		"engine.Engine.Do": true, "engine.Engine.Undo": false, "Engine.Do": true, "time.Now": true,
		"max_memory": true, "max_memories": false, "FARMSTATE_LISTEN": true, "FARMSTATE_LISTENS": false,
		"make test": true, "make tea": false, "farmstate serve --lock-wait 0": true, "farmstate serve --lock-weight 0": false,
		"farmstate brew": false, "farmstate config check FILE": true, "farmstate config": true, "farmstate config brew": false, "--gops": true, "--gopher": false, "-engine.seed": true, "-engine.seeds": false,
		"LockCookie": true, "LockBiscuit": false,
	} {
		if why := v.unknown(span, true); (why == "") != good {
			t.Errorf("%s: %q", span, why)
		}
	}
}
