package doctor

import (
	"fmt"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

// others is how many other living nodes a node knows of.
func (p *Picture) others(n *Node) int {
	known := map[string]bool{}
	for _, l := range n.Node.Farm.Links {
		if l.Up {
			known[l.Node] = true
		}
	}
	if g := n.Node.Farm.Gossip; g != nil {
		for _, m := range g.Members {
			if m.State == "alive" {
				known[m.Node] = true
			}
		}
	}
	delete(known, n.ID)
	return len(known)
}

func checkCopies(p *Picture, f *findings) {
	for _, n := range p.live() {
		c := n.Node.Farm.Copies
		others := p.others(n)
		switch {
		case c.Copies < 2 && others > 0 && !n.Node.Farm.Standalone:
			f.add(Note, n.label(), "No copies are made (copies = 1).", "When the node dies, its sessions are lost, although there are other nodes.", "set copies to 2 on all nodes")
			continue
		case c.Copies < 2:
			continue
		case !c.Mirroring && others > 0:
			f.add(Problem, n.label(), fmt.Sprintf("Sessions shall have %d copies, and none of the %s takes any.", c.Copies, term.Plural(others, "other node", "other nodes")),
				"When this node dies, its sessions are lost.", "see whether the others drain, are full (memory-full) or are not linked (links)")
			continue
		case !c.Mirroring:
			f.add(Warning, n.label(), fmt.Sprintf("Sessions shall have %d copies, and this node knows of no other.", c.Copies), "When it dies, its sessions are lost.",
				"start another node, or see members, peers and peer-secret here for why it knows none")
			continue
		case others+1 < c.Copies:
			f.add(Warning, n.label(), fmt.Sprintf("Sessions shall have %d copies, and there are %s.", c.Copies, term.Plural(others+1, "node", "nodes")),
				"Fewer deaths are survived than was asked for.", "start more nodes, or lower copies")
		}
		if others+1 >= c.Copies && c.Short > 0 && c.ShortFor >= api.Moment && (c.Full > 0 || !c.Repair.Running) {
			what := fmt.Sprintf("%d of %d sessions have fewer than %d copies", c.Short, n.Node.Status.Sessions.Count, c.Copies)
			if c.Full > 0 {
				what += fmt.Sprintf(", and %s no room for more", term.Plural(c.Full, "other node has", "other nodes have"))
			}
			f.add(Warning, n.label(), what+".", "When the node dies, these may be lost.",
				"see whether other nodes are short of memory (memory-full), and raise their max_memory or add a node", "`curl http://"+n.Admin+"/api/v1/farm` shows the mirrors")
		}
		for _, m := range c.Mirrors {
			if !m.Linked && m.Updates > 0 {
				f.add(Warning, n.label(), fmt.Sprintf("%d updates of copies (%s) wait for the node %.8s, which is not linked.", m.Updates, term.Bytes(int64(m.Bytes)), m.Node),
					"With ack = \"all\" the requests of these sessions wait, too.", "see links, members and peer-refused here")
			}
		}
		if c.Doubtful {
			f.add(Warning, n.label(), "A mirror is silent, so that its copies are in doubt.", "Reads ask the mirrors first, which takes a round trip each.", "look at the processors and the network of the other nodes")
		}
		if len(n.lately("copy_refused", hour)) > 0 {
			f.add(Warning, n.label(), "In the last hour another node had no memory for copies from here.", "Until a node has room, sessions have too few copies.", "raise max_memory of the other nodes")
		}
	}
}

func checkRepair(p *Picture, f *findings) {
	for _, n := range p.live() {
		r := n.Node.Farm.Copies.Repair
		if !r.Running {
			continue
		}
		what := fmt.Sprintf("Missing copies are being made: %d of %d sessions looked at, %d copies made (%s) in %s.", r.Looked, r.Of, r.Made, term.Bytes(r.Bytes), term.Seconds(r.Seconds))
		if e := n.Earlier; e != nil && e.Farm.Copies.Repair.Running && e.Farm.Copies.Repair.Looked == r.Looked && e.Farm.Copies.Repair.Made == r.Made && e.Farm.Copies.Repair.Bytes == r.Bytes {
			f.add(Warning, n.label(), what+" Nothing has happened since "+since(n.now().Sub(e.Status.Now))+".", "Until it is done, the death of another node may lose sessions.",
				"see whether a node is overloaded or its link is slow (links, gossip-health), and repair_rate")
			continue
		}
		f.add(Note, n.label(), what, "Until it is done, the death of another node may lose sessions.", "wait before you stop another node")
	}
}

func checkAck(p *Picture, f *findings) {
	for _, n := range p.live() {
		c := n.Node.Farm.Copies
		switch {
		case c.Copies < 2:
		case c.Ack == "none":
			f.add(Note, n.label(), `Changes are answered before their copies are made (ack = "none").`, "The last moments before the death of a node may be lost, and a lock may be given out twice.",
				`set ack to "all", unless speed is worth that`)
		case c.Ack == "one" && c.Copies > 2:
			f.add(Note, n.label(), fmt.Sprintf(`Changes are answered when the first of %d copies is made (ack = "one").`, c.Copies-1), "The death of two nodes at once may lose the last moments.", `set ack to "all", unless speed is worth that`)
		}
	}
}

func checkQuarantine(p *Picture, f *findings) {
	for _, n := range p.live() {
		if count := n.Node.Farm.Copies.Quarantine; count > 0 {
			f.add(Warning, n.label(), fmt.Sprintf("%s in the quarantine.", term.Plural(count, "state of a session is", "states of sessions are")),
				"Two parts of the farm have worked without each other, and users have saved to both. The newer state stayed; the other is kept here.",
				"look at them: `curl http://"+n.Admin+"/api/v1/quarantine`", "find out what parted the farm: members, gossip-health, and the log around that time")
		}
	}
}

func checkSnapshots(p *Picture, f *findings) {
	for _, n := range p.told() {
		s := n.Facts.Snapshots
		switch {
		case s != nil && s.LastError != "":
			f.add(Problem, n.label(), fmt.Sprintf("Snapshots cannot be written (%s): %s", term.Plural(s.Failures, "failure", "failures"), term.Clean(s.LastError)),
				"At a stop sessions are lost that no other node takes.", "put that right, and try: `curl -X POST -H \"X-Farmstate-Action: snapshot\" -H \"Authorization: Bearer TOKEN\" http://"+n.Admin+"/api/v1/snapshot`")
		case s == nil && p.others(n) == 0:
			f.add(Note, n.label(), "The node is alone, and data is not set.", "When it stops or dies, all sessions are lost, as with Microsoft's service.",
				"set data (--data DIR), and snapshot_interval for crashes", "or run a second node, which has copies")
		case s != nil && s.Interval == 0 && p.others(n) == 0:
			f.add(Note, n.label(), "The node is alone, and writes its sessions at a stop only.", "When it crashes, they are lost.", "set snapshot_interval, or run a second node")
		}
	}
}
