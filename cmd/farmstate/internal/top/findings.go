package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

// Finding is something that an operator should know of a farm.
type Finding struct {
	Node  string `json:"node,omitempty"` // its id; empty if it is about the farm
	Name  string `json:"name,omitempty"`
	Wrong bool   `json:"wrong"` // or else only worth knowing
	Text  string `json:"text"`  // what is the matter
	Do    string `json:"do,omitempty"`
}

// String is the finding as sentences.
func (f Finding) String() string {
	text := f.Text
	if f.Name != "" {
		text = f.Name + ": " + text
	}
	if f.Do != "" {
		text += " " + f.Do
	}
	return text
}

const (
	// StuckLock is the age from which a held lock is a finding: ASP.NET ends a page after 110 seconds unless it is told otherwise, and nothing should hold a
	// session for longer.
	StuckLock = 2 * time.Minute
	// fullShare of a limit is a finding.
	fullShare = 0.9
	// clockSkew between nodes that is worth knowing.
	clockSkew = 2 * time.Second
)

// Findings looks for all that is wrong or worth knowing; what is wrong comes first.
func Findings(nodes []api.NodeView) []Finding {
	var all []Finding
	names := Names(nodes)
	for i := range nodes {
		n := &nodes[i]
		found := ofNode(n, len(nodes) > 1)
		if n.Health == api.HealthDead && replaced(n, nodes) {
			found = []Finding{{Text: "It has ended, and a new process runs at its address.", Do: "Nothing is to be done; the others forget it by and by."}}
		}
		for _, f := range found {
			f.Node, f.Name = n.ID, names[n.ID]
			if f.Name == "" {
				f.Name = n.Admin
			}
			all = append(all, f)
		}
	}
	if versions := versions(nodes); len(versions) > 1 {
		all = append(all, Finding{Text: "The nodes run different versions: " + strings.Join(versions, ", ") + ".", Do: "That is fine during an upgrade."})
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		switch {
		case a.Wrong == b.Wrong:
			return 0
		case a.Wrong:
			return -1
		}
		return 1
	})
	return all
}

// replaced reports whether another node lives at the address of one that is dead: a node has a new id each time it is started.
func replaced(dead *api.NodeView, nodes []api.NodeView) bool {
	return slices.ContainsFunc(nodes, func(n api.NodeView) bool {
		return n.Health != api.HealthDead && (dead.Admin != "" && n.Admin == dead.Admin || dead.Peer != "" && n.Peer == dead.Peer)
	})
}

