package doctor

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

const (
	hour = time.Hour
	// fresh is how old an event may be that says how things are now: the throttled ones come every 10 s as long as their reason lasts.
	fresh = 2 * time.Minute
	// settle is how long a farm may take until all its links are there.
	settle = 15 * time.Second
)

func checkReadable(p *Picture, f *findings) {
	for i := range p.Nodes {
		n := &p.Nodes[i]
		switch {
		case n.Node == nil && n.Health == api.HealthDead: // checkMembers
		case n.Node == nil:
			f.add(Warning, n.label(), cmp.Or(n.Error, "It cannot be asked."), "What it knows is missing here; that it lives is known from others only.",
				"let this machine read its admin pages (option admin with an address that is reached from here, and allow with this machine), or run `farmstate doctor` there, too")
		case n.Facts == nil:
			f.add(Note, n.label(), cmp.Or(n.FactsBad, "It does not tell its settings and events.")+" It runs "+term.Clean(cmp.Or(n.Program, "another version"))+".",
				"Many checks leave this node out.", "update it")
		}
	}
}

func checkReachable(p *Picture, f *findings) {
	skipped, join := map[string][]string{}, map[string][]Probe{}
	for _, t := range p.Probes {
		where := t.Node
		switch {
		case t.Skipped != "":
			skipped[t.Skipped] = append(skipped[t.Skipped], t.Port+" of "+t.Node)
		case t.Err != "" && t.Port == "join":
			join[t.Addr] = append(join[t.Addr], t)
		case t.Err != "":
			f.add(Warning, where, fmt.Sprintf("Its %s port %s does not answer from here: %s.", t.Port, t.Addr, t.Err), portMeans[t.Port],
				"look for firewalls between this machine and that one", "if others reach it at another address, tell them so with "+cmp.Or(advertiseOption[t.Port], t.Option))
		case t.Shut && t.Port != "join":
			f.add(Note, where, fmt.Sprintf("Its %s port %s takes a connection from here and closes it at once.", t.Port, t.Addr),
				"It does not allow this machine, or something else listens there.")
		}
	}
	for _, addr := range sortedKeys(join) {
		nobodyToJoin(addr, join[addr], f)
	}
	for why, ports := range skipped {
		f.add(Note, "", "Not tried from here: "+list(ports)+". "+why, "Whether they can be reached is seen by what the nodes say of each other.")
	}
}

// nobodyToJoin tells of an address of join at which nobody answers: of the nodes that know no other, which depend on it, or of all that shall join it.
func nobodyToJoin(addr string, tried []Probe, f *findings) {
	s, means := Problem, "The node does not find its farm: sessions of the others are missing here."
	lonely := slices.DeleteFunc(slices.Clone(tried), func(t Probe) bool { return !t.Alone })
	if len(lonely) == 0 {
		s, means, lonely = Note, "The node knows others, and misses nothing for that. If it is started again while nobody answers at any address of its join, it does not find its farm.", tried
	}
	var nodes []string
	for _, t := range lonely {
		nodes = append(nodes, t.Node)
	}
	f.add(s, list(nodes), "Nobody answers at "+addr+", which the node shall join: "+lonely[0].Err+".", means,
		"start the node there, or put join right; it wants the gossip port, 42426 by default", "look for firewalls: the gossip port needs TCP and UDP")
}

var portMeans = map[string]string{
	"state":  "Web servers on this machine cannot use that node.",
	"peer":   "If other nodes cannot reach it either, sessions do not move to it, and it has no part in copies.",
	"gossip": "If other nodes cannot reach it either, they take it for dead.",
	"admin":  "It cannot be asked how it is.",
}

var advertiseOption = map[string]string{"peer": "peer_advertise", "gossip": "gossip_advertise"}

// link is a node's link to another that is up; nil if there is none. One between neighbours is preferred: others come and go.
func (n *Node) link(id string) *api.Link {
	var found *api.Link
	for i := range n.Node.Farm.Links {
		if l := &n.Node.Farm.Links[i]; l.Up && l.Node == id && (found == nil || lasting(l)) {
			found = l
		}
	}
	return found
}

// lasting reports whether a link is one that is meant to stay.
func lasting(l *api.Link) bool { return l.Purpose != "delivery" }

