package sim

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/message"
)

// mate is one process of a farm with copies: a core, an engine, and what the program does between them (peer/driver.go, copies.go and repair.go).
type mate struct {
	sim    *mesh
	place  int
	id     message.Node
	name   string
	core   *core.Core
	engine *engine.Engine

	alive    bool
	diedAt   int64
	vanished bool // its machine is gone: nobody refuses connections
	frozen   bool
	frozeAt  int64
	thawed   int64 // when it was thawed last
	leaving  bool
	closing  bool // takes no requests
	joining  bool

	ups   map[message.Node]bool
	ended map[message.Node]bool // known here to have ended

	inbox   []func(now int64)
	waiting int64    // bytes that stand on the memory account for messages in it
	socket  []func() // requests that have come while it was frozen
	planned int64    // when the driver runs next; 0 = it is not planned
	misses  map[string]int64
	alone   bool
	mode    engine.Mirroring
	placing []core.Arrived
	ousting []core.Oust

	layout  uint64
	walk    []string
	later   []string
	touchAt int64
	touched map[string]int64
	tending bool

	ready    bool // a Run of the engine is planned
	ticking  bool
	requests []*ask
}

func (s *mesh) birth(place int) *mate {
	n := &mate{
		sim: s, place: place, id: message.Node(s.newID()), name: fmt.Sprintf("%d.%d", place, s.births), alive: true, joining: true,
		ups: map[message.Node]bool{}, ended: map[message.Node]bool{}, misses: map[string]int64{}, touched: map[string]int64{},
	}
	s.births++
	n.core = core.New(core.Options{
		Node: n.id, Addr: addrOf(place), MaxForwards: 5, QueryTimeout: s.opt.QueryTimeout, NewID: s.newID, Copies: s.opt.Copies, Ack: s.opt.Ack, Backlog: 1 << 20,
		TouchPeriod: s.opt.TouchPeriod, Seed: s.opt.Seed, Weaken: s.opt.Weaken, Slack: 50 * time.Millisecond,
		Look: n.look,
	})
	n.core.Joining(s.now, true)
	e, err := engine.New(engine.Options{
		LockWait: s.opt.LockWait, FarmWait: s.opt.QueryTimeout, Elsewhere: (*mateElsewhere)(n), Ready: n.wake, Seed: s.opt.Seed,
	}, n.time())
	if err != nil {
		s.fail("%v", err)
	}
	n.engine = e
	e.SetMirror((*mateMirror)(n))
	s.mates[place], s.byNode[n.id] = n, n
	s.after(int64(time.Second), func() { n.put(func(int64) { n.endJoining() }) })
	return n
}

func (s *mesh) nameOf(id message.Node) string {
	if n := s.byNode[id]; n != nil {
		return n.name
	}
	return "?"
}

func (n *mate) time() engine.Time {
	return engine.Time{Mono: n.sim.now, Date: 638409078000000000 + n.sim.now/100}
}

// put puts an event into the driver's inbox.
func (n *mate) put(f func(now int64)) bool {
	if !n.alive {
		return false
	}
	n.inbox = append(n.inbox, f)
	n.runBy(n.sim.now + n.sim.within(n.sim.opt.Slow))
	return true
}

// runBy has the driver run at a time, or before.
func (n *mate) runBy(at int64) {
	if n.planned != 0 && n.planned <= at {
		return
	}
	n.planned = at
	n.sim.at(at, func() {
		if n.alive && !n.frozen && n.planned == at {
			n.planned = 0
			n.run()
		}
	})
}

// run is one turn of the driver.
func (n *mate) run() {
	events := n.inbox
	n.inbox = nil
	for _, e := range events {
		e(n.sim.now)
		n.act()
	}
	n.core.Tick(n.sim.now)
	n.act()
	n.core.Flush()
	n.act()
	n.periodic()
	n.act()
	n.sleep()
	n.check()
}

func (n *mate) periodic() {
	now := n.sim.now
	placing := n.placing
	n.placing = nil
	for _, a := range placing {
		n.placeIt(a)
	}
	ousting := n.ousting
	n.ousting = nil
	for _, a := range ousting {
		n.oust(a)
		n.act()
	}
	n.mirror(now)
	n.mend(now)
	n.alone = n.core.Alone(now)
}

