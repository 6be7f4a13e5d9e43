//go:build linux

package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// judge has the page's own model judge a farm that is made up: what it says at the top, and its alerts, each with its level. change is JavaScript that makes the
// nodes a, b and c, which are well and have 10 sessions each with copies, other than that.
const judge = `(async change => {
	const {prepare, sentence, alerts} = await import('/assets/model.js');
	const {History} = await import('/assets/figures.js');
	const make = (id, seconds) => ({id, name: id, health: 'ok', admin_address: '', state_address: id + ':1', peer_address: id + ':2', clock_skew_seconds: 0, self: id === 'a', node: {
		status: {
			build: {version: '1'}, node: id, now: new Date(1e12 + seconds * 1000).toISOString(), started: '2001-01-01T00:00:00Z', uptime_seconds: 1000, ready: true, not_ready: [], standalone: false,
			sessions: {count: 10, memory_bytes: 10, memory_limit_bytes: 1000, locked: 0, lock_waiters: 0, queued_requests: 0, locks_left: 0, arrived: 0, left: 0},
			connections: {open: 1, max: 2}, operations: {}, latency: {}, near_misses: {},
		},
		farm: {links: [], drain: {draining: false, sessions: 0, handed_over: 0, takers: true}, copies: {copies: 2, copied: 10, short: 0, full: 0, kept: 10, quarantine: 0, doubtful: false, mirrors: [], repair: {running: false, looked_at: 0, of: 0, made: 0}}, gossip: {health: 0, members: []}},
		survey: {age_seconds: 1, locks: []}, events: [],
	}});
	const history = new History();
	const drains = new Map();
	let nodes = [];
	for (const look of [1, 2, 3]) {
		let picture = {a: make('a', 2 * look), b: make('b', 2 * look), c: make('c', 2 * look)};
		change(picture, look);
		nodes = prepare(Object.values(picture));
		history.take(nodes, 1e12 + look * 2000);
	}
	const events = nodes.flatMap(v => (v.node?.events ?? []).map(e => ({...e, label: v.label})));
	const s = sentence(nodes, history.now(''));
	return [s.level + ': ' + s.text + ' | ' + s.more, ...alerts(nodes, history, events, 1e12 + 6000, drains).map(a => a.level + ': ' + a.text + ' | ' + a.more)];
})`

