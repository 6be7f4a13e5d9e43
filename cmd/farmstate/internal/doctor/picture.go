package doctor

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/webconfig"
)

// Picture is all that is known, and what the checks judge. Never changed once it is made.
type Picture struct {
	Now      time.Time
	Admin    string // address of the admin pages that were asked first
	Down     string // why no node answers there; empty if one does
	Whole    bool   // a token was given, and it was right
	Farm     bool   // all nodes were asked, not only one
	Name     string // of this machine
	System   string // GOOS of this machine
	Nodes    []Node // the one that was asked first comes first
	Probes   []Probe
	Ports    []PortTry // of this machine; only if no node answers
	Host     api.Host  // this machine
	Config   *config.Config
	Problems []string // why Config is nil
	Web      []*webconfig.File
	WebBad   []webconfig.SyntaxError
	// Resolved has the addresses of the host names of connection strings and peers; nil for names that are not known here.
	Resolved map[string][]netip.Addr
}

// Node is one node of the farm.
type Node struct {
	api.NodeView
	Earlier  *api.Node  // what it said of itself some time before; nil if there was no reason to ask twice
	Facts    *api.Facts // nil if it has none, as versions before this one
	FactsBad string     // why Facts is nil
}

// Probe is an attempt to connect to a port of a node from here.
type Probe struct {
	Node    string // its label
	Port    string // state, peer, gossip, admin, join
	Option  string
	Addr    string
	Err     string // empty: it was accepted
	Shut    bool   // it was accepted, and closed at once
	Skipped string // why it was not tried
	Alone   bool   // of join: the node knows no other node, so that it depends on this one
}

// PortTry is an attempt to open a port of the configuration here.
type PortTry struct {
	Option string
	Addr   string
	Err    string // with what to do; empty: it can be opened
	Taken  bool   // somebody else has it
	Owner  string // who; empty if that is not known
}

// about says in a line what was looked at.
func (p *Picture) about() string {
	switch {
	case p.Down != "":
		return "this machine (" + p.Name + "); no node answers at " + p.Admin
	case p.Farm && len(p.Nodes) > 1:
		return fmt.Sprintf("%s and its farm of %d nodes", p.Nodes[0].label(), len(p.Nodes))
	}
	return p.Nodes[0].label()
}

// label is what a node is called in findings.
func (n *Node) label() string {
	name := term.Clean(cmp.Or(n.Name, n.ID[:min(len(n.ID), 8)]))
	if n.Admin == "" {
		return name
	}
	if name == "" {
		return n.Admin
	}
	return name + " (" + n.Admin + ")"
}

// live are the nodes that answer.
func (p *Picture) live() (all []*Node) {
	for i := range p.Nodes {
		if p.Nodes[i].Node != nil {
			all = append(all, &p.Nodes[i])
		}
	}
	return all
}

// told are the nodes that have told their facts.
func (p *Picture) told() (all []*Node) {
	for _, n := range p.live() {
		if n.Facts != nil {
			all = append(all, n)
		}
	}
	return all
}

// byID finds a node; nil if it is not known.
func (p *Picture) byID(id string) *Node {
	for i := range p.Nodes {
		if p.Nodes[i].ID == id {
			return &p.Nodes[i]
		}
	}
	return nil
}

// machines is on how many machines the nodes are, as far as their names tell.
func (p *Picture) machines() int {
	names := map[string]bool{}
	for _, n := range p.Nodes {
		if n.Name != "" {
			names[n.Name] = true
		}
	}
	return len(names)
}

// now is the time by the node's own clock.
func (n *Node) now() time.Time { return n.Node.Status.Now }

// lately are the events of a node with a name that are at most so old, the oldest first.
func (n *Node) lately(name string, age time.Duration) (all []event.Event) {
	if n.Facts == nil {
		return nil
	}
	for _, e := range n.Facts.Events {
		if e.Name == name && n.now().Sub(e.Time) <= age {
			all = append(all, e)
		}
	}
	return all
}

// latest is the last event of a node with a name; nil if there is none.
func (n *Node) latest(name string) *event.Event {
	all := n.lately(name, 1<<62)
	if len(all) == 0 {
		return nil
	}
	return &all[len(all)-1]
}

// setting is the value of an option at a node; empty if it is not known.
func (n *Node) setting(name string) string {
	if n.Facts == nil {
		return ""
	}
	return n.Facts.Settings[name]
}

// span is a setting that is a duration.
func (n *Node) span(name string, otherwise time.Duration) time.Duration {
	d, err := time.ParseDuration(n.setting(name))
	if err != nil {
		return otherwise
	}
	return d
}

// listener is a port of a node; nil if it has none by this name.
func (n *Node) listener(name string) *api.Listener {
	if n.Facts == nil {
		return nil
	}
	for i := range n.Facts.Listeners {
		if n.Facts.Listeners[i].Name == name {
			return &n.Facts.Listeners[i]
		}
	}
	return nil
}

// ends names the addresses of a node's two ports for other nodes.
func (n *Node) ends() string {
	var all []string
	if l := n.listener("peer"); l != nil {
		all = append(all, "peer "+l.Bound)
	}
	if l := n.listener("gossip"); l != nil {
		all = append(all, "gossip "+l.Bound)
	}
	return strings.Join(all, ", ")
}

// ago says when something was, by the node's clock.
func (n *Node) ago(t time.Time) string { return since(n.now().Sub(t)) }

func since(d time.Duration) string {
	if d < time.Second {
		return "just now"
	}
	return term.Seconds(d.Seconds()) + " ago"
}

// hostOf is the host of an address; empty if it has none.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	return host
}

// portOf is the port of an address; 0 if it has none.
func portOf(addr string) uint16 {
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		return 0
	}
	var port uint16
	if _, err := fmt.Sscanf(text, "%d", &port); err != nil {
		return 0
	}
	return port
}

// isLoopback reports whether an address leads to the machine of whoever uses it.
func isLoopback(addr string) bool {
	host := hostOf(addr)
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// allowed reports whether one of the networks has an address.
func allowed(nets []string, ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return ip.IsLoopback() || slices.ContainsFunc(nets, func(text string) bool {
		p, err := netip.ParsePrefix(text)
		return err == nil && p.Contains(ip)
	})
}

// list names things, the first few of them.
func list(names []string) string {
	const most = 8
	if n := len(names) - most; n > 0 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(names, ", ")
}