// versions are those that nodes run, each once.
func versions(nodes []api.NodeView) []string {
	var all []string
	for i := range nodes {
		if n := nodes[i].Node; n != nil {
			all = append(all, n.Status.Build.Version)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ofNode is what is to be said of one node.
func ofNode(n *api.NodeView, others bool) []Finding {
	wrong := func(text, do string) Finding { return Finding{Wrong: true, Text: text, Do: do} }
	if n.Node == nil {
		switch n.Health {
		case api.HealthDead:
			return []Finding{wrong("It is dead: no other node hears of it.", "Start it, or look at its machine and the network. If it was taken away on purpose, the others forget it by and by.")}
		case api.HealthLeaving:
			return []Finding{{Text: "It is leaving, and its admin pages cannot be read any more.", Do: "Nothing is to be done."}}
		}
		return []Finding{wrong("It cannot be asked: "+n.Error+".", "Look whether it runs, and at what stands between.")}
	}
	s, c := &n.Node.Status, &n.Node.Farm.Copies
	var all []Finding
	for _, reason := range s.NotReady {
		all = append(all, notReady(reason, n))
	}
	if c.Copies > 1 && c.Doubtful {
		all = append(all, wrong("A node that keeps copies for it has not been heard of for a while, and is asked before sessions are read; requests wait for that.", "Look at the network, and at the other nodes."))
	}
	if c.Quarantine > 0 {
		all = append(all, Finding{Text: term.Plural(c.Quarantine, "state of a session lies", "states of sessions lie") + " in quarantine: two parts of the farm have changed the same session.", Do: "See docs/copies.md for what can be done with them."})
	}
	if others && !s.Standalone && !slices.ContainsFunc(n.Node.Farm.Links, func(l api.Link) bool { return l.Up }) {
		all = append(all, wrong("It has no link to any other node.", "Look at its options peer and join, the secret, and the firewall on the way to the others' peer ports."))
	}
	all = append(all, limits(s)...)
	if locks := slices.DeleteFunc(slices.Clone(n.Node.Survey.Locks), func(l api.Lock) bool { return l.Age < StuckLock.Seconds() }); len(locks) > 0 {
		oldest := slices.MaxFunc(locks, func(a, b api.Lock) int { return int(a.Age - b.Age) })
		all = append(all, wrong(fmt.Sprintf("%s been held for more than %s, the longest for %s.", term.Plural(len(locks), "lock has", "locks have"), term.Seconds(StuckLock.Seconds()), term.Seconds(oldest.Age)),
			"`farmstate locks` shows by whom; `farmstate unlock` breaks one."))
	}
	var misses int64
	for _, count := range s.NearMisses {
		misses += count
	}
	if misses > 0 {
		all = append(all, Finding{Text: term.Plural(misses, "request has", "requests have") + " asked for a session that exists under a key which differs a little: web servers that disagree on the application's id or hash.",
			Do: "The page /api/v1/near-misses of its admin port shows them."})
	}
	if n.Skew > clockSkew.Seconds() || n.Skew < -clockSkew.Seconds() {
		all = append(all, Finding{Text: fmt.Sprintf("Its clock differs from the one here by %.1f s.", n.Skew), Do: "Events will not be in order. Let the machines keep time (NTP)."})
	}
	return all
}

// notReady makes a finding of a reason why a node is not ready, such as "copies: ...".
func notReady(reason string, n *api.NodeView) Finding {
	name, text, _ := strings.Cut(reason, ": ")
	f := Finding{Wrong: true, Text: "It is not ready: " + text + "."}
	d := &n.Node.Farm.Drain
	switch name {
	case "draining", "stopping":
		f.Wrong = d.Sessions > 0 && !d.Takers
		f.Text += " " + term.Plural(d.Sessions, "session is", "sessions are") + " left."
		switch {
		case f.Wrong:
			f.Do = "No other node takes them: link it to one, or end the drain with `farmstate drain --stop`."
		case d.Sessions == 0 && name == "draining":
			f.Do = "It can be stopped."
		}
	case "joining":
		f.Do = "If it stays so, look at its option join and at the way to those nodes' gossip ports (TCP and UDP)."
	case "copies":
		switch c := &n.Node.Farm.Copies; {
		case c.Full > 0:
			f.Do = "Raise max_memory of the other nodes, or add a node: if this one dies, those sessions are lost."
		case c.Repair.Running:
			f.Do = "Wait until that is done before another node is stopped."
		default:
			f.Do = "Start another node, or link one."
		}
	}
	return f
}

// limits finds what is nearly full.
func limits(s *api.Status) []Finding {
	var all []Finding
	for _, l := range []struct {
		used, limit int64
		what, do    string
	}{
		{s.Sessions.Bytes, s.Sessions.MaxMemory, "the memory for sessions (max_memory)", "Add a node, raise the limit, or look for large sessions with `farmstate top`: when it is full, saves are refused."},
		{s.Connections.Open, s.Connections.Max, "the connections (max_connections)", "Raise the limit, or look who opens so many."},
		{s.Process.OpenFiles, s.Process.MaxFiles, "the file descriptors of the process", "Raise the limit: LimitNOFILE of the systemd unit, or ulimit -n."},
	} {
		if l.limit > 0 && float64(l.used) >= fullShare*float64(l.limit) {
			all = append(all, Finding{Wrong: true, Text: fmt.Sprintf("%.0f %% of %s are in use.", 100*float64(l.used)/float64(l.limit), l.what), Do: l.do})
		}
	}
	return all
}

// Wrong reports whether anything is.
func Wrong(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.Wrong })
}
