package sim

import (
	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// pair is the way between two places, neighbours or not.
type pair struct {
	cut     bool  // nothing passes, not even a delivery
	broken  int   // reasons for which the link between neighbours is down
	epoch   int   // counts breaks and mends, so that news that have been overtaken are not told
	brokeAt int64 // when connections for deliveries were last lost
}

func (s *Sim) pair(a, b int) *pair {
	if a > b {
		a, b = b, a
	}
	return &s.pairs[a*len(s.places)+b]
}

// passes reports whether anything gets from one place to another.
func (s *Sim) passes(a, b int) bool { return !s.pair(a, b).cut && s.side[a] == s.side[b] }

// linked reports whether there is a link between two neighbours.
func (s *Sim) linked(a, b int) bool {
	return s.graph.linked(a, b) && s.pair(a, b).broken == 0 && s.passes(a, b)
}

// dialled names a connection for deliveries.
type dialled struct{ a, b message.Node }

// send carries a message, or loses it.
func (s *Sim) send(from *node, to message.Node, addr string, m *message.Message) {
	if s.building && m.Kind == message.Around && len(from.ups) < len(s.graph[from.place]) {
		return // the latest list will do: a full mesh of 256 would begin with 16 million
	}
	s.sent++
	dest := s.byNode[to]
	if s.traces() {
		s.tracef("%s -> %s %s", from.name(), s.nameOf(to), describe(m))
	}
	s.countMessage(m)
	if dest == nil {
		s.fail("a message to a node that never was")
		return
	}
	linked := s.graph.linked(from.place, dest.place) && s.pair(from.place, dest.place).broken == 0
	if !s.passes(from.place, dest.place) {
		return
	}
	if !dest.alive {
		// Whoever dials finds that nobody, or somebody else, is there. Unless the whole machine has gone: then nothing is heard of it.
		if (addr != "" || s.graph.linked(from.place, dest.place)) && (!dest.vanished || s.places[dest.place] != dest) {
			s.after(s.delay(), func() { from.gone(to) })
		}
		return
	}
	if !linked && !s.dial(from, dest, addr) {
		return
	}
	s.post(from, dest, m)
	if s.chance(s.opt.Repeats) {
		s.post(from, dest, m)
	}
}

// dial makes sure that there is a connection for deliveries.
func (s *Sim) dial(from, to *node, addr string) bool {
	name := dialled{from.id, to.id}
	if from.place > to.place {
		name = dialled{to.id, from.id}
	}
	if made, ok := s.dials[name]; ok && made > s.pair(from.place, to.place).brokeAt {
		return true
	}
	if addr == "" {
		return false
	}
	s.dials[name] = s.now
	return true
}

// post delivers one copy of a message, some time.
func (s *Sim) post(from, to *node, m *message.Message) {
	if s.chance(s.opt.Loss) {
		return
	}
	c := s.copy(m)
	s.flying++
	s.after(s.delay(), func() {
		s.flying--
		if !to.alive || to.ended[from.id] || !s.passes(from.place, to.place) {
			return
		}
		to.receive(from, c)
	})
}

// copy is what arrives: by way of the wire, in some farms.
func (s *Sim) copy(m *message.Message) *message.Message {
	if !s.opt.Wire {
		c := *m
		return &c
	}
	c := new(message.Message)
	head := message.Append(nil, m)
	n, length, fault := message.Parse(head, &message.Limits{MaxHead: message.MaxHead, MaxBody: 1 << 20}, c)
	if fault != message.OK || n != len(head) || length != len(m.Body()) {
		s.fail("%s cannot be parsed: %s %s", describe(m), fault, fault.Where())
	}
	c.Parcel.Body = m.Parcel.Body
	return c
}

// delay is how long the next message, or piece of news, is under way.
func (s *Sim) delay() int64 {
	if s.opt.Steady {
		return s.opt.Latency
	}
	d := s.opt.Latency/2 + s.rand.Int64N(s.opt.Latency+1)
	if s.chance(s.opt.Late) {
		d += s.rand.Int64N(s.opt.LateMost + 1)
	}
	return d
}

func (s *Sim) chance(p float64) bool { return p > 0 && s.rand.Float64() < p }

// linkUp tells both ends that there is a link.
func (s *Sim) linkUp(a, b int) {
	x, y := s.places[a], s.places[b]
	epoch := s.pair(a, b).epoch
	tell := func(n, other *node) {
		s.after(s.rand.Int64N(2*s.opt.Latency+1), func() {
			if n.alive && other.alive && s.pair(a, b).epoch == epoch && s.linked(a, b) {
				n.up(other)
			}
		})
	}
	if x.alive && y.alive && s.linked(a, b) {
		tell(x, y)
		tell(y, x)
	}
}

// linkDown tells both ends, not at the same time, that there is none.
func (s *Sim) linkDown(a, b int) {
	p := s.pair(a, b)
	p.epoch++
	p.brokeAt = s.now
	epoch := p.epoch
	x, y := s.places[a], s.places[b]
	tell := func(n, other *node) {
		s.after(s.rand.Int64N(s.opt.Notice+1), func() {
			if n.alive && p.epoch == epoch {
				n.down(other)
			}
		})
	}
	tell(x, y)
	tell(y, x)
}

// receive takes in a message.
func (n *node) receive(from *node, m *message.Message) {
	s := n.sim
	if from.alive && !n.ups[from.id] && s.linked(n.place, from.place) {
		n.up(from) // a link is known here before what comes over it
	}
	if s.traces() {
		s.tracef("%s <- %s %s", n.name(), from.name(), describe(m))
	}
	if s.snipe(from, n, m) {
		return
	}
	var sight engine.Sight
	if m.Kind == message.Transfer && s.chance(s.opt.Full) {
		m.NoRoom, m.Parcel.Body = true, nil
	}
	if m.Kind == message.Transfer {
		sight = n.store.look(m.Key)
		if s.traces() {
			s.tracef("%s sees %s %d.%d", n.name(), sight.State, sight.Gen, sight.Version)
		}
	}
	n.core.Step(s.now, from.id, m, sight)
	n.act()
}
