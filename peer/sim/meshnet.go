package sim

import (
	"time"

	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/message"
)

// conn is a link between two nodes. What is sent over it arrives in order, unless the farm is jumbled, and only at an end that has taken note that there is a link,
// and has not taken note that there is none any more.
type conn struct {
	ends [2]*mate // the one with the lower place first
	open [2]bool  // the end knows of it
	shut [2]bool  // the end knows that it has gone
	dead bool     // it carries nothing any more
	last [2]int64 // when the latest message to an end arrives
	held [2][]func()
}

// cut is a way from one place to another on which nothing passes.
type cut struct {
	n     int   // reasons for which it is cut
	since int64 // when it was cut
}

func (s *mesh) at2(a, b int) int { return a*len(s.mates) + b }

func (s *mesh) conn(a, b int) **conn {
	if a > b {
		a, b = b, a
	}
	return &s.conns[s.at2(a, b)]
}

// passes reports whether anything gets from one place to another.
func (s *mesh) passes(a, b int) bool { return s.cuts[s.at2(a, b)].n == 0 }

func (c *conn) end(n *mate) int {
	if c.ends[1] == n {
		return 1
	}
	return 0
}

// redial is how often it is tried to make a link that is missing.
const redial = int64(150e6)

// keepConnected makes the link between two places whenever there can be one.
func (s *mesh) keepConnected(a, b int) {
	x, y := s.mates[a], s.mates[b]
	p := s.conn(a, b)
	if *p == nil && x.alive && y.alive && !x.frozen && !y.frozen && s.passes(a, b) && s.passes(b, a) && !x.ended[y.id] && !y.ended[x.id] {
		c := &conn{ends: [2]*mate{x, y}}
		*p = c
		s.after(s.within(2*s.opt.Latency), func() { c.opens(0) })
		s.after(s.within(2*s.opt.Latency), func() { c.opens(1) })
	}
	if !s.sealed || *p == nil || s.now < s.opt.BusyUntil+settleMost {
		s.after(redial/2+s.within(redial), func() { s.keepConnected(a, b) })
	}
}

// opens lets an end know that there is a link.
func (c *conn) opens(end int) {
	if c.open[end] || c.dead {
		return
	}
	c.open[end] = true
	c.ends[end].put(func(int64) { c.ends[end].up(c.ends[1-end]) })
}

// shuts lets an end know that the link has gone.
func (s *mesh) shuts(c *conn, end int) {
	if c.shut[end] {
		return
	}
	c.shut[end] = true
	n, other := c.ends[end], c.ends[1-end]
	if c.open[end] {
		n.put(func(int64) { n.down(other) })
	}
	if c.shut[0] && c.shut[1] {
		p := s.conn(n.place, other.place)
		if *p == c {
			*p = nil
		}
	}
}

// reset breaks a link: both ends will notice.
func (s *mesh) reset(c *conn) {
	if c == nil || c.dead {
		return
	}
	c.dead = true
	for end := range c.ends {
		s.after(s.within(s.opt.Notice), func() { s.shuts(c, end) })
	}
}

// falls breaks a link from one end, which has noticed something; the other one notices if it is told, or when it hears nothing.
func (s *mesh) falls(c *conn, end int) {
	n, other := c.ends[end], c.ends[1-end]
	c.dead = true
	s.shuts(c, end)
	wait := s.within(s.opt.Notice)
	if !s.passes(n.place, other.place) {
		wait = s.opt.Silence
	}
	s.after(wait, func() { s.shuts(c, 1-end) })
}

// silence has a link fall if one end hears nothing of the other for long: because the way is cut, or the other is frozen, or its machine is gone.
func (s *mesh) silence(c *conn, end int) {
	n, other := c.ends[end], c.ends[1-end]
	since := s.now
	quiet := func() bool {
		if c.dead || c.shut[end] || !n.alive {
			return false
		}
		w := &s.cuts[s.at2(other.place, n.place)]
		return !other.alive && other.diedAt <= since || other.frozen && other.frozeAt <= since || w.n > 0 && w.since <= since
	}
	s.after(s.opt.Silence+s.within(s.opt.Silence/4), func() {
		if quiet() && !n.frozen {
			s.falls(c, end)
		}
	})
}

// eachConn calls f with the links of a node.
func (s *mesh) eachConn(n *mate, f func(c *conn, end int)) {
	for b := range s.mates {
		if b == n.place {
			continue
		}
		if c := *s.conn(n.place, b); c != nil && (c.ends[0] == n || c.ends[1] == n) {
			f(c, c.end(n))
		}
	}
}

// cutWay and mendWay stop what passes from one place to another.
func (s *mesh) cutWay(a, b int) {
	w := &s.cuts[s.at2(a, b)]
	w.n++
	if w.n > 1 {
		return
	}
	w.since = s.now
	if c := *s.conn(a, b); c != nil {
		end := 0
		if c.ends[1].place == b {
			end = 1
		}
		s.silence(c, end)
	}
}

func (s *mesh) mendWay(a, b int) {
	w := &s.cuts[s.at2(a, b)]
	if w.n--; w.n > 0 {
		return
	}
	if c := *s.conn(a, b); c != nil && !c.dead { // what was sent meanwhile comes now
		end := 0
		if c.ends[1].place == b {
			end = 1
		}
		all := c.held[end]
		c.held[end] = nil
		for _, f := range all {
			f()
		}
	}
}

