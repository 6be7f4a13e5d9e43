package sim

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// planFaults plans what happens to nodes and links.
func (s *mesh) planFaults() {
	plan := func(times int, f func()) {
		for range times {
			s.at(s.now+s.rand.Int64N(s.opt.BusyUntil-s.now), f)
		}
	}
	plan(s.opt.Crashes, func() { s.fault(1, s.crashAny) })
	plan(s.opt.Freezes, func() { s.fault(1, s.freezeAny) })
	plan(s.opt.Breaks, func() { s.fault(1, s.breakAny) })
	plan(s.opt.Cuts, func() { s.fault(1, s.cutAny) })
	plan(s.opt.Leaves, func() { s.fault(1, s.leaveAny) })
	plan(s.opt.Partitions, s.partition)
}

// fault does something bad when the copies are good for it: there are at most so many faults at a time, until all is well again. In a wild farm it is done at once.
func (s *mesh) fault(cost int, f func()) {
	if s.sealed {
		return
	}
	well := (s.down > 0 || s.opt.Full > 0) && s.unsettled(false) == ""
	if well {
		s.down = 0
	}
	if s.down+cost > s.tolerance || s.parted || s.opt.Full > 0 && !well { // those that are full have copies when they have room again
		if !s.opt.Wild {
			s.after(100e6+s.within(200e6), func() { s.fault(cost, f) })
			return
		}
		s.loosen()
	}
	s.down += cost
	f()
}

// loosen takes note that more has happened than the copies are good for: from now on anything may be lost. At the end all must be in order all the same.
func (s *mesh) loosen() {
	if !s.loose {
		s.tracef("from now on anything may be lost")
	}
	s.loose = true
}

// anyMate picks a node that lives and does its work; nil if there would be none left.
func (s *mesh) anyMate() *mate {
	var all []*mate
	for _, n := range s.mates {
		if n.alive && !n.frozen && !n.leaving {
			all = append(all, n)
		}
	}
	if len(all) < 2 {
		return nil
	}
	return all[s.rand.IntN(len(all))]
}

// crashAny lets a node die with all it has.
func (s *mesh) crashAny() {
	if n := s.anyMate(); n != nil {
		s.crashes++
		n.vanished = s.rand.IntN(3) == 0
		s.tracef("%s crashes, vanished=%v", n.name, n.vanished)
		s.end(n)
	}
}

// end ends a node.
func (s *mesh) end(n *mate) {
	n.alive, n.diedAt = false, s.now
	n.closing = true
	s.old.Add(n.core.Counts())
	for _, r := range n.requests {
		if !r.answered {
			r.answered = true
			s.story(r.key).died(r)
			s.after(s.delay(), func() { s.tell(r, answer{failed: true}) })
		}
	}
	n.requests = nil
	if len(s.mates) > 2 {
		s.apart()
	}
	s.eachConn(n, func(c *conn, end int) {
		c.shut[end] = true
		if n.vanished {
			s.silence(c, 1-end)
			return
		}
		c.dead = true
		s.after(s.within(s.opt.Notice), func() { s.shuts(c, 1-end) })
	})
	back := s.within(5e9)
	if s.rand.IntN(3) == 0 {
		back += s.within(10e9)
	}
	s.after(back, func() { s.rebirth(n.place) })
}

// rebirth begins a new node in the place of one that has ended. Whoever dials the place finds that the old one is no more.
func (s *mesh) rebirth(place int) {
	old := s.mates[place]
	n := s.birth(place)
	s.tracef("%s begins", n.name)
	for b, other := range s.mates {
		if b == place {
			continue
		}
		if c := s.conn(place, b); *c != nil { // the machine is there again, and knows nothing of the connection
			(*c).dead = true
			s.shuts(*c, (*c).end(other))
			*c = nil
		}
		s.find(other, old)
	}
	s.after(s.within(1e9), n.sweepAll)
	n.runBy(s.now)
}

// find has a node find out that another one is no more, when it can.
func (s *mesh) find(n, old *mate) {
	if !n.alive || n.ended[old.id] {
		return
	}
	if !n.frozen && s.passes(n.place, old.place) && s.passes(old.place, n.place) {
		s.after(2*s.delay(), func() { n.put(func(int64) { n.gone(old.id) }) })
		return
	}
	s.after(redial, func() { s.find(n, old) })
}

