package sim

import (
	"math"

	"github.com/farmstate/farmstate/engine"
)

// ask is one request of a client of a farm with copies.
type ask struct {
	n         int
	op        engine.Op
	key       string
	cookie    uint32
	hasCookie bool
	write     uint64 // Set
	node      *mate
	begun     int64
	answered  bool // by the node
	done      bool // the client knows, or does not wait any more
	then      func(a answer)
	did       *deed // what it may do to the session; nil if it reads
}

// hangUp is how long a client waits for an answer: as long as ASP.NET does.
const hangUp = int64(10e9)

// request sends a request to a node that takes some.
func (s *mesh) request(op engine.Op, key string, cookie uint32, then func(a answer)) {
	n := s.someMate()
	if n == nil {
		s.after(100e6, func() { s.request(op, key, cookie, then) })
		return
	}
	s.requestAt(n, op, key, cookie, then)
}

func (s *mesh) requestAt(n *mate, op engine.Op, key string, cookie uint32, then func(a answer)) {
	s.asked++
	r := &ask{n: s.asked, op: op, key: key, cookie: cookie, hasCookie: cookie != 0, node: n, begun: s.now, then: then}
	if op == engine.Set {
		r.write = uint64(s.asked)
	}
	s.story(key).asked(r)
	s.pending++
	if s.traces() {
		s.tracef("%s is asked #%d %s %s cookie=%d", n.name, r.n, op, key, cookie)
	}
	n.requests = append(n.requests, r)
	s.after(hangUp, func() { s.tell(r, answer{failed: true}) })
	if n.frozen {
		n.socket = append(n.socket, func() { n.serve(r) })
		return
	}
	n.serve(r)
}

// serve hands a request to the engine.
func (n *mate) serve(r *ask) {
	v := &asker{n: n, r: r}
	v.t = engine.Ticket{Op: r.op, Key: []byte(r.key), Cookie: r.cookie, HasCookie: r.hasCookie, Minutes: n.sim.opt.Minutes}
	if r.op == engine.Set {
		v.t.Body = body(r.write)
	}
	v.do()
}

// answer takes in a node's answer. It returns false if nobody waits for it any more.
func (n *mate) answer(r *ask, t *engine.Ticket) bool {
	s := n.sim
	a := answer{status: t.Out.Status, cookie: t.Out.Cookie, write: content(t.Out.Body)}
	if s.traces() {
		s.tracef("%s answers #%d %s %s: %s write=%d cookie=%d", n.name, r.n, r.op, r.key, a.status, a.write, a.cookie)
	}
	if r.answered {
		s.fail("request #%d is answered twice", r.n)
		return false
	}
	r.answered = true
	s.answers[a.status]++
	s.story(r.key).answered(r, a)
	if r.done {
		return false
	}
	s.after(s.delay(), func() { s.tell(r, a) })
	return true
}

// tell gives a client its answer, or has it hang up.
func (s *mesh) tell(r *ask, a answer) {
	if r.done {
		return
	}
	r.done = true
	s.pending--
	r.then(a)
}

// someMate is a node that takes requests; nil if there is none. A frozen one takes them, too, but a load balancer learns of that.
func (s *mesh) someMate() *mate {
	at := s.rand.IntN(len(s.mates))
	for i := range s.mates {
		n := s.mates[(at+i)%len(s.mates)]
		if n.alive && !n.closing && (!n.frozen || s.rand.IntN(6) == 0) {
			return n
		}
	}
	return nil
}

// user is somebody who visits pages, one after the other, through any node.
type user struct {
	sim   *mesh
	tries int
}

func (s *mesh) startClients() {
	for range s.opt.Clients {
		u := &user{sim: s}
		s.after(s.within(s.opt.Think), u.visit)
	}
	for _, n := range s.mates {
		s.after(s.within(1e9), n.sweepAll)
	}
}

func (u *user) think(then func()) {
	s := u.sim
	d := s.within(2 * s.opt.Think)
	if s.opt.Pauses && s.rand.IntN(4) == 0 {
		d = int64(50e9) + s.within(30e9)
	}
	s.after(d, func() {
		if !s.sealed {
			then()
		}
	})
}

// visit begins a page.
func (u *user) visit() {
	s := u.sim
	if s.now >= s.opt.BusyUntil {
		return
	}
	key := s.keys[s.rand.IntN(len(s.keys))]
	u.tries = 0
	again := func(answer) { u.think(u.visit) }
	switch x := s.rand.IntN(100); {
	case x < 20:
		s.request(engine.Get, key, 0, again)
	case x < 25:
		s.request(engine.Set, key, 0, again)
	case x < 30:
		s.request(engine.Touch, key, 0, again)
	default:
		u.page(key)
	}
}

// page acquires the session, and then writes it, or gives it back, or whatever pages do.
func (u *user) page(key string) {
	s := u.sim
	if s.sealed {
		return
	}
	s.request(engine.Acquire, key, 0, func(a answer) {
		switch {
		case a.failed || a.status == engine.Cut || a.status == engine.Locked:
			u.tries++
			if u.tries < 6 {
				s.after(s.within(500e6)+1, func() { u.page(key) })
				return
			}
			if a.status == engine.Locked && a.cookie != 0 { // the page that has the lock is taken to be dead
				s.request(engine.Release, key, a.cookie, func(answer) { u.think(u.visit) })
				return
			}
			u.think(u.visit)
		case a.status == engine.NotFound:
			s.request(engine.Set, key, 0, func(answer) { u.think(u.visit) })
		default:
			u.think(func() { u.end(key, a.cookie) })
		}
	})
}

// end ends a page that has the lock.
func (u *user) end(key string, cookie uint32) {
	op := engine.Set
	switch x := u.sim.rand.IntN(100); {
	case x < u.sim.opt.Removals:
		op = engine.Remove
	case x < u.sim.opt.Removals+6: // it dies
		u.think(u.visit)
		return
	case x > 85:
		op = engine.Release
	}
	u.again(op, key, cookie, 3)
}

// again sends a request, and sends it again if nothing has come of it.
func (u *user) again(op engine.Op, key string, cookie uint32, times int) {
	u.sim.request(op, key, cookie, func(a answer) {
		if (a.failed || a.status == engine.Cut) && times > 0 && !u.sim.sealed {
			u.again(op, key, cookie, times-1)
			return
		}
		u.think(u.visit)
	})
}

// probe asks for each session at each node, and wants an answer.
func (s *mesh) probe() {
	s.opt.Loss, s.opt.Late = 0, 0
	for _, key := range s.keys {
		s.request(engine.Get, key, 0, func(a answer) {
			if a.failed || a.status == engine.Cut {
				s.fail("4 convergence: the farm is at rest, and nobody can say where %s is", key)
			}
		})
	}
}

const never = int64(math.MaxInt64)
