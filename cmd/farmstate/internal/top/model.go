package top

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

// Options of a live view.
type Options struct {
	Ask      func() *api.Nodes // asks the farm; it may take some seconds, and is not called again before it has returned
	Interval time.Duration     // between the end of one look and the beginning of the next
	Colours  bool
}

// Model is a live view of a farm. It is a value: what comes in gives a new one.
type Model struct {
	opt           Options
	width, height int
	before, now   *api.Nodes // the last two looks; nil before there were any
	figures       map[string]Figures
	focus         int
	panels        [panels]panelState
	stopped       bool // the user wants the picture to stand still
}

// panelState is what the user has chosen for a panel.
type panelState struct {
	sort     int // index of orders
	reversed bool
	scroll   int // rows
}

// New returns a view that has seen nothing yet.
func New(opt Options) Model {
	return Model{opt: opt, width: term.DefaultWidth, height: 24}
}

// looked is the message that a look has ended.
type looked struct{ nodes *api.Nodes }

// due is the message that the next look is due.
type due struct{}

// Init implements tea.Model: it begins the first look.
func (m Model) Init() tea.Cmd { return m.look }

func (m Model) look() tea.Msg { return looked{m.opt.Ask()} }

// Update implements tea.Model.
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case looked:
		if !m.stopped {
			m = m.With(msg.nodes)
		}
		return m, tea.Tick(m.opt.Interval, func(time.Time) tea.Msg { return due{} })
	case due:
		return m, m.look
	case tea.WindowSizeMsg:
		m.width, m.height = max(20, msg.Width), max(5, msg.Height)
	case tea.KeyPressMsg:
		return m.key(msg.String())
	}
	return m, nil
}

// View implements tea.Model.
func (m Model) View() tea.View {
	v := tea.NewView(strings.Join(m.Frame(m.width, m.height), "\n"))
	v.AltScreen = true
	v.WindowTitle = "farmstate top"
	return v
}

// With is the view after another look.
func (m Model) With(nodes *api.Nodes) Model {
	m.before, m.now = m.now, nodes
	figures := map[string]Figures{} // a new one: the old view has the old
	if m.before != nil {
		for i := range nodes.Nodes {
			if n := &nodes.Nodes[i]; n.Node != nil {
				figures[n.ID] = unknown()
				if old := nodeOf(m.before, n.ID); old != nil {
					figures[n.ID] = Between(&old.Status, &n.Node.Status)
				}
			}
		}
	}
	m.figures = figures
	return m
}

// Sampled are the figures of each node between two looks, by id.
func Sampled(before, after *api.Nodes) map[string]Figures {
	return Model{}.With(before).With(after).figures
}

func nodeOf(nodes *api.Nodes, id string) *api.Node {
	for i := range nodes.Nodes {
		if nodes.Nodes[i].ID == id {
			return nodes.Nodes[i].Node
		}
	}
	return nil
}

// key does what a key is for.
func (m Model) key(key string) (tea.Model, tea.Cmd) {
	p := &m.panels[m.focus]
	page := max(1, m.height/2)
	switch key {
	case "q", "esc", "ctrl+c":
		return m, tea.Quit
	case "tab", "right":
		m.focus = (m.focus + 1) % panels
	case "shift+tab", "left":
		m.focus = (m.focus + panels - 1) % panels
	case "1", "2", "3", "4", "5":
		m.focus = int(key[0] - '1')
	case "s":
		p.sort, p.scroll = (p.sort+1)%len(orders[m.focus]), 0
	case "r":
		p.reversed, p.scroll = !p.reversed, 0
	case "down", "j":
		p.scroll++
	case "up", "k":
		p.scroll--
	case "pgdown":
		p.scroll += page
	case "pgup":
		p.scroll -= page
	case "home", "g":
		p.scroll = 0
	case "p", "space":
		m.stopped = !m.stopped
	}
	rows := 0
	if m.now != nil {
		rows = len(m.panel(m.focus).Rows)
	}
	m.panels[m.focus].scroll = max(0, min(m.panels[m.focus].scroll, rows-1))
	return m, nil
}