// TestModel: what the page makes of farms of all kinds.
func TestModel(t *testing.T) {
	t.Parallel()
	openBrowser(t)
	p := open(t, newFarm(t, options{nodes: 1})[0])
	for _, c := range []struct {
		name, change string
		says         []string // each is part of a line: the first of the sentence, the others of alerts; only those that begin with a level and a colon are at the beginning
		alerts       int
	}{
		{"well", ``, []string{"ok: All sessions are safe: 30 sessions, each on 2 nodes"}, 0},
		{"three copies of two nodes", `delete n.c; for (const v of Object.values(n)) v.node.farm.copies.copies = 3`, []string{"ok: All sessions are safe: 20 sessions, each on 2 nodes | Each shall be on 3"}, 0},
		{"no sessions", `for (const v of Object.values(n)) v.node.status.sessions.count = 0`, []string{"ok: The farm is well: no sessions yet, 3 nodes"}, 0},
		{"repair", `n.b.node.farm.copies.repair = {running: true, looked_at: 4, of: 8, made: 2}`, []string{"warn: Copies are being made: 4 of 8 sessions looked at, 2 copies made", "warn: Copies are being made: 50 %"}, 1},
		{"copies missing", `n.b.node.farm.copies.short = 3`, []string{"warn: Copies are being made: 3 sessions of 30 without one", "warn: 3 sessions without the copies"}, 1},
		{"a full mirror", `n.b.node.farm.copies.short = 3; n.b.node.farm.copies.full = 1`, []string{"warn: 3 sessions of 30 lack copies | Each shall be on 2 nodes, and a node has no room", "warn: 3 sessions without the copies"}, 1},
		{"too few nodes", `delete n.c; for (const v of Object.values(n)) { v.node.farm.copies.copies = 3; v.node.farm.copies.short = 10 }`, []string{"warn: 20 sessions of 20 lack copies | Each shall be on 3; start more nodes.", "warn: 20 sessions without the copies"}, 1},
		{"copies missing for a moment", `n.b.node.farm.copies.short = look === 3 ? 3 : 0`, []string{"ok: All sessions are safe"}, 0},
		{"dead", `n.c.node = null; n.c.health = 'dead'; n.a.node.farm.gossip.members = [{node: 'c', state: 'dead', since: '2001-01-01T00:00:00Z'}]`,
			[]string{"warn: A node is dead: c | No session is missing a copy: 20 sessions, each on 2 nodes", "bad: c is dead since"}, 1},
		{"dead, with repair", `n.c.node = null; n.c.health = 'dead'; n.a.node.farm.copies.repair = {running: true, looked_at: 1, of: 2, made: 1}`,
			[]string{"bad: A node is dead: c | Copies of its sessions are being made: 1 of 2 sessions", "bad: c is dead", "warn: Copies are being made"}, 2},
		{"two dead", `for (const v of [n.b, n.c]) { v.node = null; v.health = 'dead'; }`, []string{"bad: 2 nodes are dead: b, c | 10 sessions on the one node that is left", "bad: b is dead", "bad: c is dead"}, 2},
		{"dead without copies", `n.c.node = null; n.c.health = 'dead'; for (const v of [n.a, n.b]) v.node.farm.copies.copies = 0`, []string{"bad: A node is dead: c | Its sessions are lost"}, 1},
		{"dead and back under another id", `n.d = {...n.c, id: 'd', health: 'dead', node: null}`, []string{"ok: All sessions are safe: 30 sessions"}, 0},
		{"silent", `n.c.node = null; n.c.health = 'silent'; n.c.error = 'connection refused'`, []string{"warn: A node does not answer: c", "warn: c does not answer | connection refused"}, 1},
		{"alone", `delete n.b; delete n.c`, []string{"bad: This node is alone: 10 sessions, and nobody to take copies"}, 0},
		{"standalone", `delete n.b; delete n.c; n.a.node.farm.copies.copies = 0; n.a.node.status.standalone = true`, []string{"info: This node is alone: 10 sessions | It runs with standalone"}, 0},
		{"without copies", `for (const v of Object.values(n)) v.node.farm.copies.copies = 0`, []string{"info: 30 sessions on 3 nodes, without copies"}, 0},
		{"leaving", `n.c.health = 'leaving'; n.c.node.farm.drain = {draining: true, sessions: 5, handed_over: 5, takers: true}; n.c.node.status.not_ready = ['draining: it was told to']`,
			[]string{"info: A node is leaving: c | 5 sessions left", "info: c is draining: 5 sessions left"}, 1},
		{"leaving, and nobody takes", `n.c.health = 'leaving'; n.c.node.farm.drain = {draining: true, sessions: 5, handed_over: 5, takers: false}`, []string{"info: A node is leaving", "warn: c is draining: 5 sessions left | No other node takes them"}, 1},
		{"not ready", `n.b.health = 'warning'; n.b.node.status.not_ready = ['joining: it has not met any']`, []string{"ok:", "warn: b is not ready | joining: it has not met any"}, 1},
		{"memory", `n.b.node.status.sessions.memory_bytes = 900; n.c.node.status.sessions.memory_bytes = 990`, []string{"ok:", "bad: The memory of c is 99 % full", "warn: The memory of b is 90 % full"}, 2},
		{"refused saves", `n.b.node.status.operations = {set: {ok: 7, refused: 100 + look}}`, []string{"ok:", "bad: b has refused 2 saves"}, 1},
		{"refused saves long ago", `n.b.node.status.operations = {set: {ok: 7, refused: 100}}`, []string{"ok:"}, 0},
		{"locks", `n.b.node.survey.locks = [{age_seconds: 300, session: 'abcdef', application: '/x', waiting: 0}, {age_seconds: 111}, {age_seconds: 50}]`, []string{"ok:", "warn: 2 locks held for more than 110 s | The longest for 5 min: session abcdef of /x on b"}, 1},
		{"versions", `n.b.node.status.build.version = '2'`, []string{"ok:", "info: The nodes run 2 versions | 1, 2"}, 1},
		{"clocks", `n.b.clock_skew_seconds = 1.5; n.c.clock_skew_seconds = -90`, []string{"ok:", "warn: The clock of c is 90 s behind"}, 1},
		{"no link", `n.a.node.farm.gossip.members = [{node: 'b', state: 'alive', linked: true}, {node: 'c', state: 'alive', linked: false}]`, []string{"ok:", "warn: a has no link to 1 node | c:"}, 1},
		{"quarantine", `n.b.node.farm.copies.quarantine = 2`, []string{"ok:", "warn: 2 states in the quarantine of b"}, 1},
		{"near miss", `n.b.node.events = [{id: 1, time: new Date(1e12).toISOString(), level: 'warn', event: 'near_miss', text: '', attrs: {asked: '/2(h)', found: '/1(h)', because: 'site ids differ', advice: 'give them the same'}}]`,
			[]string{"ok:", "asked for under /2, lives under /1; site ids differ. To do: give them the same."}, 1},
		{"save refused", `n.b.node.events = [{id: 1, time: new Date(1e12).toISOString(), level: 'warn', event: 'save_refused', text: '', attrs: {application: '/x', advice: 'raise it'}}]`, []string{"ok:", "bad: A save was refused for want of memory"}, 1},
		{"old news", `n.b.node.events = [{id: 1, time: new Date(1e12 - 1e6).toISOString(), level: 'warn', event: 'near_miss', text: '', attrs: {}}]`, []string{"ok:"}, 0},
		{"names", `n.b.name = n.a.name = 'web'; n.c.node = null; n.c.health = 'silent'`, []string{"warn: A node does not answer: c"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var lines []string
			p.do(chromedp.Evaluate(judge+`((n, look) => {`+c.change+`})`, &lines, func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }))
			if len(lines) != 1+c.alerts {
				t.Errorf("%d alerts, want %d:\n%s", len(lines)-1, c.alerts, strings.Join(lines, "\n"))
			}
			for i, part := range c.says {
				if i >= len(lines) || !strings.Contains(lines[i], part) {
					t.Errorf("line %d shall have %q:\n%s", i, part, strings.Join(lines, "\n"))
				}
			}
		})
	}
}
