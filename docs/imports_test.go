package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// source is a parsed Go file.
type source struct {
	file
	pkg  string // its folder, relative to the top
	ast  *ast.File
	fset *token.FileSet
}

// sources returns all Go files parsed, whatever system they are for.
func sources(t *testing.T) []source {
	t.Helper()
	all, err := parseSources()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(all)
}

var parseSources = sync.OnceValues(func() ([]source, error) {
	files, err := readTree()
	if err != nil {
		return nil, err
	}
	var all []source
	for _, f := range files {
		if !f.isGo() || strings.Contains(f.path, "/testdata/") {
			continue
		}
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, f.path, f.text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		all = append(all, source{f, f.dir(), parsed, fset})
	}
	return all, nil
})

func (s source) imports() []string {
	var paths []string
	for _, spec := range s.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
		paths = append(paths, p)
	}
	return paths
}

func (s source) at(n ast.Node) token.Position { return s.fset.Position(n.Pos()) }

// within reports whether pkg is one of the folders or, if they end with "/...", lies below one.
func within(pkg string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		folder, below := strings.CutSuffix(folder, "/...")
		return pkg == folder || below && strings.HasPrefix(pkg, folder+"/")
	})
}

// layer says what of ours a package may import. Tests may reach further.
type layer struct {
	folder string
	ours   []string
	why    string
}

var layers = []layer{
	{"engine/...", []string{"engine/..."}, "the engine knows nobody who uses it"},
	{"netpoll/wire", nil, "the parser is pure bytes"},
	{"netpoll", []string{"netpoll/wire", "engine/..."}, "the state port joins wire and engine"},
	{"netpoll/conformance/...", []string{"netpoll/conformance/..."}, "what checks a server must not share its mistakes"},
	{"netpoll/pages", nil, "what checks a server must not share its mistakes"},
	{"peer", []string{"peer/core", "peer/link", "peer/legacy", "peer/member", "peer/message", "engine", "engine/appkey"}, "the farm joins the engine, what decides, and the links"},
	{"peer/core", []string{"peer/message", "engine"}, "what decides knows neither links nor the state port"},
	{"peer/message", []string{"netpoll/wire", "engine"}, "messages are bytes, and what the engine hands over"},
	{"peer/link", []string{"peer/message"}, "links carry messages and decide nothing"},
	{"peer/member", []string{"peer/message"}, "who is in the farm says nothing about sessions"},
	{"peer/legacy", nil, "the originals' rules must not leak, nor ours into them"},
	{"peer/pki", nil, "certificates are files"},
	{"peer/sim", []string{"peer/core", "peer/message", "engine"}, "the simulator has no sockets"},
	{"bench/...", []string{"bench/...", "netpoll", "netpoll/wire", "engine/..."}, "measuring needs what it measures, not the program"},
	{"fuzz/...", []string{"fuzz/...", "netpoll/...", "engine/..."}, "fuzzing needs what it fuzzes, not the program"},
	{"cmd/...", []string{"cmd/...", "netpoll", "netpoll/wire", "engine/...", "peer/...", "bench"}, "the program is built of everything but tests"},
	{"docs", nil, "documents"},
	{".ci/...", nil, "tools of the build know nothing of the program"},
}

func TestLayers(t *testing.T) {
	for _, s := range sources(t) {
		i := slices.IndexFunc(layers, func(l layer) bool { return within(s.pkg, l.folder) })
		if i < 0 {
			t.Errorf("%s: no layer is declared for this folder", s.path)
			continue
		}
		for _, p := range s.imports() {
			ours, mine := strings.CutPrefix(p, module+"/")
			if mine && !s.isTest() && ours != s.pkg && !within(ours, layers[i].ours...) {
				t.Errorf("%s imports %s: %s", s.path, ours, layers[i].why)
			}
			if mine && within(ours, "fuzz/...") {
				t.Errorf("%s imports %s: nothing imports the fuzz suite", s.path, ours)
			}
			if mine && ours == "peer/sim" && ours != s.pkg {
				t.Errorf("%s imports %s: it is for tests and figures", s.path, ours)
			}
			if mine && within(ours, "bench/...") && !within(s.pkg, "bench/...", "cmd/...") && !(s.isTest() && within(s.pkg, "fuzz/...")) {
				t.Errorf("%s imports %s: only the program and tests of farms use the load generator", s.path, ours)
			}
		}
	}
}