// member is what a node knows of another by gossip; nil if nothing.
func (n *Node) member(id string) *api.Member {
	if n.Node.Farm.Gossip == nil {
		return nil
	}
	for i := range n.Node.Farm.Gossip.Members {
		if m := &n.Node.Farm.Gossip.Members[i]; m.Node == id {
			return m
		}
	}
	return nil
}

func (n *Node) leaving() bool { return n.Node == nil || n.Node.Farm.Drain.Draining }

func checkLinks(p *Picture, f *findings) {
	live := p.live()
	for i, a := range live {
		for _, b := range live[i+1:] {
			there, back := a.link(b.ID), b.link(a.ID)
			ab, ba := there != nil, back != nil
			young := min(a.Node.Status.Uptime, b.Node.Status.Uptime) < settle.Seconds() || a.leaving() || b.leaving()
			m, k := a.member(b.ID), b.member(a.ID)
			switch {
			case ab != ba && !young:
				has, lacks, l := a, b, there
				if ba {
					has, lacks, l = b, a, back
				}
				if !lasting(l) || has.now().Sub(l.Since) < settle {
					continue // the two were not asked in the same moment
				}
				f.add(Warning, lacks.label(), fmt.Sprintf("%s has a link to this node, and this node has none to it.", has.label()),
					"One side is wrong about the other: questions and copies get lost until a link breaks and is made anew, which takes seconds.",
					"run this again; if it stays, look for a firewall or balancer between the two that cuts connections in silence")
			case !ab && !ba && m != nil && k != nil && m.State == "alive" && k.State == "alive" && !young:
				f.add(Problem, a.label()+" and "+b.label(), fmt.Sprintf("They know each other by gossip and are not linked (%s; %s).", a.ends(), b.ends()),
					"Sessions do not move between the two, and neither keeps copies for the other.",
					"let each reach the peer port of the other (TCP 42425 by default): firewalls, peer_allow, peer_advertise", "see peer-secret and peer-refused here for what they say of each other")
			}
		}
	}
	for _, n := range p.told() {
		if len(p.Nodes) == 1 && n.Node.Farm.Gossip == nil && len(n.Facts.Peers) > 0 && len(n.Node.Farm.Links) == 0 &&
			!slices.ContainsFunc(n.Facts.Peers, n.refusedAt) { // checkSecret and checkRefused have more to say
			f.add(Problem, n.label(), fmt.Sprintf("It shall be linked to %s, and has no link at all.", list(n.Facts.Peers)),
				"It works alone: sessions that are elsewhere are not found here.", "see peers, peer-secret and peer-refused here for the reason")
		}
		for _, l := range n.Node.Farm.Links {
			if l.Up && l.QueuedMessages > 1000 {
				f.add(Warning, n.label(), fmt.Sprintf("%d messages (%s) wait for the node at %s.", l.QueuedMessages, term.Bytes(int64(l.QueuedBytes)), cmp.Or(l.Addr, l.Remote)),
					"That node does not take what it is sent: moves and copies are late.", "look at its processors and network")
			}
		}
	}
}

func checkMembers(p *Picture, f *findings) {
	dead, silent := map[string][]string{}, map[string]string{}
	for _, n := range p.live() {
		if n.Node.Farm.Gossip == nil {
			continue
		}
		for _, m := range n.Node.Farm.Gossip.Members {
			if m.State == "dead" {
				dead[m.Node] = append(dead[m.Node], n.label())
				silent[m.Node] = fmt.Sprintf("%s (gossip %s) counts as dead since %s", term.Clean(cmp.Or(m.Name, m.Node[:min(8, len(m.Node))])), m.Gossip, m.Since.Format(time.DateTime))
			}
		}
		for _, other := range p.live() {
			if other != n && other.Node.Farm.Gossip != nil && other.member(n.ID) != nil && n.member(other.ID) == nil && !n.leaving() && !other.leaving() &&
				min(n.Node.Status.Uptime, other.Node.Status.Uptime) > settle.Seconds() {
				f.add(Warning, n.label(), fmt.Sprintf("%s knows this node, and this node does not know %s.", other.label(), other.label()),
					"Gossip gets through in one direction only: the one may count the other as dead.", "open the gossip port (42426 by default) for TCP and UDP in both directions")
			}
		}
		if events := n.lately("member_suspected", fresh); len(events) > 0 {
			f.add(Warning, n.label(), "It suspects a member to be dead: "+term.Clean(events[len(events)-1].Attrs["detail"]),
				"If the member does not answer in time, its sessions are taken over from copies, or are lost without copies.", "look at that machine's load and network")
		}
	}
	for _, id := range sortedKeys(dead) {
		n := p.byID(id)
		if n != nil && n.Node != nil {
			f.add(Problem, n.label(), fmt.Sprintf("It lives, but counts as dead at %s.", list(dead[id])), "Part of the farm works without it: a session may be served twice.",
				"look for what keeps gossip (UDP and TCP) from passing between them")
			continue
		}
		f.add(Warning, "", silent[id]+", as "+list(dead[id])+" says.", "With copies its sessions go on elsewhere; without, they are lost. If it was taken out of the farm, this is forgotten after an hour.",
			"start it again, or look at its machine and network")
	}
}