// mirror tells the engine how changes are told from now on.
func (n *mate) mirror(now int64) {
	mode := engine.MirrorNone
	switch {
	case n.sim.opt.Copies < 2 || !n.core.Company(now):
		if n.core.Met() {
			mode = engine.MirrorRemovals
		}
	case n.sim.opt.Ack == core.AckNone:
		mode = engine.MirrorTell
	default:
		mode = engine.MirrorAwait
	}
	n.engine.SetLease(n.core.Lease())
	if mode != n.mode {
		n.mode = mode
		n.engine.SetMirroring(mode)
	}
}

func (n *mate) sleep() {
	at := n.sim.now + int64(time.Second)
	if next, ok := n.core.Next(); ok {
		at = min(at, max(next, n.sim.now))
	}
	if len(n.placing) > 0 || len(n.ousting) > 0 || len(n.walk) > 0 || len(n.later) > 0 || n.tending || n.leaving {
		at = min(at, n.sim.now+2e6)
	}
	n.runBy(at)
}

// mend makes copies that are missing, as peer/repair.go does.
func (n *mate) mend(now int64) {
	layout, at := n.core.Layout()
	if layout != n.layout && now >= at {
		n.layout = layout
		n.walk = append(n.walk, n.served()...)
		n.tending = true
	}
	n.walk = append(append(n.walk, n.core.Wants()...), n.later...)
	n.later = nil
	for len(n.walk) > 0 && n.core.Room() {
		key := n.walk[0]
		n.walk = n.walk[1:]
		if !n.core.Short(now, key) {
			n.act()
			continue
		}
		switch p, sight := n.engine.Peek(n.time(), []byte(key)); sight {
		case engine.SightHere:
			n.core.Supply(now, &p)
			n.act()
		case engine.SightAbsent, engine.SightSought:
		default:
			n.later = append(n.later, key)
		}
	}
	_, n.tending = n.core.TendShelf(now, 1<<20)
	n.act()
	if n.mode < engine.MirrorTell || now-n.touchAt < int64(n.sim.opt.TouchPeriod) {
		return
	}
	since := now - n.touchAt
	n.touchAt = now
	type touch struct {
		key  string
		left int64
	}
	var all []touch
	for _, key := range n.sim.keys { // the other shards are empty
		shard, _ := bits.Mul64(n.engine.Hash([]byte(key)), engine.NumShards)
		n.engine.Idle(n.time(), int(shard), nil, func(key string, idle, left int64) {
			if left > 0 && idle < since {
				all = append(all, touch{key, left})
			}
		})
	}
	slices.SortFunc(all, func(a, b touch) int { return slices.Compare([]byte(a.key), []byte(b.key)) })
	for _, t := range slices.Compact(all) {
		n.core.Touched(now, t.key, t.left)
	}
	n.act()
}

// served are the sessions that are served here, or are away.
func (n *mate) served() (all []string) {
	for _, key := range n.sim.keys {
		switch n.look(key).State {
		case engine.SightHere, engine.SightAway, engine.SightOccupied:
			all = append(all, key)
		}
	}
	return all
}

func (n *mate) look(key string) engine.Sight { return n.engine.Look(n.time(), []byte(key)) }

// act carries out what the core has decided, and what follows from that.
func (n *mate) act() {
	for actions := n.core.Ready(); len(actions) > 0; actions = n.core.Ready() {
		for _, a := range actions {
			n.carryOut(a)
		}
	}
}