// send carries a message, or loses it.
func (s *mesh) send(from *mate, to message.Node, addr string, m *message.Message) {
	s.sent++
	dest := s.byNode[to]
	if s.traces() {
		s.tracef("%s -> %s %s", from.name, s.nameOf(to), describeCopy(s, m))
	}
	if dest == nil {
		return // an owner of before the beginning
	}
	c := *s.conn(from.place, dest.place)
	if c != nil && (c.ends[c.end(from)] != from || c.ends[c.end(dest)] != dest || c.shut[c.end(from)] || !c.open[c.end(from)]) {
		c = nil
	}
	if c == nil {
		s.deliver(from, dest, addr, m)
		return
	}
	for range 1 + s.repeats() {
		if s.chance(s.opt.Loss) {
			continue
		}
		s.post(c, c.end(dest), m)
	}
}

func (s *mesh) repeats() int {
	if s.chance(s.opt.Repeats) {
		return 1
	}
	return 0
}

// post sends a message over a link.
func (s *mesh) post(c *conn, end int, m *message.Message) {
	from, dest := c.ends[1-end], c.ends[end]
	x := s.copy(m)
	arrive := func() {
		if c.dead && !c.open[end] || c.shut[end] || !dest.alive {
			return
		}
		c.opens(end) // an end knows of a link before what comes over it
		dest.receive(from, x)
	}
	if !s.passes(from.place, dest.place) {
		if !c.dead {
			c.held[end] = append(c.held[end], func() { s.after(s.delay(), arrive) })
		}
		return
	}
	at := s.now + s.delay()
	if !s.opt.Jumbled {
		at = max(at, c.last[end])
		c.last[end] = at
	}
	s.at(at, arrive)
}

// deliver dials to deliver a message.
func (s *mesh) deliver(from, dest *mate, addr string, m *message.Message) {
	if addr == "" || !s.passes(from.place, dest.place) || !s.passes(dest.place, from.place) {
		return
	}
	if !dest.alive {
		s.knocks(from, dest)
		return
	}
	if s.chance(s.opt.Loss) {
		return
	}
	x := s.copy(m)
	s.after(2*s.delay(), func() {
		if dest.alive && s.passes(from.place, dest.place) && !dest.ended[from.id] {
			dest.receive(from, x)
		}
	})
}

// knocks finds out whether a node has ended, if that can be found out.
func (s *mesh) knocks(n, other *mate) {
	if other.alive || !s.passes(n.place, other.place) || !s.passes(other.place, n.place) {
		return
	}
	if other.vanished && s.mates[other.place] == other {
		return // nothing is heard of its machine
	}
	s.after(2*s.delay(), func() { n.put(func(int64) { n.gone(other.id) }) })
}

// knockFor has a node knock at one whose link has broken, for a while.
func (s *mesh) knockFor(n, other *mate, until int64) {
	if !n.alive || n.ended[other.id] || n.ups[other.id] || s.now >= until {
		return
	}
	if !n.frozen {
		s.knocks(n, other)
	}
	s.after(100e6+s.within(200e6), func() { s.knockFor(n, other, until) })
}

// copy is what arrives: by way of the wire, in some farms. Its content is the receiver's own: engines overwrite what they have.
func (s *mesh) copy(m *message.Message) *message.Message {
	if !s.opt.Wire {
		c := *m
		c.Parcel.Body = ownBody(m.Parcel.Body)
		return &c
	}
	c := new(message.Message)
	head := message.Append(nil, m)
	n, length, fault := message.Parse(head, &message.Limits{MaxHead: message.MaxHead, MaxBody: 1 << 20}, c)
	if fault != message.OK || n != len(head) || length != len(m.Body()) {
		s.fail("%s cannot be parsed: %s %s", describeCopy(s, m), fault, fault.Where())
	}
	c.Parcel.Body = ownBody(m.Parcel.Body)
	return c
}

func ownBody(b []byte) []byte {
	if b == nil {
		return nil
	}
	own := make([]byte, len(b))
	copy(own, b)
	return own
}

// delay is how long the next message is under way.
func (s *mesh) delay() int64 {
	d := s.opt.Latency/2 + s.within(s.opt.Latency)
	if s.chance(s.opt.Late) {
		d += s.within(s.opt.LateMost)
	}
	return d
}

// watch has a membership declare a node dead that nobody on a node's side can reach.
func (s *mesh) watch(n, other *mate) {
	if !s.opt.Members {
		return
	}
	since := s.now
	s.after(int64(2*time.Second)+s.within(2e9), func() {
		if !n.alive || n.frozen || s.reaches(n, other, since) {
			return
		}
		n.put(func(now int64) { n.core.Dead(now, other.id) })
		s.at(max(s.now, since+int64(core.DeadAfter)), func() {
			if n.alive && !n.frozen && other.alive && !other.frozen && other.thawed <= since && !n.ups[other.id] {
				s.loosen() // several faults have come to a partition, in which each side goes on
			}
		})
	})
}

// reaches reports whether a node reaches another one, if need be by way of a third.
func (s *mesh) reaches(n, other *mate, since int64) bool {
	if !other.alive || other.frozen || other.thawed > since {
		return false
	}
	both := func(a, b int) bool { return s.passes(a, b) && s.passes(b, a) }
	if both(n.place, other.place) {
		return true
	}
	for _, x := range s.mates {
		if x.alive && !x.frozen && x != n && x != other && both(n.place, x.place) && both(x.place, other.place) {
			return true
		}
	}
	return false
}

// missedFor is how long two nodes may be without a link, and nobody else between them, before they go on without each other.
func (s *mesh) missedFor() int64 {
	if s.opt.Members {
		return min(s.lostLife(), int64(core.DeadAfter))
	}
	return s.lostLife()
}

// lostLife is how long a node is missed.
func (s *mesh) lostLife() int64 { return int64(core.LostLife(s.opt.QueryTimeout)) }
