package sim

import (
	"fmt"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/message"
)

// node is one process of the farm: a core, a store of sessions, and what the program does between them (peer/driver.go).
type node struct {
	sim      *Sim
	place    int
	id       message.Node
	core     *core.Core
	store    store
	misses   map[string]int64
	ups      map[message.Node]bool
	ended    map[message.Node]bool // known here to have ended
	alive    bool
	vanished bool // its machine is gone: nobody refuses connections
	leaving  bool
	alone    bool
	joining  bool
	wake     int64 // when it looks at its core's timers next; 0 = not planned
	closing  bool  // takes no requests
	requests []*request
	ticking  bool
}

// store is the engine, or a model of it. Its methods follow those of engine.Engine.
type store interface {
	ask(r *request)
	leave(m *core.Move, key string, urgent bool)
	parcel(m *core.Move) engine.Parcel
	left(m *core.Move)
	stayed(m *core.Move)
	arrived(f *engine.Fetch, p *engine.Parcel) (waiting int)
	place(p *engine.Parcel, rank uint32) (engine.Placed, *engine.Clash)
	missing(f *engine.Fetch)
	undecided(f *engine.Fetch)
	done(f *engine.Fetch) bool
	look(key string) engine.Sight
	has(key string) bool // a session, here or leaving
	keys() []string
	tick() (again bool) // again, if it has to be called again
	hollow() int        // places of sessions that are looked for, void, or away
}

// missLife is as in peer.
const missLife = int64(2e9)

func (s *Sim) newNode(place int) *node {
	n := &node{
		sim: s, place: place, id: message.Node(s.newID()), misses: map[string]int64{}, ups: map[message.Node]bool{}, ended: map[message.Node]bool{}, alive: true,
		joining: true,
	}
	n.core = core.New(core.Options{
		Node: n.id, Addr: addrOf(place), MaxForwards: s.opt.MaxForwards, QueryTimeout: s.opt.QueryTimeout, NewID: s.newID, Weaken: s.opt.Weaken,
	})
	n.core.Joining(s.now, true)
	if s.opt.Engine {
		n.store = newReal(n)
	} else {
		n.store = newModel(n)
	}
	s.places[place] = n
	s.byNode[n.id] = n
	s.names[n.id] = fmt.Sprintf("%d.%d", place, s.births)
	s.births++
	return n
}

func addrOf(place int) string { return fmt.Sprintf("10.0.%d.%d:42425", place/256, place%256) }

func (n *node) name() string { return n.sim.nameOf(n.id) }

// act carries out what the core has decided, and what follows from that.
func (n *node) act() {
	for actions := n.core.Ready(); len(actions) > 0; actions = n.core.Ready() {
		for _, a := range actions {
			n.carryOut(a)
		}
	}
	n.alone = n.core.Alone(n.sim.now)
	n.sleep()
}

// sleep plans the next look at the core's timers.
func (n *node) sleep() {
	at, ok := n.core.Next()
	if !ok || n.wake != 0 && n.wake <= at {
		return
	}
	n.wake = at
	n.sim.at(at, func() {
		if n.alive && n.wake == at {
			n.wake = 0
			n.core.Tick(n.sim.now)
			n.act()
		}
	})
}

