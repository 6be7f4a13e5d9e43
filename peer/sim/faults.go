package sim

import (
	"slices"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/message"
)

// planFaults plans what happens to nodes and links.
func (s *Sim) planFaults() {
	plan := func(times int, f func()) {
		for range times {
			s.at(s.rand.Int64N(s.opt.BusyUntil), f)
		}
	}
	plan(s.opt.Breaks, s.breakLink)
	plan(s.opt.Partitions, s.partition)
	plan(s.opt.Crashes, s.crashOne)
	plan(s.opt.Leaves, s.leaveOne)
}

// breakLink breaks a link for a while.
func (s *Sim) breakLink() {
	a := s.rand.IntN(len(s.graph))
	if len(s.graph[a]) == 0 {
		return
	}
	s.breakBetween(a, s.graph[a][s.rand.IntN(len(s.graph[a]))])
}

// breakBetween breaks the link between two nodes, or, if they are not neighbours, whatever they have.
func (s *Sim) breakBetween(a, b int) {
	p := s.pair(a, b)
	if p.broken > 0 || p.cut {
		return
	}
	whole := s.rand.IntN(2) == 0 || !s.graph.linked(a, b) // nothing else passes either
	s.tracef("the link %d-%d breaks, whole=%v", a, b, whole)
	p.broken++
	p.cut = whole
	s.linkDown(a, b)
	s.after(s.outage(), func() {
		s.tracef("the link %d-%d is back", a, b)
		s.pair(a, b).cut = false
		s.mend(a, b)
	})
}

// mend takes away one reason for which a link is down.
func (s *Sim) mend(a, b int) {
	p := s.pair(a, b)
	if p.broken > 0 {
		p.broken--
	}
	p.epoch++
	s.linkUp(a, b)
}

// outage is how long a fault lasts: shorter than a neighbour is missed, less the time until all have taken note.
func (s *Sim) outage() int64 {
	most := int64(core.LostLife(s.opt.QueryTimeout)) - s.opt.Notice - int64(500e6)
	if s.opt.LongPartitions {
		most *= 5
	}
	if s.rand.IntN(3) == 0 {
		most /= 20
	}
	return s.rand.Int64N(most)
}

// partition cuts the farm in two for a while.
func (s *Sim) partition() {
	if s.parted {
		return
	}
	s.parted = true
	share := s.rand.Float64()
	for i := range s.side {
		s.side[i] = s.rand.Float64() < share
	}
	s.tracef("a partition: %v", s.side)
	s.eachLink(func(a, b int) {
		if s.side[a] != s.side[b] {
			s.pair(a, b).broken++
			s.linkDown(a, b)
		}
	})
	s.after(s.outage(), func() {
		s.tracef("the partition ends")
		was := append([]bool(nil), s.side...)
		clear(s.side)
		s.parted = false
		s.eachLink(func(a, b int) {
			if was[a] != was[b] {
				s.mend(a, b)
			}
		})
	})
}

func (s *Sim) eachLink(f func(a, b int)) {
	for a, others := range s.graph {
		for _, b := range others {
			if a < b {
				f(a, b)
			}
		}
	}
}

// snipe does something bad at a bad moment: while a session is moving. It returns true if the message has not been received.
func (s *Sim) snipe(from, to *node, m *message.Message) bool {
	if s.opt.Snipes <= s.sniped || s.now >= s.opt.BusyUntil || m.Kind < message.Transfer || s.rand.IntN(20) != 0 {
		return false
	}
	s.sniped++
	after := s.rand.IntN(2) * s.rand.IntN(3) * int(s.opt.Latency)
	victim := from
	if s.rand.IntN(2) == 0 {
		victim = to
	}
	switch s.rand.IntN(4) {
	case 0:
		s.breakBetween(from.place, to.place)
		return false
	case 1:
		s.after(int64(after), func() { s.leave(victim) })
		return false
	}
	if after == 0 {
		s.crashNow(victim)
		return !to.alive
	}
	s.after(int64(after), func() { s.crashNow(victim) })
	return false
}

// spare reports whether the others are connected without a node, and still are when those that are leaving have left, in whatever order.
func (s *Sim) spare(n *node) bool {
	if n == nil || !n.alive || n.joining || s.count() < 2 {
		return false
	}
	var leaving []*node
	for _, x := range s.places {
		if x != n && x.alive && x.leaving {
			leaving = append(leaving, x)
		}
	}
	if len(leaving) > 4 {
		return false
	}
	for some := range 1 << len(leaving) {
		without := func(i int) bool {
			x := s.places[i]
			at := slices.Index(leaving, x)
			return x == n || !x.alive || at >= 0 && some>>at&1 != 0
		}
		if !s.graph.connected(without) {
			return false
		}
	}
	return true
}

