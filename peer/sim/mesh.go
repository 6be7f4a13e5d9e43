package sim

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/message"
)

// MeshOptions say what is simulated in a farm with copies: all nodes are neighbours, and their engines are real.
type MeshOptions struct {
	Seed         uint64
	Nodes        int
	Copies       int
	Ack          core.Ack
	QueryTimeout time.Duration
	LockWait     time.Duration
	TouchPeriod  time.Duration
	Minutes      uint32 // that sessions live
	Wire         bool   // messages are written and read
	Weaken       core.Weakness

	// The network. Times are nanoseconds.

	Latency  int64   // of most messages, from half to one and a half times this
	Jumbled  bool    // messages overtake each other
	Late     float64 // share of messages that take longer, up to
	LateMost int64
	Loss     float64 // share of messages that get lost
	Repeats  float64 // share that arrives twice
	Notice   int64   // until an end has noticed that a link has broken, at most
	Silence  int64   // until it has noticed that nothing comes
	Members  bool    // a membership declares nodes dead

	// The nodes.

	Slow      int64   // how long engines and drivers take for a turn, at most
	Full      float64 // share of sessions for which there is no memory where they are sent
	Occupied  float64 // share of requests that find somebody in the session
	Snapshots bool    // the farm begins with copies of sessions whose owners have ended

	// The users. They are busy from the beginning until BusyUntil, and so are the faults.

	Keys      int
	Clients   int
	Think     int64
	Removals  int  // of a hundred pages, so many remove the session
	Pauses    bool // some users come back when their session has expired, or is about to
	BusyUntil int64

	// The faults: how many of each.

	Crashes, Freezes, Breaks, Cuts, Partitions, Leaves int

	Wild bool // as they come; otherwise no more at a time than the copies are good for

	Trace io.Writer
}

// RandomMesh chooses what to simulate by a seed.
func RandomMesh(seed uint64) MeshOptions {
	r := rand.New(rand.NewPCG(seed, 3))
	pick := func(of ...int64) int64 { return of[r.IntN(len(of))] }
	o := MeshOptions{
		Seed: seed, Nodes: 3 + r.IntN(3), Copies: int(pick(2, 2, 3)), QueryTimeout: 2500 * time.Millisecond, TouchPeriod: 5 * time.Second, Minutes: 20,
		Wire: r.IntN(4) == 0, Latency: pick(50e3, 200e3, 1e6, 5e6), Notice: pick(0, 20e6, 900e6), Silence: pick(1500e6, 2500e6), Members: r.IntN(2) == 0,
		Think: pick(50e6, 300e6, 1e9), Keys: int(pick(1, 1, 2, 3)), Clients: 1 + r.IntN(4), BusyUntil: pick(8e9, 15e9, 25e9),
	}
	switch r.IntN(8) {
	case 0:
		o.Ack = core.AckNone
	case 1, 2:
		o.Ack = core.AckOne
	}
	if r.IntN(12) == 0 {
		o.Nodes = 2
	}
	if r.IntN(2) == 0 {
		o.LockWait = time.Duration(pick(100e6, 700e6))
	}
	if r.IntN(4) == 0 {
		o.Loss = float64(pick(1, 5, 20)) / 100
	}
	if r.IntN(4) == 0 {
		o.Repeats = float64(pick(1, 10, 50)) / 100
	}
	if r.IntN(4) == 0 {
		o.Jumbled = true
		o.Late, o.LateMost = float64(pick(0, 1, 5, 30))/100, pick(20e6, 500e6, 2e9)
	}
	if r.IntN(3) == 0 {
		o.Slow, o.Occupied = pick(1e6, 20e6, 100e6), float64(pick(5, 50))/100
	}
	if r.IntN(8) == 0 {
		o.Full = float64(pick(10, 50)) / 100
	}
	o.Snapshots = r.IntN(8) == 0
	if r.IntN(3) != 0 {
		o.Crashes = 1 + r.IntN(4)
	}
	if r.IntN(2) == 0 {
		o.Freezes = 1 + r.IntN(3)
	}
	if r.IntN(3) == 0 {
		o.Breaks = 1 + r.IntN(4)
	}
	if r.IntN(5) == 0 {
		o.Leaves = 1 + r.IntN(2)
	}
	if r.IntN(5) == 0 {
		o.Cuts = 1 + r.IntN(2)
	}
	if r.IntN(5) == 0 {
		o.Partitions = 1
	}
	o.Removals = int(pick(9, 9, 9, 40))
	o.Wild = r.IntN(10) == 0
	if r.IntN(12) == 0 {
		o.Minutes, o.Pauses, o.BusyUntil, o.Clients, o.Think = 1, true, 150e9, 1, 1e9
	}
	return o
}

// MeshResult is what came of it.
type MeshResult struct {
	Err                                                        error
	Steps                                                      int
	Messages                                                   int64
	Asked                                                      int
	Crashes, Freezes, Breaks, Cuts, Partitions, Leaves, Cycles int
	Loosened                                                   int // farms with more faults than their copies are good for
	Answers                                                    map[engine.Status]int
	Notices                                                    map[core.Event]int
	Counts                                                     core.Counts
	Quarantined                                                int
	Settling                                                   time.Duration // from the end of all trouble until all was as it should be
}