// keepers are the only ones that may import a library, so that another can take its place.
var keepers = []struct {
	library string
	keepers []string // folders, or files
}{
	{"github.com/panjf2000/gnet/", []string{"netpoll", "cmd/...", "bench/..."}},
	{"github.com/puzpuzpuz/xsync/", []string{"engine/index.go"}},
	{"github.com/alecthomas/kong", []string{"cmd/...", "bench/compare/..."}},
	{"github.com/pelletier/go-toml/", []string{"cmd/farmstate/internal/config"}},
	{"github.com/prometheus/", []string{"cmd/..."}},
	{"github.com/google/gops/", []string{"cmd/..."}},
	{"github.com/hashicorp/", []string{"peer/member"}},
	{"charm.land/bubbletea/", []string{"cmd/farmstate/internal/top", "cmd/farmstate/top_cmd.go"}},
	{"github.com/charmbracelet/x/", []string{"cmd/farmstate/internal/term"}},
	{"github.com/coreos/go-systemd/", []string{"cmd/farmstate/notify.go"}},
}

func TestKeepers(t *testing.T) {
	for _, s := range sources(t) {
		for _, p := range s.imports() {
			for _, k := range keepers {
				if strings.HasPrefix(p, k.library) && !s.isTest() && !within(s.pkg, k.keepers...) && !slices.Contains(k.keepers, s.path) {
					t.Errorf("%s imports %s, which is for %s alone", s.path, p, strings.Join(k.keepers, ", "))
				}
			}
		}
	}
}

// TestNoClock holds the packages that are given the time to not looking it up.
func TestNoClock(t *testing.T) {
	reads := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	for _, s := range sources(t) {
		if s.isTest() || !within(s.pkg, "engine/...", "netpoll/wire", "peer/core", "peer/message", "peer/sim") {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains(reads, sel.Sel.Name) {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
				t.Errorf("%s: time.%s: time is passed in here", s.at(n), sel.Sel.Name)
			}
			return true
		})
	}
}

// TestNoIO holds the packages that decide to leaving the doing to others, also by way of a library.
func TestNoIO(t *testing.T) {
	for pkg, deps := range dependencies(t, "./engine/...", "./netpoll/wire", "./peer/core", "./peer/message", "./peer/sim") {
		for _, dep := range deps {
			if within(dep, "net/...", "net", "os/exec", "log", "log/slog", "github.com/panjf2000/gnet/v2/...") && dep != "net/netip" {
				t.Errorf("%s depends on %s: it must do no I/O", pkg, dep)
			}
		}
	}
}

// TestProgram holds the program to being free of what is for tests.
func TestProgram(t *testing.T) {
	for pkg, deps := range dependencies(t, "./cmd/farmstate") {
		for _, dep := range deps {
			if dep == "testing" || within(strings.TrimPrefix(dep, module+"/"), "netpoll/conformance/...", "netpoll/pages", "peer/sim", "fuzz/...") {
				t.Errorf("%s depends on %s, which is for tests", pkg, dep)
			}
		}
	}
}

// dependencies asks the go command for all packages that each of some packages needs.
func dependencies(t *testing.T, patterns ...string) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-f", `{{.ImportPath}} {{join .Deps " "}}`}, patterns...)...)
	cmd.Dir = topDir(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		if words := strings.Fields(line); len(words) > 0 {
			all[path.Clean(words[0])] = words[1:]
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s found no package", strings.Join(cmd.Args, " "))
	}
	return all
}