func (n *mate) carryOut(a core.Action) {
	s := n.sim
	switch a := a.(type) {
	case core.Send:
		s.send(n, a.To, a.Addr, a.Msg)
	case core.Take:
		v := &asker{n: n, move: a.Move}
		v.t = engine.Ticket{Op: engine.Leave, Key: []byte(a.Key), Urgent: a.Urgent, Look: a.Look}
		v.do()
	case core.Left:
		s.tracef("%s left %s", n.name, a.Move.Key())
		n.engine.Left(engine.NoLane, a.Move.Handle.(*engine.Leaving))
	case core.Stayed:
		s.tracef("%s stayed %s", n.name, a.Move.Key())
		n.engine.Stayed(engine.NoLane, a.Move.Handle.(*engine.Leaving))
	case core.Arrived:
		n.arrive(a)
	case core.Missing:
		s.tracef("%s missing %s undecided=%v", n.name, a.Fetch.Key, a.Undecided)
		if a.Undecided {
			n.engine.Undecided(n.time(), engine.NoLane, a.Fetch)
		} else {
			n.engine.Missing(n.time(), engine.NoLane, a.Fetch)
		}
	case core.Remember:
		n.misses[a.Key] = s.now + missLife
	case core.Forget:
		if a.Key == "" {
			n.alone = n.core.Alone(s.now)
			clear(n.misses)
		} else {
			delete(n.misses, a.Key)
		}
	case core.Drop:
		n.engine.Unreserve(cap(a.Parcel.Body))
	case core.Confirm:
		s.tracef("%s confirms %s", n.name, a.Change.Key)
		n.engine.Confirm(n.time(), engine.NoLane, a.Change.Handle.(*engine.Change))
	case core.Supersede:
		s.tracef("%s supersedes %s newer=%v", n.name, a.Change.Key, a.Newer)
		p, ok := n.engine.Supersede(n.time(), engine.NoLane, a.Change.Handle.(*engine.Change))
		if !ok {
			n.core.Ousted(s.now, a, nil)
			return
		}
		n.core.Ousted(s.now, a, &p)
	case core.Oust:
		n.oust(a)
	case core.Lift:
		if a.Change != nil {
			n.engine.LiftChange(a.Change.Handle.(*engine.Change), a.Gen)
		} else {
			n.engine.Lift([]byte(a.Key), a.Gen)
		}
	case core.Charge:
		n.engine.Charge(a.Bytes)
	case core.Quarantine:
		s.tracef("%s quarantines %s %d.%d write=%d", n.name, a.Parcel.Key, a.Parcel.Gen, a.Parcel.Version, content(a.Parcel.Body))
		s.kept = append(s.kept, kept{s.now, a.Parcel.Key, content(a.Parcel.Body), a.Parcel.Gen})
	case core.Notice:
		s.tracef("%s notice %s %s", n.name, a.What, a.Key)
		s.notices[a.What]++
		if a.What == core.SessionTakenOver { // it lives as if it had been asked for: perhaps it had been
			t := s.story(a.Key)
			t.hits = append(t.hits, hit{s.now, s.now, false})
		}
	default:
		s.fail("%T: there are no originals here", a)
	}
}

// oust puts a session out of service. While somebody is in it that is tried again.
func (n *mate) oust(a core.Oust) {
	gen, version := uint32(math.MaxUint32), uint32(math.MaxUint32)
	if a.Newer {
		gen, version = a.Gen, a.Version
	}
	p, sight := n.engine.OustOlder(n.time(), engine.NoLane, []byte(a.Key), gen, version)
	n.sim.tracef("%s ousts %s newer=%v: %s %d.%d", n.name, a.Key, a.Newer, sight, p.Gen, p.Version)
	switch {
	case sight == engine.SightHere:
		n.core.Ousted(n.sim.now, a, &p)
	case sight == engine.SightAbsent || sight == engine.SightSought:
		n.core.Ousted(n.sim.now, a, nil)
	case !n.core.Blocked(a):
		n.ousting = append(n.ousting, a)
	}
}

// arrive puts a session into service.
func (n *mate) arrive(a core.Arrived) {
	s := n.sim
	if s.traces() {
		s.tracef("%s puts %s into service: %d.%d write=%d", n.name, a.Parcel.Key, a.Parcel.Gen, a.Parcel.Version, content(a.Parcel.Body))
	}
	if a.Fetch != nil {
		if waiting := n.engine.Arrived(n.time(), engine.NoLane, a.Fetch, *a.Parcel); waiting >= 0 {
			n.core.Settled(s.now, a.Parcel.Key, waiting, nil)
			return
		}
	}
	n.placeIt(a)
}

func (n *mate) placeIt(a core.Arrived) {
	placed, clash := n.engine.Meet(n.time(), engine.NoLane, *a.Parcel, a.Rank)
	n.sim.tracef("%s places %s: %s", n.name, a.Parcel.Key, placed)
	switch placed {
	case engine.PlacedBusy:
		n.placing = append(n.placing, a)
		n.runBy(n.sim.now + 2e6)
		return
	case engine.KeptNewer:
		if a.Parcel.Reserved {
			n.engine.Unreserve(cap(a.Parcel.Body))
		}
	}
	n.core.Settled(n.sim.now, a.Parcel.Key, 0, clash)
}

// receive takes in a message from a link.
func (n *mate) receive(from *mate, m *message.Message) {
	s := n.sim
	if full := m.Kind == message.Transfer || m.Kind == message.Copy && m.Change == message.Content || m.Kind == message.Ceded && !m.Absent; full && s.chance(s.opt.Full) && !s.sealed {
		m.NoRoom, m.Parcel.Body = true, nil
	}
	size := cap(m.Parcel.Body)
	if size > 0 {
		n.engine.Charge(size)
		n.waiting += int64(size)
		m.Parcel.Reserved = true
	}
	n.put(func(now int64) {
		n.waiting -= int64(size)
		if s.traces() {
			s.tracef("%s <- %s %s", n.name, from.name, describeCopy(s, m))
		}
		if n.ended[from.id] {
			if m.Parcel.Reserved {
				n.engine.Unreserve(cap(m.Parcel.Body))
			}
			return
		}
		var sight engine.Sight
		if m.Kind == message.Transfer {
			sight = n.look(m.Key)
		}
		n.core.Step(now, from.id, m, sight)
	})
}

