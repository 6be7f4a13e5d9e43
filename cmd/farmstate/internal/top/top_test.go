package top

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// node is a node that is well.
func node(name string) api.NodeView {
	return api.NodeView{
		ID: name + "-id-of-the-node", Name: name, Admin: name + ":42480", Health: api.HealthOK,
		Node: &api.Node{
			Status: api.Status{
				Build: api.Build{Version: "1.2.3"}, Node: name + "-id-of-the-node", Name: name, Now: t0, Started: t0.Add(-time.Hour), Uptime: 3600, Ready: true, State: name + ":42424",
				Sessions: api.Sessions{Count: 1000, Bytes: 512 << 20, MaxMemory: 4 << 30},
				Latency:  latency(map[float64]int64{0.001: 3500, 0.01: 80, 0.1: 20}),
			},
			Farm:   api.Farm{Links: []api.Link{{Node: "x", Up: true}}, Copies: api.Copies{Copies: 2, Mirroring: true}},
			Survey: api.Survey{Ready: true},
		},
	}
}

func latency(counts map[float64]int64) map[string]api.Latency {
	l := api.Latency{}
	for le, n := range counts {
		l.Buckets = append(l.Buckets, api.Bucket{Le: le, Count: n})
		l.Count += n
	}
	return map[string]api.Latency{"acquire": l}
}

// farm is a farm of nodes with these names, each changed as its function says.
func farm(change map[string]func(*api.NodeView), names ...string) *api.Nodes {
	f := &api.Nodes{Now: t0}
	for _, name := range names {
		n := node(name)
		if do := change[name]; do != nil {
			do(&n)
		}
		f.Nodes = append(f.Nodes, n)
	}
	return f
}