func checkPeers(p *Picture, f *findings) {
	for _, n := range p.told() {
		for _, addr := range n.Facts.Peers {
			if p.hasPeer(n, addr) || n.refusedAt(addr) {
				continue // checkSecret and checkRefused have more to say
			}
			for _, e := range n.lately("peer_self", 1<<62) {
				if e.Attrs["addr"] == addr {
					f.add(Warning, n.label(), "Its peer "+addr+" is the node itself.", "Nothing breaks; a link to another node may be missing.", "take it out of peer")
				}
			}
			for _, e := range n.lately("peer_unreachable", 1<<62) {
				if e.Attrs["addr"] == addr {
					f.add(Problem, n.label(), fmt.Sprintf("Its peer %s cannot be reached: %s (%s).", addr, term.Clean(e.Attrs["err"]), n.ago(e.Time)),
						"Sessions that are there are not found here, and do not move.", "start the node there, or put the address right; peer wants the peer port, 42425 by default", "look for firewalls")
					break
				}
			}
		}
		if len(n.Facts.Join) == 0 || n.Node.Farm.Gossip == nil || n.fellow() != nil {
			continue
		}
		e := n.latest("gossip_join_failed")
		if own := n.listener("gossip"); e == nil && n.Node.Status.Uptime > settle.Seconds() && own != nil &&
			slices.ContainsFunc(n.Facts.Join, func(addr string) bool { return addr != own.Bound && addr != own.Advertised }) {
			f.add(Warning, n.label(), fmt.Sprintf("It shall join %s, and knows no other node.", list(n.Facts.Join)), "It works alone: sessions of others are missing here, and nobody has copies of those that are here.",
				"start the others, or put join right: it wants the gossip port of any other node, 42426 by default")
		}
		if e != nil && !maybeSecret(e.Attrs["err"]) {
			f.add(Problem, n.label(), fmt.Sprintf("It shall join %s and cannot: %s. It is alone.", term.Clean(e.Attrs["addr"]), term.Clean(e.Attrs["err"])),
				"Sessions of the other nodes are missing here, and nobody has copies of those that are here.", "put join right: it wants the gossip port of any other node, 42426 by default", "look for firewalls: it needs TCP and UDP")
		}
	}
}

// hasLink reports whether there is a link to the node at an address.
func (n *Node) hasLink(addr string) bool {
	return slices.ContainsFunc(n.Node.Farm.Links, func(l api.Link) bool { return l.Up && (l.Addr == addr || l.Remote == addr) })
}

// hasPeer reports whether a peer of a node, whose address may have a host name, is linked, as far as can be known.
func (p *Picture) hasPeer(n *Node, addr string) bool {
	if n.hasLink(addr) {
		return true
	}
	host, port, _ := net.SplitHostPort(addr) // without a port it is no link's address
	for _, ip := range p.Resolved[host] {
		if n.hasLink(net.JoinHostPort(ip.Unmap().String(), port)) {
			return true
		}
	}
	dialled := 0
	for i := range n.Node.Farm.Links {
		if l := &n.Node.Farm.Links[i]; l.Up && l.Dialled && lasting(l) {
			dialled++
		}
	}
	return dialled >= len(n.Facts.Peers) // by other names
}

// refusedAt reports whether a handshake with the node at an address has failed of late.
func (n *Node) refusedAt(addr string) bool {
	for _, e := range n.lately("peer_refused", fresh) {
		if e.Attrs["addr"] == addr {
			return true
		}
	}
	return false
}

