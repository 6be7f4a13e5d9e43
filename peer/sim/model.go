package sim

import (
	"slices"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
)

// model is a store with the contract of engine.Engine as far as farms are concerned, obvious and slow. It knows more about what it does than the engine tells:
// whether a save has made a session.
type model struct {
	n    *node
	recs map[string]*record
	list []*record // the same, in order of arrival
	wait int64     // for a lock
}

// life says what a record is.
type life uint8

const (
	living life = iota
	sought
	void
	dead
)

// record is a session, or the place of one.
type record struct {
	key     string
	life    life
	away    bool // being looked for, or leaving
	fetch   *engine.Fetch
	trip    *core.Move
	tripAt  int64
	running bool // a turn is planned
	queue   []*ticket
	waiters []*ticket

	write   uint64
	gen     uint32
	version uint32
	cookie  uint32
	locked  bool
}

// ticket is a request, or, with a move, a Leave.
type ticket struct {
	r      *request
	move   *core.Move
	key    string
	urgent bool
	since  int64
	late   bool
	until  int64 // of a waiter
}

// Bounds as in the engine.
const (
	maxQueue   = 50
	maxLeaves  = 64
	maxWaiters = 64
)

func newModel(n *node) *model {
	return &model{n: n, recs: map[string]*record{}, wait: int64(n.sim.opt.LockWait)}
}

func (m *model) add(x *record) {
	m.recs[x.key] = x
	m.list = append(m.list, x)
}

// bury removes a record. Who is queued starts over.
func (m *model) bury(x *record) {
	if x.life == living && !x.away {
		m.n.sim.serves(m.n, x.key, -1)
	}
	x.life = dead
	delete(m.recs, x.key)
	m.list = slices.DeleteFunc(m.list, func(r *record) bool { return r == x })
}

func (m *model) ask(r *request) { m.do(&ticket{r: r, key: r.key, since: m.n.sim.now}) }

func (m *model) leave(move *core.Move, key string, urgent bool) {
	m.do(&ticket{move: move, key: key, urgent: urgent, since: m.n.sim.now})
}

func (m *model) do(t *ticket) {
	x := m.recs[t.key]
	switch {
	case x == nil:
		m.absent(t)
	case x.away || x.running || m.n.sim.chance(m.n.sim.opt.Occupied):
		m.enqueue(x, t)
	default:
		m.act(x, t)
	}
}

// absent carries out a ticket for which there is no record.
func (m *model) absent(t *ticket) {
	s := m.n.sim
	switch {
	case t.move != nil:
		m.n.taken(t.move, core.TakenAbsent, nil)
	case !m.n.nowhere(t.key):
		end := t.since + int64(s.opt.QueryTimeout)
		if end <= s.now {
			m.cut(t)
			return
		}
		op := t.r.op
		x := &record{key: t.key, life: sought, away: true, queue: []*ticket{t}}
		x.fetch = &engine.Fetch{Key: t.key, Urgent: op == engine.Set || op == engine.Release || op == engine.Remove, Deadline: max(end, s.now+10e6)}
		m.add(x)
		m.n.keepTicking()
		m.n.find(x.fetch)
	case t.r.op == engine.Set:
		x := &record{key: t.key}
		m.add(x)
		m.create(x, t)
	default:
		m.n.answer(t.r, answer{status: engine.NotFound})
	}
}

// create makes a record the session of a save.
func (m *model) create(x *record, t *ticket) {
	x.life, x.write, x.version, x.cookie, x.gen = living, t.r.write, 1, 1, 0
	m.n.sim.serves(m.n, x.key, 1)
	m.n.answer(t.r, answer{made: true})
}

func (m *model) cut(t *ticket) {
	if t.move != nil {
		m.n.taken(t.move, core.TakenLocked, nil)
		return
	}
	m.n.answer(t.r, answer{status: engine.Cut})
}

func (m *model) enqueue(x *record, t *ticket) {
	leaves := 0
	for _, q := range x.queue {
		if q.move != nil {
			leaves++
		}
	}
	switch {
	case t.move != nil && x.away && x.life == sought:
		m.n.taken(t.move, core.TakenSought, nil)
		return
	case t.move != nil && leaves >= maxLeaves || t.move == nil && len(x.queue)-leaves >= maxQueue:
		m.cut(t)
		return
	}
	x.queue = append(x.queue, t)
	if x.away {
		m.n.keepTicking()
		return
	}
	m.run(x)
}