// up, down and gone are what the links report.

func (n *mate) up(other *mate) {
	s := n.sim
	if n.ended[other.id] {
		return
	}
	s.tracef("%s up %s", n.name, other.name)
	n.ups[other.id] = true
	n.core.Up(s.now, other.id, addrOf(other.place))
	n.core.TellTombs(s.now, other.id)
	n.core.Step(s.now, other.id, &message.Message{Kind: message.Hello, Node: other.id, Addr: addrOf(other.place), Leaving: other.leaving, Free: -1}, engine.Sight{})
	for _, x := range s.mates {
		if x != n && x.alive && !n.ups[x.id] {
			return
		}
	}
	n.endJoining()
}

func (n *mate) endJoining() {
	if n.joining {
		n.joining = false
		n.core.Joining(n.sim.now, false)
	}
}

func (n *mate) down(other *mate) {
	s := n.sim
	if !n.ups[other.id] {
		return
	}
	s.tracef("%s down %s", n.name, other.name)
	delete(n.ups, other.id)
	n.core.Down(s.now, other.id)
	s.knockFor(n, other, s.now+s.lostLife())
	s.watch(n, other)
}

func (n *mate) gone(id message.Node) {
	if n.ended[id] {
		return
	}
	n.sim.tracef("%s gone %s", n.name, n.sim.nameOf(id))
	n.ended[id] = true
	delete(n.ups, id)
	n.core.Gone(n.sim.now, id)
}

// check holds the core to its invariants.
func (n *mate) check() {
	if what := n.core.Wrong(); what != "" {
		n.sim.fail("5 %s: %s", n.name, what)
	}
	if len(n.inbox) > 0 {
		return // the core has yet to learn of something
	}
	for _, key := range n.sim.keys {
		if n.core.Keeps(key) && n.look(key).State == engine.SightHere {
			n.sim.fail("5 %s: %s is on the shelf and served", n.name, key)
		}
	}
}

// mateMirror is the engine's Mirror.
type mateMirror mate

func (m *mateMirror) Changed(c *engine.Change) bool {
	n := (*mate)(m)
	if n.sim.traces() {
		n.sim.tracef("%s changed %s %d.%d cookie=%d locked=%v content=%v removed=%v awaited=%v", n.name, c.Key, c.Parcel.Gen, c.Parcel.Version, c.Parcel.Cookie, c.Parcel.Locked, c.Content, c.Removed, c.Awaited)
	}
	n.keepTicking()
	return n.put(func(now int64) {
		ch := &core.Change{Key: c.Key, Parcel: c.Parcel, Content: c.Content, Removed: c.Removed, Awaited: c.Awaited, Handle: c}
		if c.Awaited {
			ch.Full = func() engine.Parcel { return n.engine.State(n.time(), c) }
		}
		n.core.Changed(now, ch)
	})
}

func (m *mateMirror) Expired(key string) {
	n := (*mate)(m)
	n.sim.tracef("%s expired %s", n.name, key)
	n.put(func(now int64) { n.core.Expired(now, key) })
}

// mateElsewhere is the engine's Elsewhere.
type mateElsewhere mate

func (m *mateElsewhere) Nowhere(_ uint64, key []byte) bool {
	return m.alone || m.misses[string(key)] > m.sim.now
}

func (m *mateElsewhere) Find(f *engine.Fetch) {
	n := (*mate)(m)
	n.keepTicking()
	n.put(func(now int64) {
		if !f.Done() {
			n.sim.tracef("%s looks for %s", n.name, f.Key)
			n.core.Find(now, f)
		}
	})
}

// wake is the engine's Ready: somebody has to call Run.
func (n *mate) wake(int) {
	if n.ready {
		return
	}
	n.ready = true
	n.sim.after(n.sim.within(n.sim.opt.Slow), n.turns)
}

func (n *mate) turns() {
	if !n.alive || n.frozen || !n.ready {
		return
	}
	n.ready = false
	for n.engine.Run(n.time(), engine.NoLane, 1) {
		if n.sim.opt.Slow != 0 && n.sim.rand.IntN(2) == 0 {
			n.wake(0)
			return
		}
	}
}

