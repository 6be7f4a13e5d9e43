package metrics

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

// shown is what a node shows: for each metric its labels, with the values that there are.
type shown map[string]map[string][]string

func shows(t *testing.T) shown {
	t.Helper()
	families, err := New(full(t)).Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := shown{"up": {}} // Prometheus adds it
	for _, f := range families {
		labels := map[string][]string{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = append(labels[l.GetName()], l.GetValue())
			}
		}
		all[f.GetName()] = labels
		if f.GetType() == dto.MetricType_HISTOGRAM {
			all[f.GetName()+"_sum"], all[f.GetName()+"_count"] = labels, labels
			withBound := map[string][]string{}
			maps.Copy(withBound, labels)
			for _, b := range f.GetMetric()[0].GetHistogram().GetBucket() {
				withBound["le"] = append(withBound["le"], number64(b.GetUpperBound()))
			}
			all[f.GetName()+"_bucket"] = withBound
		}
	}
	return all
}

func number64(f float64) string {
	text, _ := json.Marshal(f) // of a number it cannot fail
	return string(text)
}

var (
	quoted   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	selector = regexp.MustCompile(`\b(farmstate_\w+|process_\w+|go_\w+|up)\b(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
)

// check reports what an expression names and a node does not show. What it counts as a name of a metric cannot be anything else: no function or label begins
// like one.
func (all shown) check(t *testing.T, where, expr string) {
	t.Helper()
	labels := map[string]bool{"job": true, "instance": true} // Prometheus adds them
	found := false
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		found = true
		have, ok := all[m[1]]
		if !ok {
			t.Errorf("%s: no node shows %s", where, m[1])
			continue
		}
		for name := range have {
			labels[name] = true
		}
		for _, c := range matcher.FindAllStringSubmatch(m[2], -1) {
			name, op, value := c[1], c[2], c[3]
			values, ok := have[name]
			if !ok {
				if name != "job" && name != "instance" {
					t.Errorf("%s: %s has no label %s", where, m[1], name)
				}
				continue
			}
			if strings.Contains(value, "$") {
				continue
			}
			if op == "=" || op == "!=" {
				value = regexp.QuoteMeta(value)
			}
			for one := range strings.SplitSeq(value, "|") {
				if !slices.ContainsFunc(values, regexp.MustCompile("^(?:"+one+")$").MatchString) && (m[1] != "farmstate_events_total") {
					t.Errorf("%s: label %s of %s is never %s", where, name, m[1], one)
				}
			}
		}
	}
	if !found {
		t.Errorf("%s: no metric in %s", where, expr)
	}
	for _, g := range grouping.FindAllStringSubmatch(quoted.ReplaceAllString(expr, `""`), -1) {
		for _, name := range strings.FieldsFunc(g[1], func(r rune) bool { return r == ',' || r == ' ' }) {
			if !labels[name] {
				t.Errorf("%s: no metric of it has the label %s", where, name)
			}
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(monitoring, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestDashboard: what the dashboard for Grafana asks for is there.
func TestDashboard(t *testing.T) {
	onLinux(t)
	var board struct {
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Annotations struct{ List []struct{ Name, Expr string } }
	}
	if err := json.Unmarshal(read(t, "grafana.json"), &board); err != nil {
		t.Fatal(err)
	}
	all := shows(t)
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range board.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			all.check(t, p.Title, target.Expr)
		}
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other, ok := taken[at]; ok || at[0] >= 24 {
					t.Fatalf("%s overlaps %s, or the edge", p.Title, other)
				}
				taken[at] = p.Title
			}
		}
	}
	for _, v := range board.Templating.List {
		if v.Definition != "" {
			all.check(t, v.Name, v.Definition)
		}
	}
	for _, a := range board.Annotations.List {
		all.check(t, a.Name, a.Expr)
	}
	if len(ids) < 30 {
		t.Errorf("only %d panels were found", len(ids))
	}
}

// rule is one alert. The file is YAML of a simple kind: what is looked for has its place in the line.
var rule = regexp.MustCompile(`(?m)^      - alert: (\w+)\n        expr: (?:'([^\n]*)'|\|-\n((?:          [^\n]*\n)+))`)

// TestAlerts: what the alerts look at is there, and each has a text and a page that say what to do, and an entry in the document.
func TestAlerts(t *testing.T) {
	onLinux(t)
	text := string(read(t, "alerts.yml"))
	doc := string(read(t, "../monitoring.md"))
	all := shows(t)
	rules := rule.FindAllStringSubmatchIndex(text, -1)
	if n := strings.Count(text, "- alert:"); n != len(rules) || n == 0 {
		t.Fatalf("%d alerts, and %d were read", n, len(rules))
	}
	for i, at := range rules {
		name := text[at[2]:at[3]]
		expr := ""
		if at[4] >= 0 {
			expr = strings.ReplaceAll(text[at[4]:at[5]], "''", "'")
		} else {
			expr = text[at[6]:at[7]]
		}
		all.check(t, name, expr)
		end := len(text)
		if i+1 < len(rules) {
			end = rules[i+1][0]
		}
		for _, key := range []string{"severity: ", "summary: '", "description: >-", "runbook_url: https://github.com/farmstate/farmstate/blob/main/docs/troubleshooting.md#"} {
			if !strings.Contains(text[at[0]:end], key) {
				t.Errorf("%s has no %s", name, key)
			}
		}
		if !strings.Contains(doc, "| `"+name+"` |") {
			t.Errorf("docs/monitoring.md does not explain %s", name)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(Farmstate\\w+)` \\|").FindAllStringSubmatch(doc, -1) {
		if !strings.Contains(text, "- alert: "+m[1]+"\n") {
			t.Errorf("docs/monitoring.md explains %s, which is no alert", m[1])
		}
	}
}

// onLinux skips a test elsewhere: the metrics of a process are not the same everywhere.
func onLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("a process has other metrics here")
	}
}