// fellow returns another living member of the node's farm; nil if there is none.
func (n *Node) fellow() *api.Member {
	for i := range n.Node.Farm.Gossip.Members {
		if m := &n.Node.Farm.Gossip.Members[i]; m.State != "dead" {
			return m
		}
	}
	return nil
}

// alone reports whether the node knows no other node: neither a living member nor a link.
func (n *Node) alone() bool {
	return (n.Node.Farm.Gossip == nil || n.fellow() == nil) && !slices.ContainsFunc(n.Node.Farm.Links, func(l api.Link) bool { return l.Up })
}

func checkUDP(p *Picture, f *findings) {
	for _, n := range p.told() {
		if events := n.lately("gossip_no_udp", fresh); len(events) > 0 {
			f.add(Warning, n.label(), "A member answers by TCP and not by UDP: "+term.Clean(events[len(events)-1].Attrs["detail"]),
				"News travel slowly, and a node that lives may be taken for dead.", "open the gossip port (42426 by default) for UDP as well as TCP, in both directions")
		}
		if events := n.lately("gossip_trouble", fresh); len(events) > 0 {
			f.add(Note, n.label(), fmt.Sprintf("Gossip has met with trouble %s: %s", n.ago(events[len(events)-1].Time), term.Clean(events[len(events)-1].Attrs["detail"])), "")
		}
	}
}

func checkGossipHealth(p *Picture, f *findings) {
	for _, n := range p.live() {
		g := n.Node.Farm.Gossip
		refuted := n.lately("member_refuted", hour)
		if g == nil || g.Health == 0 && len(refuted) == 0 {
			continue
		}
		what := fmt.Sprintf("It is late with its answers, or others have not answered it in time (gossip health %d; 0 is in time).", g.Health)
		s := Warning
		if len(refuted) > 0 {
			what += " Others took it for dead " + n.ago(refuted[len(refuted)-1].Time) + "."
		} else if slices.ContainsFunc(g.Members, func(m api.Member) bool { return m.State == "dead" && n.now().Sub(m.Since) < fresh }) {
			s = Note // the dead have not answered
		}
		f.add(s, n.label(), what, "If it is too late once more, others declare it dead, take its sessions over from copies, and what it was doing for users is lost or refused.",
			"look at its processors, memory, swap and network: virtual machines without enough processor time are the usual reason")
	}
}

func checkLoopback(p *Picture, f *findings) {
	if p.machines() < 2 {
		return
	}
	for _, n := range p.told() {
		for _, l := range n.Facts.Listeners {
			option := advertiseOption[l.Name]
			if option == "" || !isLoopback(l.Advertised) {
				continue
			}
			f.add(Problem, n.label(), fmt.Sprintf("It tells others to find its %s port at %s, and other nodes are on other machines.", l.Name, l.Advertised),
				"They reach themselves there instead of this node: no link, no moves, no copies.", "give "+l.Option+" or "+option+" an address that the other machines reach")
		}
	}
}

// maxSkew is how far apart clocks may be, in seconds.
const maxSkew = 2.0

func checkClock(p *Picture, f *findings) {
	live := p.live()
	first, last := live[0], live[0]
	for _, n := range live {
		if n.Skew < first.Skew {
			first = n
		}
		if n.Skew > last.Skew {
			last = n
		}
	}
	const means = "Nothing in farmstate depends on the clocks of different machines: timeouts, locks and copies are counted by each for itself. But logs and events of the nodes " +
		"cannot be put in order, and the LockDate that web servers are told is by the clock of the node that has the session."
	const do = "let a time service set the clocks: `timedatectl` shows whether one does, on Windows `w32tm /query /status`"
	if d := last.Skew - first.Skew; d > maxSkew {
		f.add(Warning, last.label()+" and "+first.label(), fmt.Sprintf("The clock of the first is %s ahead of that of the second.", term.Seconds(d)), means, do)
		return
	}
	for _, n := range live {
		if n.Skew > maxSkew || n.Skew < -maxSkew {
			word := "ahead of"
			if n.Skew < 0 {
				word = "behind"
			}
			f.add(Warning, n.label(), fmt.Sprintf("Its clock is %s %s that of this machine.", term.Seconds(max(n.Skew, -n.Skew)), word), means, do)
			return // the others are, too
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