// freezeAny lets a node do nothing for a while.
func (s *mesh) freezeAny() {
	n := s.anyMate()
	if n == nil {
		return
	}
	s.freezes++
	long := int64(500e6) + s.within(3e9)
	if s.rand.IntN(2) == 0 {
		long = int64(3e9) + s.within(12e9)
	}
	s.tracef("%s freezes for %v", n.name, time.Duration(long))
	n.frozen, n.frozeAt = true, s.now
	s.eachConn(n, func(c *conn, end int) { s.silence(c, 1-end) })
	for range s.rand.IntN(4) { // those who have asked it are answered first when it goes on, if it takes itself for the owner
		s.after(long-s.within(min(long, 1e9)), func() {
			if n.alive && n.frozen && !s.sealed {
				s.requestAt(n, []engine.Op{engine.Get, engine.Get, engine.Acquire, engine.Set}[s.rand.IntN(4)], s.keys[s.rand.IntN(len(s.keys))], 0, func(answer) {})
			}
		})
	}
	if s.tolerance > 1 && s.rand.IntN(2) == 0 { // another one ends before this one has learnt what has happened
		s.after(s.within(long+1e9), func() {
			if s.down < s.tolerance {
				s.fault(1, s.crashAny)
			}
		})
	}
	s.after(long, func() { s.thaw(n) })
}

// thaw lets a node go on, with what has come meanwhile.
func (s *mesh) thaw(n *mate) {
	if !n.alive {
		return
	}
	s.tracef("%s thaws", n.name)
	n.frozen, n.thawed = false, s.now
	n.planned = 0
	s.eachConn(n, func(c *conn, end int) {
		if !s.passes(c.ends[1-end].place, n.place) || !c.ends[1-end].alive || c.ends[1-end].frozen {
			s.silence(c, end)
		}
	})
	work := []func(){
		func() { n.runBy(s.now + s.within(s.opt.Slow)) },
		func() {
			all := n.socket
			n.socket = nil
			for _, f := range all {
				f()
			}
		},
		func() {
			if n.ready {
				n.ready = false
				n.wake(0)
			}
		},
		func() {
			n.ticking = false
			n.keepTicking()
			n.sweepAll()
		},
	}
	s.rand.Shuffle(len(work), func(i, j int) { work[i], work[j] = work[j], work[i] })
	for _, f := range work {
		s.after(s.within(int64(len(work))), f)
	}
}

// breakAny breaks a link. Both nodes live on, and connect again.
func (s *mesh) breakAny() {
	a, b := s.twoPlaces()
	c := *s.conn(a, b)
	if c == nil || c.dead {
		return
	}
	s.breaks++
	s.tracef("the link %d-%d breaks", a, b)
	s.reset(c)
	if s.rand.IntN(2) == 0 { // and does not come back at once
		most := s.lostLife()
		if len(s.mates) < 3 { // otherwise it is a partition
			most = s.missedFor()
		}
		long := s.within(most - s.opt.Notice - 500e6)
		s.cuts[s.at2(a, b)].n++
		s.cuts[s.at2(a, b)].since = s.now
		s.after(long, func() { s.mendWay(a, b) })
	}
}

// apart looks whether there are two nodes that do their work and do not reach each other: that is a partition, in which each side goes on.
func (s *mesh) apart() {
	for _, n := range s.mates {
		for _, other := range s.mates {
			if n != other && n.alive && !n.frozen && other.alive && !other.frozen && !s.reaches(n, other, s.now) {
				s.loosen()
			}
		}
	}
}

func (s *mesh) twoPlaces() (a, b int) {
	a = s.rand.IntN(len(s.mates))
	b = s.rand.IntN(len(s.mates) - 1)
	if b >= a {
		b++
	}
	return a, b
}

// cutAny lets nothing pass between two nodes, in one direction or both, while all others see both.
func (s *mesh) cutAny() {
	a, b := s.twoPlaces()
	long := s.within(15e9)
	if len(s.mates) < 3 { // otherwise it is a partition
		long = s.within(s.missedFor() - s.opt.Notice - s.opt.Silence*5/4 - 500e6)
	}
	if long < 0 {
		return
	}
	s.cutting++
	both := s.rand.IntN(2) == 0
	s.tracef("nothing passes from %d to %d for %v, both ways: %v", a, b, time.Duration(long), both)
	s.cutWay(a, b)
	if both {
		s.cutWay(b, a)
	}
	for _, n := range s.mates {
		alone := n.alive && !n.frozen
		for _, other := range s.mates {
			if other != n && s.reaches(n, other, s.now) {
				alone = false
			}
		}
		if alone { // by several cuts: that is a partition, in which each side goes on
			s.loosen()
		}
	}
	s.after(long, func() {
		s.tracef("all passes between %d and %d", a, b)
		s.mendWay(a, b)
		if both {
			s.mendWay(b, a)
		}
	})
}

