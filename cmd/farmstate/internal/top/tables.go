package top

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

// NodeTable is the table of the nodes, in the order in which they are given. figures are by id; without any the column of requests is left out, and latency is
// that since the start of each node.
func NodeTable(nodes []api.NodeView, figures map[string]Figures) *term.Table {
	many := len(versions(nodes)) > 1
	t := &term.Table{Columns: []term.Column{{Title: "NODE", Min: 8}, {Title: "HEALTH"}, {Title: "SESSIONS", Right: true}, {Title: "MEMORY", Right: true}}}
	if figures != nil {
		t.Columns = append(t.Columns, term.Column{Title: "REQ/S", Right: true})
	}
	t.Columns = append(t.Columns, term.Column{Title: "P99", Right: true}, term.Column{Title: "LOCKED", Right: true}, term.Column{Title: "WAITING", Right: true}, term.Column{Title: "COPIES"})
	if many {
		t.Columns = append(t.Columns, term.Column{Title: "VERSION", Min: 7})
	}
	names := Names(nodes)
	for i := range nodes {
		n := &nodes[i]
		row := []term.Cell{{Text: cmp.Or(names[n.ID], n.Admin)}, {Text: n.Health, Colour: healthColours[n.Health]}}
		if n.Node == nil {
			for len(row) < len(t.Columns) {
				row = append(row, term.Cell{Text: "-", Colour: term.Faint})
			}
			t.Rows = append(t.Rows, row)
			continue
		}
		s := &n.Node.Status
		f := Since(s)
		if figures != nil {
			var ok bool
			if f, ok = figures[n.ID]; !ok {
				f = unknown()
			}
		}
		row = append(row, term.Cell{Text: term.Count(s.Sessions.Count)}, memory(s))
		if figures != nil {
			row = append(row, term.Cell{Text: term.Rate(f.PerSecond)})
		}
		row = append(row, term.Cell{Text: term.Seconds(f.P99)}, term.Cell{Text: term.Count(s.Sessions.Locked)}, term.Cell{Text: term.Count(s.Sessions.LockWaiters)}, copies(&n.Node.Farm.Copies))
		if many {
			row = append(row, term.Cell{Text: s.Build.Version})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

var healthColours = map[string]term.Colour{
	api.HealthOK: term.Green, api.HealthWarning: term.Yellow, api.HealthLeaving: term.Blue, api.HealthSilent: term.Red, api.HealthDead: term.Red,
}

// memory is what sessions take, and which share of the limit that is.
func memory(s *api.Status) term.Cell {
	c := term.Cell{Text: term.Bytes(s.Sessions.Bytes)}
	if limit := s.Sessions.MaxMemory; limit > 0 {
		share := float64(s.Sessions.Bytes) / float64(limit)
		c.Text += fmt.Sprintf(" %.0f%%", 100*share)
		if share >= fullShare {
			c.Colour = term.Red
		}
	}
	return c
}

// copies is how many of each session there shall be, and how that stands.
func copies(c *api.Copies) term.Cell {
	n := strconv.Itoa(c.Copies)
	switch {
	case c.Copies < 2:
		return term.Cell{Text: "off", Colour: term.Faint}
	case !c.Mirroring:
		return term.Cell{Text: n + " none", Colour: term.Red}
	case c.Nodes > 0 && c.Nodes < c.Copies:
		return term.Cell{Text: fmt.Sprintf("%s on %d", n, c.Nodes), Colour: term.Red}
	case c.ShortFor >= api.Moment && (c.Full > 0 || !c.Repair.Running):
		return term.Cell{Text: n + " -" + term.Count(c.Short), Colour: term.Red}
	case c.Repair.Running:
		return term.Cell{Text: fmt.Sprintf("%s %.0f%%", n, 100*float64(c.Repair.Looked)/float64(max(1, c.Repair.Of))), Colour: term.Yellow}
	case c.Doubtful:
		return term.Cell{Text: n + " late", Colour: term.Yellow}
	}
	return term.Cell{Text: n + " ok", Colour: term.Green}
}

// Lock is a lock that is held somewhere in the farm.
type Lock struct {
	api.Lock
	NodeID string `json:"node"`
	Node   string `json:"node_name"`
}

// Locks are all that the nodes tell of, the longest held first.
func Locks(nodes []api.NodeView) []Lock {
	all := []Lock{}
	names := Names(nodes)
	for i := range nodes {
		if n := &nodes[i]; n.Node != nil {
			for _, l := range n.Node.Survey.Locks {
				all = append(all, Lock{l, n.ID, names[n.ID]})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Lock) int { return cmp.Compare(b.Age, a.Age) })
	return all
}

// LockTable is the table of locks.
func LockTable(all []Lock) *term.Table {
	t := &term.Table{Columns: []term.Column{
		{Title: "SESSION"}, {Title: "APPLICATION", Min: 11}, {Title: "NODE", Min: 8}, {Title: "HOLDER", Min: 10}, {Title: "AGE", Right: true}, {Title: "WAITING", Right: true}, {Title: "COOKIE", Right: true},
	}}
	for i := range all {
		l := &all[i]
		age := term.Cell{Text: term.Seconds(l.Age)}
		if l.Age >= StuckLock.Seconds() {
			age.Colour = term.Red
		}
		t.Rows = append(t.Rows, []term.Cell{
			{Text: l.ID}, {Text: application(l.App)}, {Text: l.Node}, {Text: cmp.Or(l.Client, "-")}, age, {Text: strconv.Itoa(l.Waiting)}, {Text: strconv.FormatUint(uint64(l.Cookie), 10)},
		})
	}
	return t
}

// application is what an application is called; keys that no ASP.NET client builds have none.
func application(id string) string { return cmp.Or(id, "(none)") }

// App is an application, over all nodes.
type App struct {
	App, Hash               string
	PerSecond               float64
	Sessions, Bytes, Locked int64
	Old, NeverRead          int64
}

// Apps are the applications of a farm, the busiest first.
func Apps(nodes []api.NodeView) []App {
	type key struct{ app, hash string }
	all := map[key]*App{}
	of := func(app, hash string) *App {
		k := key{app, hash}
		if all[k] == nil {
			all[k] = &App{App: app, Hash: hash}
		}
		return all[k]
	}
	for i := range nodes {
		n := nodes[i].Node
		if n == nil {
			continue
		}
		for _, a := range n.Survey.Apps {
			sum := of(a.App, a.Hash)
			sum.Sessions += a.Sessions
			sum.Bytes += a.Bytes
			sum.Locked += a.Locked
			sum.Old += a.Old
			sum.NeverRead += a.NeverRead
		}
		for _, a := range n.Survey.HotApps {
			of(a.App, a.Hash).PerSecond += a.PerSecond
		}
	}
	list := []App{}
	for _, a := range slices.SortedFunc(maps.Values(all), func(a, b *App) int {
		return cmp.Or(cmp.Compare(b.PerSecond, a.PerSecond), cmp.Compare(b.Sessions, a.Sessions), cmp.Compare(a.App, b.App), cmp.Compare(a.Hash, b.Hash))
	}) {
		list = append(list, *a)
	}
	return list
}

// Hot is a session with many requests.
type Hot struct {
	api.Hot
	Node string
}

// HotSessions are the busiest sessions of a farm.
func HotSessions(nodes []api.NodeView) []Hot {
	all := []Hot{}
	names := Names(nodes)
	for i := range nodes {
		if n := &nodes[i]; n.Node != nil {
			for _, h := range n.Node.Survey.HotSessions {
				all = append(all, Hot{h, names[n.ID]})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Hot) int { return cmp.Compare(b.PerSecond, a.PerSecond) })
	return all
}

// Event is an event of a node.
type Event struct {
	event.Event
	Node string
}

// Events are the latest of all nodes, the latest first.
func Events(nodes []api.NodeView) []Event {
	all := []Event{}
	names := Names(nodes)
	for i := range nodes {
		if n := &nodes[i]; n.Node != nil {
			for _, e := range n.Node.Events {
				all = append(all, Event{e, names[n.ID]})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Event) int { return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.ID, a.ID)) })
	return all
}

// LevelColour is the colour of events of a level.
func LevelColour(l event.Level) term.Colour {
	switch l {
	case event.Error:
		return term.Red
	case event.Warn:
		return term.Yellow
	case event.Debug:
		return term.Faint
	}
	return term.Plain
}
