package core

import (
	"slices"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// inflow is the numbered updates from one owner to this mirror.
//
// Invariant: all updates up to next-1 have been taken in, each once and in order. They are acknowledged unless the owner has yet to hear our confession, or we pause.
type inflow struct {
	node     message.Node
	id       message.ID
	before   []message.ID // streams that this one has taken the place of
	next     uint64
	window   map[uint64]early
	heard    uint64 // the last acknowledgement that the owner has heard
	refusals []message.Refusal
	dirty    bool   // something is to be acknowledged
	told     uint64 // what was acknowledged last
	word     uint64 // the last confession that has come: that is answered in any case, because two nodes may have to confess to each other
	pausing  int    // sessions that must be put out of service before we go on
}

// early is an update that has overtaken others.
type early struct {
	m     *message.Message
	sight engine.Sight
}

// inWindow is how many updates may wait for one that they have overtaken.
const inWindow = 2 * windowUpdates

// copyIn takes in Copy.
func (c *Core) copyIn(now int64, from message.Node, m *message.Message, sight engine.Sight) {
	in := c.inflows[from]
	switch {
	case in != nil && in.id == m.Stream:
	case in != nil && slices.Contains(in.before, m.Stream):
		c.dropParcel(m)
		return
	case m.Heard > 0:
		// We had acknowledged something of this stream, and know nothing of it: it has to begin anew.
		c.dropParcel(m)
		c.send(from, "", &message.Message{Kind: message.Copied, Stream: m.Stream})
		return
	default:
		in = c.newInflow(now, from, m.Stream, in)
	}
	in.heard = max(in.heard, m.Heard)
	in.dirty, c.dirty = true, true // also what has come before: our acknowledgement may have been lost
	switch {
	case m.Update < in.next:
		c.dropParcel(m)
	case m.Update >= in.next+inWindow || len(in.refusals) >= message.MaxRefusals:
		c.dropParcel(m)
	default:
		if old, ok := in.window[m.Update]; ok {
			c.dropParcel(old.m)
		}
		in.window[m.Update] = early{m, sight}
		c.resumeInflow(now, in)
	}
}

// newInflow begins a stream from an owner. What it told us before is no longer certain.
func (c *Core) newInflow(now int64, from message.Node, id message.ID, old *inflow) *inflow {
	in := &inflow{node: from, id: id, next: 1, window: map[uint64]early{}}
	if old != nil {
		c.dropInflow(old)
		in.before = append(old.before, old.id)
		if len(in.before) > 8 {
			in.before = in.before[1:]
		}
		c.doubt(from)
	}
	c.inflows[from] = in
	c.confess(now, from)
	return in
}

// doubt has an owner asked again about the copies that are here of its sessions.
func (c *Core) doubt(owner message.Node) {
	for _, e := range c.shelfOrder {
		if e.owner == owner {
			e.asks = askTimes
		}
	}
}

// dropInflow gives up what waits in a stream.
func (c *Core) dropInflow(in *inflow) {
	for _, n := range sortedKeys(in.window) {
		c.dropParcel(in.window[n].m)
	}
	in.window = map[uint64]early{}
}

func sortedKeys(m map[uint64]early) []uint64 {
	all := make([]uint64, 0, len(m))
	for n := range m {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// resumeInflow takes in what is next.
func (c *Core) resumeInflow(now int64, in *inflow) {
	for in.pausing == 0 && len(in.refusals) < message.MaxRefusals {
		e, ok := in.window[in.next]
		if !ok {
			break
		}
		delete(in.window, in.next)
		if reason, r := c.takeIn(now, in, e.m, e.sight); reason != 0 {
			c.dropParcel(e.m)
			r.Update, r.Reason = in.next, reason
			in.refusals = append(in.refusals, r)
		}
		if e.m.Change == message.Taken {
			in.word = in.next
		}
		in.next++
		in.dirty = true
	}
	c.dirty = true
}

// Flush acknowledges what has been taken in. It is to be called when a number of messages have been.
func (c *Core) Flush() {
	if !c.dirty {
		return
	}
	c.dirty = false
	for _, n := range c.order {
		in := c.inflows[n.node]
		if in == nil || !in.dirty {
			continue
		}
		upTo := in.next - 1
		if in.pausing > 0 {
			upTo-- // the last one has not been dealt with
		}
		if c.confessing[in.node] != nil {
			upTo = in.told
		}
		in.dirty = false
		in.refusals = slices.DeleteFunc(in.refusals, func(r message.Refusal) bool { return r.Update <= in.heard })
		m := &message.Message{Kind: message.Copied, Stream: in.id, Update: upTo}
		if in.pausing == 0 {
			m.Heard = in.word
		}
		if upTo == 0 && m.Heard == 0 {
			continue
		}
		in.told = upTo
		if len(in.refusals) > 0 {
			m.Refusals = slices.Clone(in.refusals)
		}
		c.send(in.node, "", m)
	}
}

// takeIn takes in one update. A reason says that it is refused, and r what is here instead.
func (c *Core) takeIn(now int64, in *inflow, m *message.Message, sight engine.Sight) (reason message.Reason, r message.Refusal) {
	switch m.Change {
	case message.Content, message.State:
		return c.takeState(now, in.node, m, sight)
	case message.Drop:
		life := leastTomb
		e := c.shelf[m.Key]
		beaten := e != nil && e.owner != in.node && e.p.Gen == m.Gen && !m.Tomb // its own state has given way to the one that is here
		if e != nil && e.p.Gen <= m.Gen && !beaten {
			life = c.tombLife(e.p.Minutes)
			c.retire(now, e, Winner{Gen: m.Gen, Node: in.node})
		}
		c.do(Forget{Key: m.Key})
		if m.Tomb {
			if m.Parcel.Minutes != 0 {
				life = c.tombLife(m.Parcel.Minutes)
			}
			c.bury(now, c.hashOf(m.Key), removal{m.Gen, above(m.Gen)}, life)
		}
	case message.Touch:
		_ = message.Touches(m.Parcel.Body, func(key string, left int64) bool {
			if e := c.shelf[key]; e != nil && e.owner == in.node {
				elapsed := now - e.at
				if e.p.Locked {
					e.p.LockAge += elapsed
				}
				e.p.Left, e.at = left, now
			}
			return true
		}) // a list that is malformed is read as far as it goes
		c.dropParcel(m)
	case message.Buried:
		_ = message.EachBuried(m.Parcel.Body, func(hash uint64, gen uint32, left int64) bool {
			c.bury(now, hash, removal{gen: gen}, left)
			return true
		}) // as above
		c.dropParcel(m)
	case message.Taken:
		if m.NoRoom {
			return message.Busy, r
		}
		c.stepDown(in, m)
		c.dropParcel(m)
	}
	return 0, r
}

// takeState takes in the state of a session.
func (c *Core) takeState(now int64, from message.Node, m *message.Message, sight engine.Sight) (message.Reason, message.Refusal) {
	hash := c.hashOf(m.Key)
	owner, another := from, false
	if m.Owner != (message.Node{}) && m.Owner != from {
		owner, another = m.Owner, true
	}
	if t, ok := c.tombs.get(now, hash); ok && m.Gen < t.own && c.opt.Weaken&NoTombs == 0 {
		return message.Newer, message.Refusal{Gen: t.own - 1, Version: removedVersion}
	}
	theirs := stampOf(&m.Parcel, m.Gen)
	e := c.shelf[m.Key]
	twin := c.twins(e, owner, m)
	switch {
	case m.NoRoom:
		if e != nil && stampOf(&e.p, e.p.Gen).before(theirs) {
			c.retire(now, e, Winner{m.Gen, m.Parcel.Version, owner}) // it is an old state by now
		}
		return message.NoRoom, message.Refusal{}
	case e != nil:
		ours := stampOf(&e.p, e.p.Gen)
		switch {
		case another && !ours.before(theirs):
			c.dropParcel(m)
			return 0, message.Refusal{} // it is good as it is
		case theirs.before(ours) && e.owner == from:
			c.dropParcel(m)
			return 0, message.Refusal{} // it has come late
		case theirs.before(ours) && c.opt.Weaken&NoEpoch == 0:
			e.p, e.at = e.aged(now), now // another mark: what has been asked about this copy so far does not count any more, for whoever serves the older state will not
			return message.Newer, message.Refusal{Gen: ours.gen, Version: ours.version}
		case twin && e.owner != c.opt.Node && c.alive(now, e.owner) && slices.Compare(e.owner[:], owner[:]) < 0:
			return message.Newer, message.Refusal{Gen: ours.gen, Version: ours.version}
		case m.Change == message.State && (e.p.Version != m.Parcel.Version || e.owner != owner && e.owner != m.Base):
			return message.Lacking, message.Refusal{}
		}
	default:
		if c.opt.Look != nil {
			sight = c.opt.Look(m.Key)
		}
		if reason, r, ok := c.meets(now, from, m, sight); !ok {
			return reason, r
		}
		if m.Change == message.State {
			return message.Lacking, message.Refusal{}
		}
	}
	p := m.Parcel
	p.Key, p.Gen = m.Key, m.Gen
	if m.Change == message.State {
		p.Body, p.Reserved = e.p.Body, true
		e.p, e.at, e.owner, e.exact = p, now, owner, false
		return 0, message.Refusal{}
	}
	before := owner
	if e != nil {
		if before = e.owner; before == c.opt.Node {
			c.retire(now, e, Winner{m.Gen, m.Parcel.Version, owner})
		}
	}
	c.put(now, m.Key, hash, owner, &p)
	if before != owner && before != c.opt.Node {
		// It may have moved from there, which would not matter. Or the two have been apart, and both serve it: then this is how the one with the older state learns of the
		// newer, even if nobody asks it for the session any more.
		s := theirs
		if twin {
			s.version = removedVersion // or it would take what it has for the same
		}
		c.supplanted(before, m.Key, s)
		c.confess(now, before)
	}
	return 0, message.Refusal{}
}

// meets compares the state of a session that another node serves with what is served here. ok says that it may go on the shelf.
func (c *Core) meets(now int64, from message.Node, m *message.Message, sight engine.Sight) (reason message.Reason, r message.Refusal, ok bool) {
	var gen, version uint32
	it := c.items[m.Key]
	w := c.changes[m.Key]
	switch {
	case w != nil:
		gen, version = w.ch.Parcel.Gen, w.ch.Parcel.Version
	case it != nil && it.adoption != nil:
		gen, version = it.adoption.p.Gen, it.adoption.p.Version
	case it != nil && it.held != nil:
		gen, version = it.held.gen, it.held.parcel.Version
		if older(m.Gen, m.Parcel.Version, gen, version) {
			return message.Busy, r, false
		}
		return 0, r, true
	case it != nil && it.move != nil && it.move.parcel != nil:
		gen, version = before(it.move.parcel.Gen), it.move.parcel.Version
	case sight.State == engine.SightHere:
		gen, version = sight.Gen, sight.Version
	case sight.State == engine.SightAway || sight.State == engine.SightOccupied || it != nil && (it.move != nil || it.settling):
		return message.Busy, r, false
	default:
		return 0, r, true
	}
	same := m.Gen == gen && m.Parcel.Version == version
	if !same && older(m.Gen, m.Parcel.Version, gen, version) || same && slices.Compare(c.opt.Node[:], from[:]) < 0 {
		return message.Newer, message.Refusal{Gen: gen, Version: version}, false
	}
	switch {
	case w != nil:
		w.over = true
		c.endChange(w)
		c.do(Supersede{Change: w.ch, Newer: true, Gen: m.Gen, Version: m.Parcel.Version, Node: from})
	case it != nil && it.move != nil && it.move.state == moveOffered && !it.move.original:
		c.yield(now, it.move, Winner{m.Gen, m.Parcel.Version, from})
	case it != nil && (it.move != nil || it.adoption != nil):
		return message.Busy, r, false
	default:
		c.do(Oust{Key: m.Key, Newer: true, Gen: m.Gen, Version: m.Parcel.Version, Node: from})
	}
	c.dropTrack(c.hashOf(m.Key))
	return message.Busy, r, false // when ours has gone it will be taken in
}

// retire takes a copy off the shelf that is superseded, or not wanted any more. What was served here, while another node took it over, is not thrown away unseen.
func (c *Core) retire(now int64, e *shelved, by Winner) {
	if e.owner == c.opt.Node && e.diverged {
		p := e.aged(now)
		c.quarantine(&p, by)
	}
	c.unshelve(e, false)
}