func (n *node) carryOut(a core.Action) {
	s := n.sim
	switch a := a.(type) {
	case core.Send:
		s.send(n, a.To, a.Addr, a.Msg)
	case core.Take:
		n.store.leave(a.Move, a.Key, a.Urgent)
	case core.Left:
		s.tracef("%s left %s", n.name(), a.Move.Key())
		n.store.left(a.Move)
	case core.Stayed:
		s.tracef("%s stayed %s", n.name(), a.Move.Key())
		n.store.stayed(a.Move)
	case core.Arrived:
		n.arrive(a)
	case core.Missing:
		s.tracef("%s missing %s undecided=%v", n.name(), a.Fetch.Key, a.Undecided)
		if a.Undecided {
			n.store.undecided(a.Fetch)
		} else {
			n.store.missing(a.Fetch)
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
	case core.Quarantine:
	case core.Notice:
		s.tracef("%s notice %s %s", n.name(), a.What, a.Key)
		s.notices[a.What]++
		if a.What == core.SessionRecovered && !s.truth(a.Key).exists {
			// The holder called the move off without being heard, the session was removed, and the holder ended: nobody is left who could know.
			s.resurrected++
			s.shake(a.Key)
		}
	default:
		s.fail("%T: there are no originals here", a)
	}
}

// taken tells the core what became of a Take, a moment later.
func (n *node) taken(m *core.Move, o core.Outcome, handle any) {
	s := n.sim
	s.after(s.slow(), func() {
		if !n.alive {
			return
		}
		var p *engine.Parcel
		if o == core.TakenOK {
			m.Handle = handle
			parcel := n.store.parcel(m)
			p = &parcel
		}
		s.tracef("%s taken %s: %d", n.name(), m.Key(), o)
		n.core.Taken(s.now, m, o, p)
		n.act()
	})
}

// nowhere is engine.Elsewhere's.
func (n *node) nowhere(key string) bool { return n.alone || n.misses[key] > n.sim.now }

// find is engine.Elsewhere's.
func (n *node) find(f *engine.Fetch) {
	n.sim.after(n.sim.slow(), func() {
		if n.alive && !n.store.done(f) {
			n.sim.tracef("%s looks for %s", n.name(), f.Key)
			n.core.Find(n.sim.now, f)
			n.act()
		}
	})
}

// arrive puts a session into service.
func (n *node) arrive(a core.Arrived) {
	s := n.sim
	if s.traces() {
		s.tracef("%s puts %s into service: %d.%d write=%d", n.name(), a.Parcel.Key, a.Parcel.Gen, a.Parcel.Version, content(a.Parcel.Body))
	}
	if a.Fetch != nil {
		if waiting := n.store.arrived(a.Fetch, a.Parcel); waiting >= 0 {
			n.core.Settled(s.now, a.Parcel.Key, waiting, nil)
			return
		}
	}
	n.placeIt(a)
}

// placeIt tries until it goes.
func (n *node) placeIt(a core.Arrived) {
	s := n.sim
	switch placed, clash := n.store.place(a.Parcel, a.Rank); placed {
	case engine.PlacedBusy:
		s.after(2e6, func() {
			if n.alive {
				n.placeIt(a)
				n.act()
			}
		})
	default:
		s.tracef("%s placed %s: %s", n.name(), a.Parcel.Key, placed)
		n.core.Settled(s.now, a.Parcel.Key, 0, clash)
	}
}

// up, down and gone are what the links report.

func (n *node) up(other *node) {
	s := n.sim
	if n.ended[other.id] {
		return
	}
	s.tracef("%s up %s", n.name(), other.name())
	n.ups[other.id] = true
	n.core.Up(s.now, other.id, addrOf(other.place))
	n.core.Step(s.now, other.id, &message.Message{Kind: message.Hello, Node: other.id, Addr: addrOf(other.place), Leaving: other.leaving, Free: other.free()}, engine.Sight{})
	n.act()
	n.joined()
}

// joined ends the joining when there are all links that there can be.
func (n *node) joined() {
	if !n.joining {
		return
	}
	for _, b := range n.sim.graph[n.place] {
		if other := n.sim.places[b]; other != nil && other.alive && !n.ups[other.id] {
			return
		}
	}
	n.endJoining()
}

func (n *node) endJoining() {
	if n.joining && n.alive {
		n.joining = false
		n.core.Joining(n.sim.now, false)
		n.act()
	}
}

func (n *node) down(other *node) {
	s := n.sim
	if !n.ups[other.id] {
		return
	}
	s.tracef("%s down %s", n.name(), other.name())
	delete(n.ups, other.id)
	n.core.Down(s.now, other.id)
	n.act()
	s.send(n, other.id, addrOf(other.place), &message.Message{Kind: message.Ping, Leaving: n.leaving, Free: n.free()})
}

func (n *node) gone(id message.Node) {
	if !n.alive || n.ended[id] {
		return
	}
	n.sim.tracef("%s gone %s", n.name(), n.sim.nameOf(id))
	n.ended[id] = true
	delete(n.ups, id)
	n.core.Gone(n.sim.now, id)
	n.act()
}

func (n *node) free() int64 {
	if n.sim.opt.Engine {
		return -1
	}
	return 1<<30 + int64(n.place)<<28
}

// keepTicking sees to it that the store is told of the time while it wants to be.
func (n *node) keepTicking() {
	if n.ticking {
		return
	}
	n.ticking = true
	n.sim.after(tick, func() {
		n.ticking = false
		if n.alive && n.store.tick() {
			n.keepTicking()
		}
	})
}

// tick is how often an engine is told of the time.
const tick = int64(20e6)