// keepTicking sees to it that the engine is told of the time while anything waits for it.
func (n *mate) keepTicking() {
	if n.ticking {
		return
	}
	n.ticking = true
	n.sim.after(tick, func() {
		n.ticking = false
		if !n.alive || n.frozen {
			return
		}
		n.engine.Tick(n.time())
		open := n.requests[:0]
		for _, r := range n.requests {
			if !r.answered {
				open = append(open, r)
			}
		}
		clear(n.requests[len(open):])
		n.requests = open
		again := len(open) > 0
		for _, key := range n.sim.keys {
			switch n.look(key).State {
			case engine.SightAway, engine.SightSought, engine.SightOccupied:
				again = true
			}
		}
		if again {
			n.keepTicking()
		}
	})
}

// sweepAll has the engine look for sessions that have expired, now and then.
func (n *mate) sweepAll() {
	if n.alive && !n.frozen {
		n.engine.Tick(n.time())
	}
	if n.alive {
		n.sim.after(int64(time.Second), n.sweepAll)
	}
}

// asker is the engine's caller.
type asker struct {
	n    *mate
	r    *ask
	move *core.Move
	t    engine.Ticket
}

func (v *asker) do() {
	v.t.Hash = v.n.engine.Hash(v.t.Key)
	v.t.Caller = v
	v.t.Yield = v.n.sim.chance(v.n.sim.opt.Occupied)
	v.n.engine.Do(v.n.time(), engine.NoLane, &v.t)
}

// Park implements engine.Caller.
func (v *asker) Park(*engine.Ticket) { v.n.keepTicking() }

// Answer implements engine.Caller.
func (v *asker) Answer(t *engine.Ticket, _ int) bool {
	if v.move == nil {
		return v.n.answer(v.r, t)
	}
	out := t.Out
	return v.n.put(func(now int64) {
		n := v.n
		switch {
		case out.Status == engine.OK && v.t.Look:
			n.core.Taken(now, v.move, core.TakenHere, nil)
		case out.Status == engine.OK:
			v.move.Handle = v.t.Leaving
			p := n.engine.Parcel(n.time(), v.t.Leaving)
			n.core.Taken(now, v.move, core.TakenOK, &p)
		case out.Status == engine.Sought:
			n.core.Taken(now, v.move, core.TakenSought, nil)
		case out.Status == engine.NotFound:
			n.core.Taken(now, v.move, core.TakenAbsent, nil)
		default:
			n.core.Taken(now, v.move, core.TakenLocked, nil)
		}
	})
}

func describeCopy(s *mesh, m *message.Message) string {
	switch m.Kind {
	case message.Copy:
		return fmt.Sprintf("copy %x#%d heard=%d %s %s %d.%d cookie=%d locked=%v write=%d owner=%s base=%s tomb=%v", m.Stream[:2], m.Update, m.Heard, m.Change, m.Key, m.Gen, m.Parcel.Version,
			m.Parcel.Cookie, m.Parcel.Locked, content(m.Parcel.Body), s.nameOf(m.Owner), s.nameOf(m.Base), m.Tomb)
	case message.Copied:
		return fmt.Sprintf("copied %x#%d refusals=%v", m.Stream[:2], m.Update, m.Refusals)
	case message.Claim:
		return fmt.Sprintf("claim %s %s", m.ID.String()[:6], m.Key)
	case message.Ceded:
		return fmt.Sprintf("ceded %s %s absent=%v %d.%d write=%d", m.ID.String()[:6], m.Key, m.Absent, m.Gen, m.Parcel.Version, content(m.Parcel.Body))
	case message.NotHere:
		var text strings.Builder
		text.WriteString(describe(m))
		for _, c := range m.Copies {
			fmt.Fprintf(&text, " copy@%s of %s %d.%d/%d ended=%v", s.nameOf(c.Node), s.nameOf(c.Owner), c.Gen, c.Version, c.Cookie, c.Ended)
		}
		if m.Removed > 0 {
			fmt.Fprintf(&text, " removed=%d", m.Removed)
		}
		return text.String()
	case message.Shelved:
		var text strings.Builder
		_ = message.EachShelved(m.Parcel.Body, func(key string, gen, version uint32) bool {
			fmt.Fprintf(&text, " %s %d.%d", key, gen, version)
			return true
		})
		return "shelved" + text.String()
	}
	return describe(m)
}
