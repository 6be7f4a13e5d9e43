package top

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

// The panels, from top to bottom.
const (
	nodePanel = iota
	lockPanel
	appPanel
	sessionPanel
	eventPanel
	panels
)

var panelTitles = [panels]string{"Nodes", "Longest locks", "Applications", "Busiest sessions", "Events"}

// orders are what each panel can be sorted by, the first unless the user chooses.
var orders = [panels][]string{
	nodePanel:    {"name", "requests", "sessions", "memory", "p99", "locked"},
	lockPanel:    {"age", "waiting"},
	appPanel:     {"requests", "sessions", "memory", "locked"},
	sessionPanel: {"requests"},
	eventPanel:   {"time"},
}

// least is how many lines a panel has at least: title, head of the table, two rows.
const least = 4

// mostRows are shown in a panel when there is no height to be filled.
const mostRows = 10

// maxRows bounds a panel, so that a large farm does not keep the terminal busy.
const maxRows = 500

const keys = "q quit  tab panel  s sort  r reverse  up/down scroll  p pause"

// Frame is the picture: lines of at most width columns. With a height, it has at most so many lines, and the panel that the user has chosen gets the room that
// there is; with 0, each panel has its first rows, as many as it has up to ten.
func (m Model) Frame(width, height int) []string {
	screen := term.Screen{Width: width, Colours: m.opt.Colours}
	if m.now == nil {
		return []string{term.Cut("The farm is being asked...", width)}
	}
	lines := m.head(screen)
	var tables [panels][]string
	for i := range panels {
		tables[i] = m.panel(i).Lines(screen)
	}
	room := m.share(&tables, height-len(lines)-1, height == 0)
	for i, n := range room {
		if n > 0 {
			lines = append(lines, m.panelLines(screen, i, tables[i], n)...)
		}
	}
	if height > 0 {
		for len(lines) < height-1 {
			lines = append(lines, "")
		}
		lines = append(lines[:max(0, min(len(lines), height-1))], screen.Paint(term.Faint, term.Cut(keys, width)))
	}
	return lines
}

// head is what is above the panels.
func (m Model) head(screen term.Screen) []string {
	nodes := m.now.Nodes
	health := map[string]int{}
	var sessions, bytes, locked, waiting int64
	var figures []Figures
	for i := range nodes {
		health[nodes[i].Health]++
		if n := nodes[i].Node; n != nil {
			s := &n.Status.Sessions
			sessions, bytes, locked, waiting = sessions+s.Count, bytes+s.Bytes, locked+s.Locked, waiting+s.LockWaiters
			figures = append(figures, m.figures[nodes[i].ID])
		}
	}
	var counts []string
	for _, h := range []string{api.HealthOK, api.HealthWarning, api.HealthLeaving, api.HealthSilent, api.HealthDead} {
		if n := health[h]; n > 0 {
			counts = append(counts, screen.Paint(healthColours[h], fmt.Sprintf("%d %s", n, h)))
		}
	}
	first := "farmstate  " + term.Plural(len(nodes), "node", "nodes") + ": " + strings.Join(counts, ", ") + "  " + m.now.Now.Format("15:04:05")
	if m.stopped {
		first += "  " + screen.Paint(term.Reverse, " paused ")
	}
	second := fmt.Sprintf("%s sessions  %s  %d locked  %d waiting", term.Count(sessions), term.Bytes(bytes), locked, waiting)
	if m.before != nil {
		sum := Sum(figures)
		second += fmt.Sprintf("  %s req/s  p50 %s  p99 %s", term.Rate(sum.PerSecond), term.Seconds(sum.P50), term.Seconds(sum.P99))
	}
	lines := []string{term.Cut(first, screen.Width), term.Cut(second, screen.Width)}
	found := Findings(nodes)
	for i := range found {
		if !found[i].Wrong {
			continue
		}
		text := "! " + term.Clean(found[i].String())
		if more := len(found) - i - 1; more > 0 && i == 2 {
			text = fmt.Sprintf("! and %d more: farmstate status --farm", more+1)
		}
		lines = append(lines, screen.Paint(term.Red, term.Cut(text, screen.Width)))
		if i == 2 {
			break
		}
	}
	return lines
}

// share says how many lines each panel gets. The chosen panel comes first, the others from top to bottom.
func (m Model) share(tables *[panels][]string, room int, all bool) (lines [panels]int) {
	wants := func(i int) int {
		if all {
			return max(3, min(mostRows, len(tables[i])-1)+2)
		}
		return max(3, len(tables[i])+1)
	}
	turn := []int{m.focus}
	for i := range panels {
		if i != m.focus {
			turn = append(turn, i)
		}
	}
	for _, i := range turn {
		if n := min(wants(i), least); all || n <= room {
			lines[i], room = n, room-n
		}
	}
	for _, i := range turn {
		if more := wants(i) - lines[i]; lines[i] > 0 && (all || room > 0) {
			if !all {
				more = min(more, room)
			}
			lines[i], room = lines[i]+more, room-more
		}
	}
	return lines
}