func TestFigures(t *testing.T) {
	before, after := node("web1").Node.Status, node("web1").Node.Status
	if f := Since(&before); f.PerSecond != 1 || f.P50 != 0.001 || f.P99 != 0.01 {
		t.Errorf("since the start: %+v", f)
	}
	after.Now = t0.Add(2 * time.Second)
	if f := Between(&before, &after); f.PerSecond != 0 || !math.IsNaN(f.P99) {
		t.Errorf("nothing happened: %+v", f)
	}
	after.Latency = latency(map[float64]int64{0.001: 3500, 0.01: 81, 0.1: 30, 1: 9})
	f := Between(&before, &after)
	if f.PerSecond != 10 || f.P50 != 0.1 || f.P99 != 1 {
		t.Errorf("%+v", f)
	}
	sum := Sum([]Figures{f, unknown(), f})
	if sum.PerSecond != 20 || sum.P50 != 0.1 {
		t.Errorf("together: %+v", sum)
	}
	if sum := Sum([]Figures{unknown()}); !math.IsNaN(sum.PerSecond) || !math.IsNaN(sum.P50) {
		t.Errorf("of nothing: %+v", sum)
	}
	restarted := after
	restarted.Started = t0
	fewer := after
	fewer.Latency = latency(map[float64]int64{0.001: 1})
	for name, s := range map[string]*api.Status{"started again": &restarted, "counts less": &fewer, "the same moment": &before} {
		if f := Between(&before, s); !math.IsNaN(f.PerSecond) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestNames(t *testing.T) {
	twins := farm(nil, "web1", "web1", "web2").Nodes
	twins[1].ID, twins[1].Admin = "other", "web1:42481"
	twins = append(twins, api.NodeView{ID: "0123456789ab", Admin: "10.0.0.9:42480"})
	dead := node("web2")
	dead.ID, dead.Health, dead.Node = "dead-before", api.HealthDead, nil
	if names := Names(append(slices.Clone(twins), dead)); names[dead.ID] != "web2/dead-bef" || names[twins[2].ID] != "web2" {
		t.Errorf("%v", names)
	}
	if found := Findings(append(slices.Clone(twins[2:3]), dead)); Wrong(found) || len(found) != 1 || !strings.Contains(found[0].Text, "a new process") {
		t.Errorf("a node that was started again: %v", found)
	}
	names := Names(twins)
	if names[twins[0].ID] != "web1:42480" || names["other"] != "web1:42481" || names[twins[2].ID] != "web2" || names["0123456789ab"] != "10.0.0.9:42480" {
		t.Errorf("%v", names)
	}
	for text, want := range map[string]int{"web1": 2, "web1:42481": 1, "WEB2": 1, "oth": 1, "web3": 0, "": 0, "0123": 1, "10.0.0.9:42480": 1, twins[0].ID: 1} {
		if got := Find(twins, text); len(got) != want {
			t.Errorf("%q: %d nodes, want %d", text, len(got), want)
		}
	}
}

// TestFindings: each thing that can be wrong is found, and says what to do; a farm that is well has no finding.
func TestFindings(t *testing.T) {
	if found := Findings(farm(nil, "web1", "web2").Nodes); len(found) != 0 {
		t.Errorf("a farm that is well: %v", found)
	}
	status := func(do func(*api.Status)) func(*api.NodeView) { return func(n *api.NodeView) { do(&n.Node.Status) } }
	for name, c := range map[string]struct {
		change func(*api.NodeView)
		wrong  bool
		want   string
	}{
		"dead":    {func(n *api.NodeView) { n.Node, n.Health = nil, api.HealthDead }, true, "web1: It is dead"},
		"silent":  {func(n *api.NodeView) { n.Node, n.Health, n.Error = nil, api.HealthSilent, "no route" }, true, "It cannot be asked: no route. Look"},
		"left":    {func(n *api.NodeView) { n.Node, n.Health = nil, api.HealthLeaving }, false, "It is leaving"},
		"joining": {status(func(s *api.Status) { s.NotReady = []string{"joining: it has met nobody"} }), true, "not ready: it has met nobody."},
		"copies":  {status(func(s *api.Status) { s.NotReady = []string{"copies: there are too few"} }), true, "Start another node"},
		"full": {func(n *api.NodeView) {
			n.Node.Status.NotReady, n.Node.Farm.Copies.Full, n.Node.Farm.Copies.Repair.Running = []string{"copies: 54 of 120 sessions have fewer"}, 1, true
		}, true, "Raise max_memory of the other nodes"},
		"drains":     {func(n *api.NodeView) { drains(n, 7, true) }, false, "7 sessions are left."},
		"empty":      {func(n *api.NodeView) { drains(n, 0, true) }, false, "It can be stopped."},
		"no takers":  {func(n *api.NodeView) { drains(n, 1, false) }, true, "1 session is left. No other node takes them"},
		"doubtful":   {func(n *api.NodeView) { n.Node.Farm.Copies.Doubtful = true }, true, "has not been heard of"},
		"quarantine": {func(n *api.NodeView) { n.Node.Farm.Copies.Quarantine = 2 }, false, "2 states of sessions lie in quarantine"},
		"alone":      {func(n *api.NodeView) { n.Node.Farm.Links = nil }, true, "no link to any other node"},
		"memory":     {status(func(s *api.Status) { s.Sessions.Bytes = 4 << 30 }), true, "100 % of the memory"},
		"clients":    {status(func(s *api.Status) { s.Connections = api.Connections{Open: 95, Max: 100} }), true, "95 % of the connections"},
		"files":      {status(func(s *api.Status) { s.Process = api.Process{OpenFiles: 900, MaxFiles: 1000} }), true, "90 % of the file descriptors"},
		"lock":       {func(n *api.NodeView) { n.Node.Survey.Locks = []api.Lock{{Age: 130}, {Age: 500}, {Age: 3}} }, true, "2 locks have been held for more than 2m00s, the longest for 8m20s. `farmstate locks`"},
		"misses":     {status(func(s *api.Status) { s.NearMisses = map[string]int64{"app": 1} }), false, "1 request has asked"},
		"clock":      {func(n *api.NodeView) { n.Skew = -3 }, false, "by -3.0 s"},
		"version":    {status(func(s *api.Status) { s.Build.Version = "1.2.4" }), false, "different versions: 1.2.3, 1.2.4."},
	} {
		found := Findings(farm(map[string]func(*api.NodeView){"web1": c.change}, "web1", "web2").Nodes)
		if len(found) != 1 || found[0].Wrong != c.wrong || Wrong(found) != c.wrong || !strings.Contains(found[0].String(), c.want) || found[0].Do == "" && name != "drains" {
			t.Errorf("%s: %+v", name, found)
		}
	}
	both := Findings(farm(map[string]func(*api.NodeView){"web1": func(n *api.NodeView) { n.Skew = 5 }, "web2": func(n *api.NodeView) { n.Node.Farm.Links = nil }}, "web1", "web2").Nodes)
	if len(both) != 2 || both[0].Name != "web2" {
		t.Errorf("what is wrong does not come first: %v", both)
	}
}

func drains(n *api.NodeView, sessions int64, takers bool) {
	n.Health = api.HealthLeaving
	n.Node.Farm.Drain = api.Drain{Draining: true, Sessions: sessions, Takers: takers}
	n.Node.Status.NotReady = []string{"draining: it was told to drain"}
}

func TestNodeTable(t *testing.T) {
	f := farm(map[string]func(*api.NodeView){
		"web1": func(n *api.NodeView) { n.Node.Farm.Copies.Repair = api.Repair{Running: true, Looked: 43, Of: 100} },
		"web3": func(n *api.NodeView) { n.Node, n.Health = nil, api.HealthDead },
	}, "web1", "a-very-long-name-of-a-machine.example", "web3")
	got := strings.Join(NodeTable(f.Nodes, nil).Lines(term.Screen{Width: 80}), "\n")
	want := "NODE                 HEALTH  SESSIONS      MEMORY   P99  LOCKED  WAITING  COPIES\n" +
		"web1                 ok          1000  512MiB 12%  10ms       0        0  2 43%\n" +
		"a-very-long-name-o…  ok          1000  512MiB 12%  10ms       0        0  2 ok\n" +
		"web3                 dead           -           -     -       -        -  -"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// With all columns, and numbers as large as they become, names are still told apart.
	for i := range f.Nodes {
		if n := f.Nodes[i].Node; n != nil {
			n.Status.Build.Version = fmt.Sprintf("1.20.%d", i)
			n.Status.Sessions = api.Sessions{Count: 12_345_678, Bytes: 999 << 30, MaxMemory: 1 << 40, Locked: 99999, LockWaiters: 99999}
		}
		f.Nodes[i].Health = api.HealthWarning
	}
	figures := map[string]Figures{f.Nodes[0].ID: {PerSecond: 99999, P50: 250, P99: 250}}
	lines := NodeTable(f.Nodes, figures).Lines(term.Screen{Width: 80})
	for _, line := range lines {
		if term.Width(line) > 80 {
			t.Errorf("%d columns: %s", term.Width(line), line)
		}
	}
	if !strings.HasPrefix(lines[2], "a-very-…") || !strings.HasSuffix(lines[2], "1.20.1") {
		t.Errorf("\n%s", strings.Join(lines, "\n"))
	}
}

// busy is a farm with something in every panel.
func busy() *api.Nodes {
	session := func(id string) api.Session { return api.Session{App: "/LM/W3SVC/1/ROOT", Hash: "h", ID: id + "…"} }
	return farm(map[string]func(*api.NodeView){
		"web1": func(n *api.NodeView) {
			s := &n.Node.Survey
			s.Locks = []api.Lock{{Session: session("aaaaaa"), Cookie: 7, Age: 3, Client: "10.0.0.7", Waiting: 5}}
			s.Apps = []api.App{{App: "/LM/W3SVC/1/ROOT", Hash: "h", Sessions: 10, Bytes: 100, NeverRead: 1}, {App: "/LM/W3SVC/2/ROOT", Sessions: 90}}
			s.HotApps = []api.HotApp{{App: "/LM/W3SVC/1/ROOT", Hash: "h", PerSecond: 2.5}}
			s.HotSessions = []api.Hot{{Session: session("cccccc"), PerSecond: 1}}
			n.Node.Events = []event.Event{{ID: 1, Time: t0, Level: event.Info, Name: "ready", Text: "the first"}, {ID: 2, Time: t0.Add(2 * time.Second), Level: event.Warn, Name: "lock_broken", Text: "the third"}}
		},
		"web2": func(n *api.NodeView) {
			s := &n.Node.Survey
			s.Locks = []api.Lock{{Session: session("bbbbbb"), Cookie: 8, Age: 300}}
			s.Apps = []api.App{{App: "/LM/W3SVC/1/ROOT", Hash: "h", Sessions: 5, Bytes: 50, NeverRead: 2}}
			s.HotApps = []api.HotApp{{App: "/LM/W3SVC/1/ROOT", Hash: "h", PerSecond: 1}}
			s.HotSessions = []api.Hot{{Session: session("dddddd"), PerSecond: 9}}
			n.Node.Events = []event.Event{{ID: 9, Time: t0.Add(time.Second), Level: event.Error, Name: "fault", Text: "the second\x1b[2J"}}
			n.Node.Status.Sessions.Count = 5000
		},
	}, "web1", "web2")
}

func TestMerged(t *testing.T) {
	nodes := busy().Nodes
	if l := Locks(nodes); len(l) != 2 || l[0].ID != "bbbbbb…" || l[0].Node != "web2" || l[1].Cookie != 7 {
		t.Errorf("locks: %+v", l)
	}
	if a := Apps(nodes); len(a) != 2 || a[0].Sessions != 15 || a[0].PerSecond != 3.5 || a[0].NeverRead != 3 || a[1].App != "/LM/W3SVC/2/ROOT" {
		t.Errorf("applications: %+v", a)
	}
	if h := HotSessions(nodes); len(h) != 2 || h[0].ID != "dddddd…" || h[0].Node != "web2" {
		t.Errorf("sessions: %+v", h)
	}
	if e := Events(nodes); len(e) != 3 || e[0].Text != "the third" || e[2].Text != "the first" || e[1].Node != "web2" {
		t.Errorf("events: %+v", e)
	}
}

// press presses keys.
func press(t *testing.T, m Model, keys ...string) Model {
	t.Helper()
	special := map[string]rune{"tab": tea.KeyTab, "down": tea.KeyDown, "up": tea.KeyUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome}
	for _, key := range keys {
		msg := tea.KeyPressMsg{Code: []rune(key)[0], Text: key}
		if code := special[key]; code != 0 {
			msg = tea.KeyPressMsg{Code: code}
		}
		if msg.String() != key {
			t.Fatalf("the key %q is called %q", key, msg.String())
		}
		next, cmd := m.Update(msg)
		if cmd != nil {
			t.Fatalf("%s ends it", key)
		}
		m = next.(Model)
	}
	return m
}

func text(m Model) string { return m.View().Content }

func TestModel(t *testing.T) {
	asked := 0
	m := New(Options{Interval: time.Minute, Ask: func() *api.Nodes { asked++; return busy() }})
	if !strings.Contains(text(m), "being asked") || !m.View().AltScreen {
		t.Errorf("at first:\n%s", text(m))
	}
	next, cmd := m.Update(m.Init()())
	if m = next.(Model); cmd == nil || asked != 1 {
		t.Fatal("the next look is not awaited")
	}
	if got := text(m); strings.Contains(got, "req/s  p50") || !strings.Contains(got, "2 nodes: 2 ok") {
		t.Errorf("after one look:\n%s", got)
	}
	if _, cmd = m.Update(due{}); cmd == nil || asked != 1 {
		t.Fatal("no look is begun")
	}
	later := busy()
	for i := range later.Nodes {
		s := &later.Nodes[i].Node.Status
		s.Now = t0.Add(time.Second)
		s.Latency = latency(map[float64]int64{0.001: 3500, 0.01: 80, 0.1: 120})
	}
	next, _ = m.Update(looked{later})
	next, _ = next.Update(tea.WindowSizeMsg{Width: 100, Height: 40})
	m = next.(Model)
	for _, want := range []string{
		"6000 sessions  1.0GiB  0 locked  0 waiting  200 req/s  p50 100ms  p99 100ms", "web1  ok          1000  512MiB 12%    100  100ms",
		"! web2: 1 lock has been held for more than 2m00s", "bbbbbb…  /LM/W3SVC/1/ROOT  web2  -         5m00s", "/LM/W3SVC/1/ROOT    3.5        15", "dddddd…  /LM/W3SVC/1/ROOT  web2      9", "the second?[2J", keys,
	} {
		if !strings.Contains(text(m), want) {
			t.Errorf("no %q in\n%s", want, text(m))
		}
	}
	if _, cmd := m.Update(tea.KeyPressMsg{Code: 'q', Text: "q"}); cmd == nil || cmd() != tea.Quit() {
		t.Error("q does not end it")
	}
}

func TestKeys(t *testing.T) {
	next, _ := New(Options{}).With(busy()).With(busy()).Update(tea.WindowSizeMsg{Width: 80, Height: 60})
	m := next.(Model)
	before := func(m Model, a, b string) bool {
		all := text(m)
		return strings.Contains(all, a) && strings.Contains(all, b) && strings.Index(all, a) < strings.Index(all, b)
	}
	if !before(m, "\nweb1 ", "\nweb2 ") {
		t.Errorf("not by name:\n%s", text(m))
	}
	if got := press(t, m, "s", "s"); !before(got, "\nweb2 ", "\nweb1 ") || !strings.Contains(text(got), "Nodes by sessions") {
		t.Errorf("not by sessions:\n%s", text(got))
	}
	if got := press(t, m, "r"); !before(got, "\nweb2 ", "\nweb1 ") {
		t.Errorf("not reversed:\n%s", text(got))
	}
	if got := press(t, m, "tab", "s"); !before(got, "aaaaaa", "bbbbbb") || !before(m, "bbbbbb", "aaaaaa") {
		t.Errorf("locks are not by waiting:\n%s", text(got))
	}
	if got := press(t, m, "3", "s"); !before(got, "/LM/W3SVC/2/ROOT", "/LM/W3SVC/1/ROOT    ") {
		t.Errorf("applications are not by sessions:\n%s", text(got))
	}
	if got := press(t, m, "down", "down", "down"); strings.Contains(text(got), "\nweb1 ") || !strings.Contains(text(got), "(2 to 2 of 2)") {
		t.Errorf("not scrolled:\n%s", text(got))
	}
	if got := press(t, m, "down", "up", "pgdown", "home"); text(got) != text(m) {
		t.Errorf("not scrolled back:\n%s", text(got))
	}
	stopped := press(t, m, "p")
	next, _ = stopped.Update(looked{farm(nil, "web9")})
	if got := text(next.(Model)); !strings.Contains(got, " paused ") || strings.Contains(got, "web9") {
		t.Errorf("not paused:\n%s", got)
	}
	if next, _ = press(t, stopped, "p").Update(looked{farm(nil, "web9")}); !strings.Contains(text(next.(Model)), "web9") {
		t.Error("still paused")
	}
}

// TestFrameFits: whatever the farm and the window are, the picture is no larger than the window.
func TestFrameFits(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	for range 30 {
		var names []string
		change := map[string]func(*api.NodeView){}
		for i := range r.IntN(30) {
			names = append(names, fmt.Sprintf("web-日本-%d", i))
			change[names[i]] = func(n *api.NodeView) {
				switch r.IntN(4) {
				case 0:
					n.Node, n.Health = nil, api.HealthDead
				case 1:
					n.Node.Survey = api.Survey{Ready: true, Locks: slices.Repeat([]api.Lock{{Age: 1e6, Session: api.Session{App: strings.Repeat("x", 300)}}}, r.IntN(30))}
				}
			}
		}
		m := New(Options{Colours: r.IntN(2) == 0}).With(farm(change, names...))
		for range r.IntN(20) {
			m = press(t, m, []string{"tab", "s", "r", "down", "pgdown"}[r.IntN(5)])
		}
		width, height := 20+r.IntN(200), 5+r.IntN(80)
		lines := m.Frame(width, height)
		if len(lines) > height {
			t.Fatalf("%d lines in a window of %d", len(lines), height)
		}
		for _, line := range lines {
			if term.Width(line) > width {
				t.Fatalf("%d columns in a window of %d: %q", term.Width(line), width, line)
			}
		}
		if lines := m.Frame(width, 0); len(lines) > 5+panels*(mostRows+2) {
			t.Fatalf("%d lines without a window", len(lines))
		}
	}
}

// TestFocus: in a small window the chosen panel is there, and has the room.
func TestFocus(t *testing.T) {
	next, _ := New(Options{}).With(busy()).Update(tea.WindowSizeMsg{Width: 80, Height: 9})
	m := press(t, next.(Model), "5")
	if got := text(m); !strings.Contains(got, "the third") || !strings.Contains(got, "the second") {
		t.Errorf("\n%s", got)
	}
}

// output is what a program has written so far.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) has(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Contains(o.text.String(), text)
}

// TestProgram runs the view as farmstate top does, but for the terminal.
func TestProgram(t *testing.T) {
	keyboard, press := io.Pipe()
	defer press.Close()
	var out output
	p := tea.NewProgram(New(Options{Ask: busy, Interval: time.Millisecond}), tea.WithInput(keyboard), tea.WithOutput(&out), tea.WithWindowSize(80, 40),
		tea.WithoutSignalHandler(), tea.WithEnvironment([]string{"TERM=xterm", "NO_COLOR=1"}), tea.WithContext(t.Context()))
	done := make(chan error, 1)
	go func() {
		_, err := p.Run()
		done <- err
	}()
	await := func(what string) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !out.has(what); <-time.After(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("no %q:\n%q", what, out.text.String())
			}
		}
	}
	await("2 nodes")
	if _, err := io.WriteString(press, "p"); err != nil {
		t.Fatal(err)
	}
	await("paused")
	if _, err := io.WriteString(press, "q"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("q does not end it")
	}
	if out.has("\x1b[31m") || out.has("\x1b[32m") {
		t.Error("it has colours")
	}
}

func TestCopiesCell(t *testing.T) {
	for want, c := range map[string]api.Copies{
		"off":    {Copies: 1},
		"2 none": {Copies: 2},
		"3 on 2": {Copies: 3, Mirroring: true, Nodes: 2, Short: 10, ShortFor: 60},
		"2 -54":  {Copies: 2, Mirroring: true, Nodes: 2, Short: 54, ShortFor: api.Moment},
		"2 -1":   {Copies: 2, Mirroring: true, Nodes: 2, Short: 1, ShortFor: 60, Full: 1, Repair: api.Repair{Running: true}}, // it is tried again
		"2 25%":  {Copies: 2, Mirroring: true, Nodes: 2, Short: 54, ShortFor: 60, Repair: api.Repair{Running: true, Looked: 1, Of: 4}},
		"2 ok":   {Copies: 2, Mirroring: true, Short: 54, ShortFor: 1}, // an older node does not tell how many there are
	} {
		if got := copies(&c).Text; got != want {
			t.Errorf("%+v is shown as %q, want %q", c, got, want)
		}
	}
}