// leaveAny lets a node hand over what it has, and stop.
func (s *mesh) leaveAny() {
	n := s.anyMate()
	if n == nil {
		return
	}
	s.leaves++
	s.tracef("%s leaves", n.name)
	n.leaving = true
	n.closing = s.rand.IntN(2) == 0
	n.core.Leave(true)
	for _, other := range s.mates {
		if other != n && other.alive {
			s.send(n, other.id, addrOf(other.place), &message.Message{Kind: message.Ping, Leaving: true, Free: -1})
		}
	}
	n.runBy(s.now)
	s.handOver(n, s.now)
}

// handOver hands over what there is, round by round.
func (s *mesh) handOver(n *mate, since int64) {
	if !n.alive {
		return
	}
	if n.frozen {
		s.after(100e6, func() { s.handOver(n, since) })
		return
	}
	for _, key := range n.served() {
		room, anybody := n.core.Window(s.now)
		if room == 0 || !anybody {
			break
		}
		n.core.HandOver(s.now, key)
		n.act()
	}
	if len(n.served()) == 0 {
		n.closing = true
		if n.core.Idle() && (n.core.Owed(s.now) == 0 || s.now-since > int64(5e9)) {
			s.tracef("%s has left", n.name)
			s.end(n)
			return
		}
	}
	if s.now-since > 60e9 {
		s.fail("%s cannot leave: %d sessions, %+v", n.name, len(n.served()), n.core.Gauges())
	}
	n.runBy(s.now)
	s.after(10e6, func() { s.handOver(n, since) })
}

// partition is yet to come.
func (*mesh) partition() {}

// unsettled says what is not as it should be: each session is served by one node, or by none if its owner has ended; there are as many current copies as there should be,
// and, at the end, no others. Empty if all is well.
func (s *mesh) unsettled(end bool) string {
	var live []*mate
	for _, n := range s.mates {
		switch {
		case !n.alive:
			return n.name + " has ended"
		case n.frozen || n.joining || n.leaving:
			return fmt.Sprintf("%s: frozen=%v joining=%v leaving=%v", n.name, n.frozen, n.joining, n.leaving)
		}
		live = append(live, n)
	}
	for _, n := range live {
		for _, other := range live {
			if other != n && !n.ups[other.id] {
				return fmt.Sprintf("%s has no link to %s", n.name, other.name)
			}
		}
	}
	for i := range s.cuts {
		if s.cuts[i].n > 0 {
			return "something is cut"
		}
	}
	for _, n := range live {
		if what := n.core.Unfinished(); what != "" {
			return n.name + ": " + what
		}
		if len(n.walk)+len(n.later)+len(n.ousting)+len(n.placing) > 0 {
			return n.name + " has something to do"
		}
	}
	for _, key := range s.keys {
		if what := s.unsettledKey(live, key, end); what != "" {
			return key + ": " + what
		}
	}
	return ""
}

