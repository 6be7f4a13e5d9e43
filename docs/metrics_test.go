package docs

import (
	"flag"
	"fmt"
	"go/ast"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the rows of metrics in docs/operations.md anew")

const (
	operations  = "docs/operations.md"
	metricsPkg  = "cmd/farmstate/internal/metrics"
	buildLabels = "cmd/farmstate" // where the labels of farmstate_build_info are given
)

// metric is what the code says of a metric.
type metric struct {
	name, kind, help string
	labels           []string
}

// row is the metric's row in the table of docs/operations.md.
func (m metric) row() string {
	return fmt.Sprintf("| `%s` | %s |%s | %s |", m.name, m.kind, cell(strings.Join(m.labels, ", ")), prose(m.help))
}

func cell(text string) string {
	if text == "" {
		return ""
	}
	return " " + text
}

// codeWord is a word of a help text that is set as code: an option, an event, a page.
var codeWord = regexp.MustCompile(`\b[a-z]+(?:_[a-z]+)+\b|/readyz\b`)

// prose turns the help text of a metric into a cell: without a capital and a full stop, and what is code as such.
func prose(help string) string {
	first, n := utf8.DecodeRuneInString(help)
	if second, _ := utf8.DecodeRuneInString(help[n:]); !unicode.IsUpper(second) { // not an abbreviation
		help = string(unicode.ToLower(first)) + help[n:]
	}
	return codeWord.ReplaceAllString(strings.TrimSuffix(help, "."), "`$0`")
}

// metricsInCode reads the metrics out of the source of the package that shows them.
func metricsInCode(t *testing.T) map[string]metric {
	t.Helper()
	byVar, kinds := map[string]metric{}, map[string]string{}
	var build metric
	for _, s := range running(t) {
		if s.pkg == buildLabels {
			build.labels = append(build.labels, labelsOfBuild(s)...)
		}
		if s.pkg != metricsPkg {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, v := range n.Values {
					if call, ok := v.(*ast.CallExpr); ok && isCall(call, "desc") {
						byVar[n.Names[i].Name] = metricOf(t, s, call)
					}
				}
			case *ast.CallExpr:
				if kind := kindOf(n); kind != "" && len(n.Args) > 0 {
					switch d := n.Args[0].(type) {
					case *ast.Ident:
						kinds[d.Name] = kind
					case *ast.CallExpr: // of NewDesc: that of the build
						build.name, _ = text(d.Args[0])
						build.help, _ = text(d.Args[1])
						build.kind = kind
					}
				}
			}
			return true
		})
	}
	all := map[string]metric{build.name: build}
	for name, m := range byVar {
		m.kind = kinds[name]
		if m.kind == "" {
			t.Errorf("%s: it cannot be told from the source what kind of metric it is", m.name)
		}
		all[m.name] = m
	}
	return all
}

func isCall(call *ast.CallExpr, name string) bool {
	f, ok := call.Fun.(*ast.Ident)
	return ok && f.Name == name
}

func metricOf(t *testing.T, s source, call *ast.CallExpr) (m metric) {
	t.Helper()
	for i, arg := range call.Args {
		word, ok := text(arg)
		if !ok {
			t.Fatalf("%s: a metric is described by literals, so that this test can read them", s.at(arg))
		}
		switch i {
		case 0:
			m.name = "farmstate_" + word
		case 1:
			m.help = word
		default:
			m.labels = append(m.labels, word)
		}
	}
	return m
}

// kindOf says what kind of metric a call makes of its first argument.
func kindOf(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		switch f.Name {
		case "gauge", "counter":
			return f.Name
		case "newHistogram":
			return "histogram"
		}
	case *ast.SelectorExpr:
		if f.Sel.Name == "MustNewConstMetric" && len(call.Args) > 1 {
			if kind, ok := call.Args[1].(*ast.SelectorExpr); ok {
				return strings.ToLower(strings.TrimSuffix(kind.Sel.Name, "Value"))
			}
		}
	}
	return ""
}

// labelsOfBuild are the labels that the program gives to farmstate_build_info.
func labelsOfBuild(s source) (labels []string) {
	ast.Inspect(s.ast, func(n ast.Node) bool {
		field, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, isName := field.Key.(*ast.Ident)
		lit, isLit := field.Value.(*ast.CompositeLit)
		if !isName || key.Name != "Build" || !isLit {
			return true
		}
		for _, e := range lit.Elts {
			if pair, ok := e.(*ast.KeyValueExpr); ok {
				if label, ok := text(pair.Key); ok {
					labels = append(labels, label)
				}
			}
		}
		return true
	})
	return labels
}

var metricRow = regexp.MustCompile("(?m)^\\| `(farmstate_\\w+)` \\|.*$")

// TestMetrics compares the tables of metrics with the code: names, kinds, labels and what they mean. With -update it writes the rows that differ.
func TestMetrics(t *testing.T) {
	code := metricsInCode(t)
	if len(code) < 50 {
		t.Fatalf("only %d metrics found in the source: has its form changed?", len(code))
	}
	compare(t, operations, column(t, operations, "## Metrics", 0), names(code))
	file, err := os.ReadFile("operations.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(file)
	from := strings.Index(doc, "\n## Metrics\n")
	to := from + 1 + strings.Index(doc[from+1:], "\n## ")
	tables := metricRow.ReplaceAllStringFunc(doc[from:to], func(row string) string {
		m, ok := code[metricRow.FindStringSubmatch(row)[1]]
		if !ok || row == m.row() {
			return row
		}
		if !*update {
			t.Errorf("%s: a row is not what the code says (go test ./docs -run TestMetrics -update writes it):\n%s\nThe code says:\n%s", operations, row, m.row())
		}
		return m.row()
	})
	if *update {
		if err := os.WriteFile("operations.md", []byte(doc[:from]+tables+doc[to:]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if t.Failed() {
		for _, name := range slices.Sorted(maps.Keys(code)) {
			if !strings.Contains(tables, "| `"+name+"` |") {
				t.Logf("missing: %s", code[name].row())
			}
		}
	}
}

func names[V any](all map[string]V) map[string]bool {
	set := map[string]bool{}
	for name := range all {
		set[name] = true
	}
	return set
}