// panelLines is a panel of n lines: its title, the head of its table, and rows from where it was scrolled to.
func (m Model) panelLines(screen term.Screen, i int, table []string, n int) []string {
	state := m.panels[i]
	title := panelTitles[i]
	if len(orders[i]) > 1 {
		title += " by " + orders[i][state.sort]
	}
	rows := table[1:]
	scroll := min(state.scroll, max(0, len(rows)-1))
	if shown := min(len(rows)-scroll, n-2); shown < len(rows) {
		title += fmt.Sprintf(" (%d to %d of %d)", scroll+1, scroll+shown, len(rows))
	}
	title = "-- " + title + " "
	title += strings.Repeat("-", max(0, screen.Width-len(title)))
	colour := term.Faint
	if i == m.focus {
		colour = term.Bold
	}
	lines := []string{screen.Paint(colour, term.Cut(title, screen.Width))}
	if len(rows) == 0 {
		lines = append(lines, screen.Paint(term.Faint, term.Cut(m.none(i), screen.Width)))
	} else {
		lines = append(lines, table[0])
		lines = append(lines, rows[scroll:min(len(rows), scroll+n-2)]...)
	}
	for len(lines) < n {
		lines = append(lines, "")
	}
	return lines
}

// none says why a panel is empty.
func (m Model) none(i int) string {
	if i == lockPanel || i == appPanel {
		for j := range m.now.Nodes {
			if n := m.now.Nodes[j].Node; n != nil && !n.Survey.Ready {
				return "the nodes are walking round their sessions"
			}
		}
	}
	return [panels]string{"no node answers", "no lock is held", "there are no sessions", "no session is asked for often", "there were no events"}[i]
}

// panel is the table of a panel, sorted as the user wants it.
func (m Model) panel(i int) *term.Table {
	nodes := m.now.Nodes
	order := orders[i][m.panels[i].sort]
	var t *term.Table
	switch i {
	case nodePanel:
		t = NodeTable(m.sortedNodes(order), m.figures)
	case lockPanel:
		locks := Locks(nodes)
		if order == "waiting" {
			slices.SortStableFunc(locks, func(a, b Lock) int { return cmp.Compare(b.Waiting, a.Waiting) })
		}
		t = LockTable(locks)
	case appPanel:
		t = appTable(Apps(nodes), order)
	case sessionPanel:
		t = &term.Table{Columns: []term.Column{{Title: "SESSION"}, {Title: "APPLICATION", Min: 11}, {Title: "NODE", Min: 8}, {Title: "REQ/S", Right: true}}}
		for _, h := range HotSessions(nodes) {
			t.Add(h.ID, application(h.App), h.Node, term.Rate(h.PerSecond))
		}
	case eventPanel:
		t = &term.Table{Columns: []term.Column{{Title: "TIME"}, {Title: "LEVEL"}, {Title: "NODE", Min: 8}, {Title: "EVENT", Min: 12}, {Title: "TEXT", Min: 10}}}
		for _, e := range Events(nodes) {
			t.Add(e.Time.Local().Format("15:04:05"), string(e.Level), e.Node, e.Name, e.Text)
			t.Rows[len(t.Rows)-1][1].Colour = LevelColour(e.Level)
		}
	}
	t.Rows = t.Rows[:min(len(t.Rows), maxRows)]
	if m.panels[i].reversed {
		slices.Reverse(t.Rows)
	}
	return t
}

// sortedNodes are the nodes in an order; those of which nothing is known come last.
func (m Model) sortedNodes(order string) []api.NodeView {
	nodes := slices.Clone(m.now.Nodes)
	value := func(n *api.NodeView) float64 {
		if n.Node == nil {
			return -1
		}
		s := &n.Node.Status.Sessions
		v := map[string]float64{"sessions": float64(s.Count), "memory": float64(s.Bytes), "locked": float64(s.Locked)}
		if f, ok := m.figures[n.ID]; ok {
			v["requests"], v["p99"] = f.PerSecond, f.P99
		}
		if got := v[order]; !math.IsNaN(got) {
			return got
		}
		return -1
	}
	names := Names(nodes)
	slices.SortStableFunc(nodes, func(a, b api.NodeView) int {
		if order != "name" {
			if c := cmp.Compare(value(&b), value(&a)); c != 0 {
				return c
			}
		}
		return cmp.Or(cmp.Compare(names[a.ID], names[b.ID]), cmp.Compare(a.Admin, b.Admin))
	})
	return nodes
}

func appTable(apps []App, order string) *term.Table {
	t := &term.Table{Columns: []term.Column{
		{Title: "APPLICATION", Min: 11}, {Title: "REQ/S", Right: true}, {Title: "SESSIONS", Right: true}, {Title: "MEMORY", Right: true}, {Title: "LOCKED", Right: true}, {Title: "NEVER READ", Right: true},
	}}
	slices.SortStableFunc(apps, func(a, b App) int {
		switch order {
		case "sessions":
			return cmp.Compare(b.Sessions, a.Sessions)
		case "memory":
			return cmp.Compare(b.Bytes, a.Bytes)
		case "locked":
			return cmp.Compare(b.Locked, a.Locked)
		}
		return 0 // they are sorted by requests
	})
	for _, a := range apps {
		t.Add(application(a.App), term.Rate(a.PerSecond), term.Count(a.Sessions), term.Bytes(a.Bytes), term.Count(a.Locked), term.Count(a.NeverRead))
	}
	return t
}