func (s *mesh) unsettledKey(live []*mate, key string, end bool) string {
	var owner *mate
	var at []*mate
	for _, n := range live {
		switch sight := n.look(key); sight.State {
		case engine.SightHere:
			if owner != nil {
				return fmt.Sprintf("%s and %s serve it", owner.name, n.name)
			}
			owner = n
		case engine.SightAbsent:
		default:
			return fmt.Sprintf("at %s it is %s", n.name, sight.State)
		}
		if n.core.Keeps(key) {
			at = append(at, n)
		}
	}
	want := min(s.opt.Copies, len(live))
	if owner == nil {
		if len(at) == 0 {
			return ""
		}
		if len(at) < want {
			return fmt.Sprintf("there are %d copies without an owner, and should be %d", len(at), want)
		}
		var newest engine.Parcel
		same := 0
		for _, n := range at {
			switch p, _, _, _ := n.core.Shelved(key); {
			case same == 0 || p.Gen > newest.Gen || p.Gen == newest.Gen && p.Version > newest.Version:
				newest, same = p, 1
			case p.Gen == newest.Gen && p.Version == newest.Version && bytes.Equal(p.Body, newest.Body):
				same++
			}
		}
		if same < want {
			return fmt.Sprintf("of the copies without an owner %d are the newest, %d.%d, and there should be %d", same, newest.Gen, newest.Version, want)
		}
		return ""
	}
	p, _ := owner.engine.Peek(owner.time(), []byte(key))
	all, cur := owner.core.Mirrors(key)
	same := 0
	for _, n := range at {
		q, whose, sure, _ := n.core.Shelved(key)
		known := slices.Contains(all, n.id)
		good := whose == owner.id && p.Gen == q.Gen && p.Version == q.Version && p.Cookie == q.Cookie && p.Locked == q.Locked && p.Skip == q.Skip && bytes.Equal(p.Body, q.Body)
		if slices.Contains(cur, n.id) && good {
			same++
		} else if slices.Contains(cur, n.id) {
			return fmt.Sprintf("%s takes the copy at %s for current: %d.%d cookie=%d locked=%v of %s, write=%d, and has %d.%d cookie=%d locked=%v write=%d", owner.name, n.name, q.Gen, q.Version, q.Cookie, q.Locked,
				s.nameOf(whose), content(q.Body), p.Gen, p.Version, p.Cookie, p.Locked, content(p.Body))
		}
		if end && (!known || !good) {
			return fmt.Sprintf("%s has a copy, %d.%d of %s: known=%v good=%v sure=%v", n.name, q.Gen, q.Version, s.nameOf(whose), known, good, sure)
		}
	}
	if same < want-1 || end && same > want-1 {
		return fmt.Sprintf("%s serves it, and there are %d current copies, and should be %d", owner.name, same, want-1)
	}
	if end && len(cur) != same {
		return fmt.Sprintf("%s believes in %d current copies of %d", owner.name, len(cur), same)
	}
	return ""
}

// ended checks the end.
func (s *mesh) ended() {
	if s.err != nil {
		return
	}
	if what := s.unsettled(true); what != "" {
		s.fail("4 convergence: %s", what)
	}
	if s.pending != 0 {
		s.fail("4 convergence: %d requests have no answer", s.pending)
	}
	for _, n := range s.mates {
		st := n.engine.Stats()
		served := 0
		for _, key := range s.keys {
			if n.look(key).State == engine.SightHere {
				served++
			}
		}
		if int(st.Sessions) != served {
			s.fail("4 counters: %s counts %d sessions, and serves %d", n.name, st.Sessions, served)
		}
		if want := int64(served)*sessionBytes + n.core.ShelfCost() + n.waiting; st.Bytes != want {
			s.fail("4 memory: %s has %d bytes on its account, and should have %d for %d sessions and its copies (%d too many)", n.name, st.Bytes, want, served, st.Bytes-want)
		}
		if copies, _ := n.core.Keeping(); copies > len(s.keys) {
			s.fail("4 counters: %s has %d copies of %d sessions", n.name, copies, len(s.keys))
		}
		if tracked, waiting := n.core.Copied(); waiting != 0 || tracked > served {
			s.fail("4 counters: %s keeps track of the copies of %d sessions, and serves %d; %d changes wait", n.name, tracked, served, waiting)
		}
	}
	for _, key := range s.keys {
		s.counted(key)
	}
}

// sessionBytes is what a session takes of the memory account here: see engine.sessionCost.
const sessionBytes = 200 + 8

// counted checks what is left of one session.
func (s *mesh) counted(string) {}

// loadSnapshots gives nodes copies of sessions of nodes that have ended.
func (s *mesh) loadSnapshots() {
	dead := message.Node(s.newID())
	for _, key := range s.keys {
		newest := s.rand.IntN(len(s.mates))
		for i, n := range s.mates {
			old := i != newest
			if old && s.rand.IntN(2) == 0 {
				continue
			}
			p := engine.Parcel{Key: key, Minutes: s.opt.Minutes, Left: int64(s.opt.Minutes) * int64(time.Minute), Gen: 1, Version: 2, Cookie: 5}
			s.asked++
			write := uint64(s.asked)
			if old {
				p.Version, p.Cookie = 1, 3
			}
			p.Body = body(write)
			d := &deed{write: write, begun: s.now, over: s.now, sure: never}
			if !old {
				d.sure = s.now
			} else {
				d.over = s.now - 1
				d.begun = s.now - 1
			}
			t := s.story(key)
			t.deeds = append(t.deeds, d)
			t.hits = append(t.hits, hit{s.now, s.now, true})
			n.put(func(now int64) { n.core.Shelve(now, dead, &p) })
		}
	}
	s.down = s.tolerance // until they have been copied
}