// run plans a turn.
func (m *model) run(x *record) {
	if x.running {
		return
	}
	x.running = true
	m.n.sim.after(m.n.sim.turn(), func() {
		if m.n.alive && x.running {
			x.running = false
			m.serve(x)
			m.n.act()
		}
	})
}

// serve gives a record with tickets its turn.
func (m *model) serve(x *record) {
	for len(x.queue) > 0 && !x.away {
		t := x.queue[0]
		x.queue = x.queue[1:]
		if x.life == dead {
			m.do(t)
			continue
		}
		if x.life == void {
			m.actVoid(x, t)
		} else {
			m.act(x, t)
		}
		if m.n.sim.slowly() && len(x.queue) > 0 && !x.away {
			m.run(x)
			return
		}
	}
	if x.life == void && !x.away {
		m.bury(x)
	}
}

func (m *model) actVoid(x *record, t *ticket) {
	switch {
	case t.move != nil:
		m.bury(x)
		m.n.taken(t.move, core.TakenAbsent, nil)
	case t.r.op == engine.Set:
		m.create(x, t)
	default:
		m.n.answer(t.r, answer{status: engine.NotFound})
	}
}

func (m *model) act(x *record, t *ticket) {
	if t.move != nil {
		m.depart(x, t)
		return
	}
	r := t.r
	admits := !x.locked || r.hasCookie && r.cookie == x.cookie
	refused := answer{status: engine.Locked, cookie: x.cookie}
	switch r.op {
	case engine.Get:
		if x.locked {
			m.n.answer(r, refused)
			return
		}
		m.n.answer(r, answer{write: x.write})
	case engine.Acquire:
		switch {
		case !x.locked:
			m.grant(x, t)
		case !t.late && m.wait > 0 && len(x.waiters) < maxWaiters && (t.until == 0 || t.until > m.n.sim.now):
			if t.until == 0 {
				t.until = m.n.sim.now + m.wait
			}
			x.waiters = append(x.waiters, t)
			m.n.keepTicking()
		default:
			m.n.answer(r, refused)
		}
	case engine.Release:
		if !admits {
			m.n.answer(r, refused)
			return
		}
		m.n.answer(r, answer{})
		m.unlock(x)
	case engine.Set:
		if !admits {
			m.n.answer(r, refused)
			return
		}
		x.write = r.write
		x.version++
		m.n.answer(r, answer{})
		m.unlock(x)
	case engine.Remove:
		if !admits {
			m.n.answer(r, refused)
			return
		}
		m.n.answer(r, answer{})
		waiters := x.waiters
		x.waiters = nil
		m.bury(x)
		for _, w := range waiters {
			m.n.answer(w.r, answer{status: engine.NotFound})
		}
		m.run(x) // those who are queued start over
	}
}

func (m *model) grant(x *record, t *ticket) {
	x.cookie++
	x.locked = true
	m.n.answer(t.r, answer{write: x.write, cookie: x.cookie})
}

func (m *model) unlock(x *record) {
	if !x.locked {
		return
	}
	x.locked = false
	if len(x.waiters) > 0 {
		w := x.waiters[0]
		x.waiters = x.waiters[1:]
		m.grant(x, w)
	}
}

// depart takes a session out of service.
func (m *model) depart(x *record, t *ticket) {
	if !t.urgent && x.locked && len(x.waiters) > 0 {
		m.n.taken(t.move, core.TakenLocked, nil)
		return
	}
	x.gen++
	x.away, x.trip, x.tripAt = true, t.move, m.n.sim.now
	m.n.sim.serves(m.n, x.key, -1)
	m.n.taken(t.move, core.TakenOK, x)
}

func (m *model) parcel(move *core.Move) engine.Parcel {
	x := move.Handle.(*record)
	return engine.Parcel{Key: x.key, Body: body(x.write), Gen: x.gen, Version: x.version, Cookie: x.cookie, Locked: x.locked}
}

// land ends a trip, unless it is over.
func (m *model) land(x *record) {
	x.away, x.trip, x.fetch = false, nil, nil
	if len(x.queue) > 0 || x.life == void {
		m.run(x)
	}
}

func (m *model) left(move *core.Move) {
	x := move.Handle.(*record)
	if x.trip != move {
		m.n.sim.fail("%s left %s, which was not leaving", m.n.name(), x.key)
		return
	}
	for _, w := range x.waiters {
		w.since = max(w.since, x.tripAt)
	}
	x.queue = append(x.waiters, x.queue...)
	x.waiters = nil
	m.bury(x)
	m.land(x)
}