// dispensable picks a node that can be spared; nil if there is none.
func (s *Sim) dispensable() *node {
	at := s.rand.IntN(len(s.places))
	for i := range s.places {
		if n := s.places[(at+i)%len(s.places)]; s.spare(n) && !n.leaving {
			return n
		}
	}
	return nil
}

// count is how many nodes live and stay.
func (s *Sim) count() (n int) {
	for _, x := range s.places {
		if x != nil && x.alive && !x.leaving {
			n++
		}
	}
	return n
}

// crashOne lets a node die with all it has.
func (s *Sim) crashOne() {
	s.crashNow(s.dispensable())
}

func (s *Sim) crashNow(n *node) {
	if s.now >= s.opt.BusyUntil || !s.spare(n) {
		return
	}
	s.crashes++
	n.vanished = s.rand.IntN(4) == 0
	s.tracef("%s crashes, vanished=%v", n.name(), n.vanished)
	s.crash(n)
}

func (s *Sim) crash(n *node) {
	for _, key := range s.keys {
		if n.store.has(key) || n.core.Holds(key) {
			s.shake(key)
		}
		if n.store.look(key).State == engine.SightHere || n.store.look(key).State == engine.SightOccupied && n.store.has(key) {
			s.serves(n, key, -1)
		}
	}
	s.end(n)
}

// end ends a node, and tells the others by and by.
func (s *Sim) end(n *node) {
	n.alive = false
	s.old.Add(n.core.Counts())
	for _, r := range n.requests {
		if !r.answered {
			r.answered = true
			s.pending--
			r := r
			s.after(s.delay(), func() { r.then(answer{failed: true}) })
		}
	}
	n.requests = nil
	for _, b := range s.graph[n.place] {
		other := s.places[b]
		if other == nil || !other.alive {
			continue
		}
		s.after(s.rand.Int64N(s.opt.Notice+1), func() {
			if other.alive && s.places[n.place].id == n.id {
				other.down(n)
			}
		})
	}
	s.after(s.rand.Int64N(5e9), func() { s.restart(n.place) })
}

// restart begins a new node in the place of one that has ended.
func (s *Sim) restart(place int) {
	alive := func(i int) bool { return s.places[i] != nil && s.places[i].alive && !s.places[i].leaving }
	ok := !s.parted
	near := false
	for _, b := range s.graph[place] {
		ok = ok && s.pair(place, b).broken == 0 && !s.pair(place, b).cut
		near = near || alive(b) && !s.places[b].joining
	}
	if !ok || !near {
		s.after(200e6, func() { s.restart(place) })
		return
	}
	old := s.places[place]
	n := s.newNode(place)
	s.tracef("%s begins", n.name())
	for _, b := range s.graph[place] {
		if other := s.places[b]; other.alive {
			// Whoever dials the place of the old one finds another.
			s.after(s.delay(), func() { other.gone(old.id) })
		}
		s.linkUp(place, b)
	}
	s.after(1e9, n.endJoining)
	n.act()
}

// leaveOne lets a node hand over what it has, and stop.
func (s *Sim) leaveOne() {
	s.leave(s.dispensable())
}

func (s *Sim) leave(n *node) {
	if s.now >= s.opt.BusyUntil || !s.spare(n) || n.leaving {
		return
	}
	s.leaves++
	s.tracef("%s leaves", n.name())
	n.leaving = true
	n.closing = s.rand.IntN(2) == 0 // otherwise it takes requests until it has nothing left
	n.core.Leave(true)
	for _, b := range s.graph[n.place] {
		if other := s.places[b]; other != nil && other.alive {
			s.send(n, other.id, addrOf(b), &message.Message{Kind: message.Ping, Leaving: true, Free: n.free()})
		}
	}
	n.act()
	n.handOver(s.now)
}

// handOver hands over what there is, round by round.
func (n *node) handOver(since int64) {
	s := n.sim
	if !n.alive {
		return
	}
	for _, key := range n.store.keys() {
		room, anybody := n.core.Window(s.now)
		if room == 0 || !anybody {
			break
		}
		n.core.HandOver(s.now, key)
		n.act()
	}
	if len(n.store.keys()) == 0 {
		n.closing = true
		if n.core.Idle() && n.store.hollow() == 0 {
			s.tracef("%s has left", n.name())
			s.end(n)
			return
		}
	}
	if s.now-since > 40e9 && (!n.closing || s.now-since > 80e9) {
		s.fail("%s cannot leave: %d sessions, %+v", n.name(), len(n.store.keys()), n.core.Gauges())
	}
	s.after(10e6, func() { n.handOver(since) })
}