// mesh is a simulation of such a farm under way.
type mesh struct {
	loop

	opt    MeshOptions
	rand   *rand.Rand
	mates  []*mate // the latest in each place
	byNode map[message.Node]*mate
	births int
	sealed bool // no faults any more

	conns []*conn // by pair of places; nil if there is none
	cuts  []cut   // by ordered pair of places

	tolerance int // faults at a time that lose nothing
	down      int // since all was well
	loose     bool
	parted    bool

	keys    []string
	stories map[string]*story

	asked    int
	pending  int
	sent     int64
	steps    int
	answers  map[engine.Status]int
	notices  map[core.Event]int
	old      core.Counts
	kept     []kept // what went to the quarantine
	crashes  int
	freezes  int
	breaks   int
	cutting  int
	parts    int
	leaves   int
	cycles   int
	settling int64
	err      error
}

// kept is a state in a quarantine.
type kept struct {
	at    int64
	key   string
	write uint64
	gen   uint32
}

func newMesh(opt MeshOptions) *mesh {
	s := &mesh{
		opt: opt, rand: rand.New(rand.NewPCG(opt.Seed, 4)), mates: make([]*mate, opt.Nodes), byNode: map[message.Node]*mate{},
		conns: make([]*conn, opt.Nodes*opt.Nodes), cuts: make([]cut, opt.Nodes*opt.Nodes), stories: map[string]*story{},
		answers: map[engine.Status]int{}, notices: map[core.Event]int{},
	}
	s.now = int64(time.Hour)
	s.opt.BusyUntil += s.now
	switch opt.Ack {
	case core.AckAll:
		s.tolerance = min(opt.Copies, opt.Nodes) - 1
	case core.AckOne:
		s.tolerance = min(1, opt.Copies-1) // there are two nodes at least
	}
	for i := range opt.Keys {
		s.keys = append(s.keys, fmt.Sprintf("/app/k%d", i))
	}
	for i := range s.mates {
		s.birth(i)
	}
	for a := range s.mates {
		for b := range a {
			s.keepConnected(b, a)
		}
	}
	return s
}

// RunMesh simulates.
func RunMesh(opt MeshOptions) MeshResult {
	s := newMesh(opt)
	if opt.Snapshots {
		s.loadSnapshots()
	}
	s.startClients()
	s.planFaults()
	s.until(s.opt.BusyUntil)
	s.sealed = true
	quiet := s.now
	s.settle()
	s.settling = s.now - quiet
	s.until(s.now + s.lostLife() + int64(time.Second)) // then nobody misses anybody any more
	s.probe()
	s.settle()
	s.ended()
	return s.result()
}

// settle goes on until all trouble is over and all is as it should be.
func (s *mesh) settle() {
	since := s.now
	for s.err == nil {
		s.until(s.now + int64(500*time.Millisecond))
		what := s.unsettled(true)
		if what == "" && s.pending == 0 {
			return
		}
		if s.now-since > settleMost {
			s.fail("4 convergence: after %v: %s, and %d requests have no answer", time.Duration(s.now-since), what, s.pending)
		}
	}
}

// settleMost is how long it may take until all is as it should be: longer than any fault lasts, a node counts as alive, a copy waits for its holder, and owners are asked
// about what is left.
const settleMost = int64(120 * time.Second)

// until goes on until a time, or until something is wrong.
func (s *mesh) until(at int64) {
	for s.err == nil {
		f, ok := s.next(at)
		if !ok {
			s.now = max(s.now, at)
			return
		}
		f()
		s.steps++
		if s.steps > maxSteps {
			s.fail("it does not end")
		}
	}
}

func (s *mesh) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("after %v: %s", time.Duration(s.now-int64(time.Hour)), fmt.Sprintf(format, args...))
		s.tracef("WRONG: %v", s.err)
	}
}

func (s *mesh) traces() bool { return s.opt.Trace != nil }

func (s *mesh) tracef(format string, args ...any) {
	if s.opt.Trace != nil {
		_, _ = fmt.Fprintf(s.opt.Trace, "%11.6f  %s\n", float64(s.now-int64(time.Hour))/1e9, fmt.Sprintf(format, args...))
	}
}

func (s *mesh) newID() (id message.ID) {
	binary.BigEndian.PutUint64(id[:], s.rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], s.rand.Uint64())
	return id
}

func (s *mesh) chance(p float64) bool { return p > 0 && s.rand.Float64() < p }

func (s *mesh) within(most int64) int64 { return s.rand.Int64N(max(most, 0) + 1) }

func (s *mesh) result() MeshResult {
	r := MeshResult{
		Err: s.err, Steps: s.steps, Messages: s.sent, Asked: s.asked, Answers: s.answers, Notices: s.notices, Counts: s.old,
		Crashes: s.crashes, Freezes: s.freezes, Breaks: s.breaks, Cuts: s.cutting, Partitions: s.parts, Leaves: s.leaves, Cycles: s.cycles,
		Quarantined: len(s.kept), Settling: time.Duration(s.settling),
	}
	if s.loose {
		r.Loosened = 1
	}
	for _, n := range s.mates {
		r.Counts.Add(n.core.Counts())
	}
	return r
}