func (m *model) stayed(move *core.Move) {
	x := move.Handle.(*record)
	if x.trip != move {
		m.n.sim.fail("%s stayed %s, which was not leaving", m.n.name(), x.key)
		return
	}
	m.n.sim.serves(m.n, x.key, 1)
	m.land(x)
}

func (m *model) searched(f *engine.Fetch) *record {
	x := m.recs[f.Key]
	if x == nil || x.fetch != f {
		return nil
	}
	return x
}

func (m *model) done(f *engine.Fetch) bool { return m.searched(f) == nil }

func (m *model) arrived(f *engine.Fetch, p *engine.Parcel) (waiting int) {
	x := m.searched(f)
	if x == nil {
		return -1
	}
	m.load(x, p)
	m.land(x)
	return len(x.queue)
}

func (m *model) load(x *record, p *engine.Parcel) {
	if x.life != living {
		m.n.sim.serves(m.n, x.key, 1)
	}
	x.life, x.write, x.gen, x.version, x.cookie, x.locked = living, content(p.Body), p.Gen, p.Version, p.Cookie, p.Locked
}

func (m *model) place(p *engine.Parcel, rank uint32) (engine.Placed, *engine.Clash) {
	x := m.recs[p.Key]
	switch {
	case x == nil:
		x = &record{key: p.Key, life: void}
		m.add(x)
		m.load(x, p)
		return engine.PlacedNew, nil
	case x.life == sought && x.away:
		m.load(x, p)
		m.land(x)
		return engine.PlacedSought, nil
	case x.away || x.running || x.life != living:
		return engine.PlacedBusy, nil
	case rank < x.gen || rank == x.gen && (p.Version < x.version || p.Version == x.version && p.Gen <= x.gen):
		if x.gen < p.Gen || x.gen == p.Gen && x.version <= p.Version {
			x.gen = p.Gen + 1
		}
		lost := *p
		return engine.KeptNewer, &engine.Clash{Kept: true, Gen: x.gen, Lost: differs(&lost, content(p.Body), x.write)}
	}
	lost := engine.Parcel{Key: x.key, Body: body(x.write), Gen: x.gen, Version: x.version}
	clash := &engine.Clash{Gen: p.Gen, Lost: differs(&lost, x.write, content(p.Body))}
	m.load(x, p)
	x.queue = append(x.waiters, x.queue...)
	x.waiters = nil
	m.run(x)
	return engine.PlacedNewer, clash
}

// differs is the state that has given way; nil if the other one has the same content.
func differs(lost *engine.Parcel, write, other uint64) *engine.Parcel {
	if write == other {
		return nil
	}
	return lost
}

func (m *model) missing(f *engine.Fetch) {
	if x := m.searched(f); x != nil {
		x.life = void
		m.land(x)
	}
}

func (m *model) undecided(f *engine.Fetch) {
	x := m.searched(f)
	if x == nil {
		return
	}
	queue := x.queue
	x.queue = nil
	m.bury(x)
	for _, t := range queue {
		m.cut(t)
	}
	m.land(x)
}

func (m *model) look(key string) engine.Sight {
	x := m.recs[key]
	switch {
	case x == nil:
		return engine.Sight{}
	case x.away && x.life == sought:
		return engine.Sight{State: engine.SightSought}
	case x.away:
		return engine.Sight{State: engine.SightAway}
	case x.running:
		return engine.Sight{State: engine.SightOccupied}
	}
	return engine.Sight{State: engine.SightHere, Gen: x.gen, Version: x.version}
}

func (m *model) has(key string) bool {
	x := m.recs[key]
	return x != nil && x.life == living
}

func (m *model) keys() (all []string) {
	for _, x := range m.list {
		if x.life == living {
			all = append(all, x.key)
		}
	}
	return all
}

func (m *model) hollow() (n int) {
	for _, x := range m.list {
		if x.life != living || x.away {
			n++
		}
	}
	return n
}

// tick tells those who have waited for a lock for too long, and cuts those who have waited too long.
func (m *model) tick() (again bool) {
	now := m.n.sim.now
	for _, x := range slices.Clone(m.list) {
		if x.away {
			queue := x.queue
			x.queue = nil
			for _, t := range queue {
				if t.since+int64(m.n.sim.opt.QueryTimeout) <= now {
					m.cut(t)
				} else {
					x.queue = append(x.queue, t)
				}
			}
			again = true
		}
		for len(x.waiters) > 0 && x.waiters[0].until <= now {
			w := x.waiters[0]
			x.waiters = x.waiters[1:]
			w.late = true
			m.do(w)
		}
		again = again || len(x.waiters) > 0
	}
	m.n.act()
	return again
}
