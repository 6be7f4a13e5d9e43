package sim

import (
	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
)

// real is a store with a real engine.
type real struct {
	n     *node
	e     *engine.Engine
	woken bool // a Run is planned
	// batch collects answers while the engine is being called: who removes a session comes before those who are told so.
	depth int
	batch []func()
}

func newReal(n *node) *real {
	x := &real{n: n}
	e, err := engine.New(engine.Options{LockWait: n.sim.opt.LockWait, FarmWait: n.sim.opt.QueryTimeout, Elsewhere: x, Ready: x.ready}, x.now())
	if err != nil {
		n.sim.fail("%v", err)
	}
	x.e = e
	return x
}

func (x *real) now() engine.Time {
	return engine.Time{Mono: x.n.sim.now, Date: 638409078000000000 + x.n.sim.now/100}
}

// ready is called inside of the engine.
func (x *real) ready(int) {
	if x.woken {
		return
	}
	x.woken = true
	x.n.sim.after(x.n.sim.turn(), func() {
		if !x.n.alive {
			return
		}
		x.woken = false
		for more := true; more; {
			x.call(func() { more = x.e.Run(x.now(), engine.NoLane, 1) })
			if more && x.n.sim.slowly() {
				x.ready(0)
				break
			}
		}
		x.n.act()
	})
}

// call calls the engine, and passes on what it has answered.
func (x *real) call(f func()) {
	x.depth++
	x.n.sim.touched = true
	f()
	x.depth--
	if x.depth > 0 {
		return
	}
	batch := x.batch
	x.batch = nil
	for _, f := range batch {
		f()
	}
}

// Nowhere implements engine.Elsewhere.
func (x *real) Nowhere(_ uint64, key []byte) bool { return x.n.nowhere(string(key)) }

// Find implements engine.Elsewhere.
func (x *real) Find(f *engine.Fetch) {
	x.n.keepTicking()
	x.n.find(f)
}

// visitor is the engine's caller.
type visitor struct {
	x    *real
	r    *request
	move *core.Move
	t    engine.Ticket
}

// Park implements engine.Caller.
func (v *visitor) Park(*engine.Ticket) { v.x.n.keepTicking() }

// Answer implements engine.Caller.
func (v *visitor) Answer(t *engine.Ticket, _ int) bool {
	if v.move != nil {
		v.taken(t.Out.Status)
		return true
	}
	a := answer{status: t.Out.Status, cookie: t.Out.Cookie, write: content(t.Out.Body)}
	tell := func() { v.x.n.answer(v.r, a) }
	if t.Op == engine.Remove && a.status == engine.OK {
		v.x.batch = append([]func(){tell}, v.x.batch...)
	} else {
		v.x.batch = append(v.x.batch, tell)
	}
	return true
}

func (v *visitor) taken(status engine.Status) {
	outcome := core.TakenLocked
	switch status {
	case engine.OK:
		outcome = core.TakenOK
	case engine.Sought:
		outcome = core.TakenSought
	case engine.NotFound:
		outcome = core.TakenAbsent
	}
	v.x.n.taken(v.move, outcome, v)
}

func (x *real) do(v *visitor) {
	v.t.Hash = x.e.Hash(v.t.Key)
	v.t.Caller = v
	v.t.Yield = x.n.sim.chance(x.n.sim.opt.Occupied)
	x.call(func() { x.e.Do(x.now(), engine.NoLane, &v.t) })
}

func (x *real) ask(r *request) {
	v := &visitor{x: x, r: r}
	v.t = engine.Ticket{Op: r.op, Key: []byte(r.key), Cookie: r.cookie, HasCookie: r.hasCookie, Minutes: 20}
	if r.op == engine.Set {
		v.t.Body = body(r.write)
	}
	x.do(v)
}

func (x *real) leave(m *core.Move, key string, urgent bool) {
	v := &visitor{x: x, move: m}
	v.t = engine.Ticket{Op: engine.Leave, Key: []byte(key), Urgent: urgent}
	x.do(v)
}

func leavingOf(m *core.Move) *engine.Leaving { return m.Handle.(*visitor).t.Leaving }

func (x *real) parcel(m *core.Move) engine.Parcel { return x.e.Parcel(x.now(), leavingOf(m)) }
func (x *real) left(m *core.Move)                 { x.call(func() { x.e.Left(engine.NoLane, leavingOf(m)) }) }
func (x *real) stayed(m *core.Move)               { x.call(func() { x.e.Stayed(engine.NoLane, leavingOf(m)) }) }
func (x *real) missing(f *engine.Fetch)           { x.call(func() { x.e.Missing(x.now(), engine.NoLane, f) }) }
func (x *real) undecided(f *engine.Fetch) {
	x.call(func() { x.e.Undecided(x.now(), engine.NoLane, f) })
}
func (*real) done(f *engine.Fetch) bool      { return f.Done() }
func (x *real) look(key string) engine.Sight { return x.e.Look(x.now(), []byte(key)) }

func (x *real) arrived(f *engine.Fetch, p *engine.Parcel) (waiting int) {
	x.call(func() { waiting = x.e.Arrived(x.now(), engine.NoLane, f, *p) })
	return waiting
}

func (x *real) place(p *engine.Parcel, rank uint32) (placed engine.Placed, clash *engine.Clash) {
	x.call(func() { placed, clash = x.e.Meet(x.now(), engine.NoLane, *p, rank) })
	return placed, clash
}

// has takes what is away for what is here: a session that is leaving, but also the place of one that is looked for is not told apart by Look when somebody
// is in it.
func (x *real) has(key string) bool {
	switch x.look(key).State {
	case engine.SightHere, engine.SightAway, engine.SightOccupied:
		return true
	}
	return false
}

func (x *real) keys() (all []string) {
	for _, key := range x.n.sim.keys {
		if x.has(key) {
			all = append(all, key)
		}
	}
	return all
}

func (x *real) hollow() (n int) {
	for _, key := range x.n.sim.keys {
		switch x.look(key).State {
		case engine.SightAway, engine.SightSought, engine.SightOccupied:
			n++
		}
	}
	return n
}

func (x *real) tick() (again bool) {
	x.call(func() { x.e.Tick(x.now()) })
	x.n.act()
	return len(x.n.openRequests()) > 0 || x.hollow() > 0
}

// openRequests are those that have not been answered.
func (n *node) openRequests() []*request {
	n.forgetAnswered()
	return n.requests
}

// countServing looks who serves what, in farms of real engines.
func (s *Sim) countServing() {
	if s.forked() {
		return
	}
	for _, key := range s.keys {
		serving := 0
		for _, n := range s.places {
			if n.alive && n.store.look(key).State == engine.SightHere {
				serving++
			}
		}
		if serving > 1 {
			s.fail("%d copies of %s are served", serving, key)
		}
	}
}
