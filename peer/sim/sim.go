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

// Options say what is simulated.
type Options struct {
	Seed         uint64
	Topology     Topology
	Nodes        int
	MaxForwards  uint8
	QueryTimeout time.Duration
	LockWait     time.Duration
	Engine       bool // real engines instead of models
	Wire         bool // messages are written and read
	Weaken       core.Weakness

	// The network. Times are nanoseconds.

	Latency  int64   // of most messages, from half to one and a half times this
	Steady   bool    // exactly this
	Late     float64 // share of messages that take longer, up to
	LateMost int64
	Loss     float64 // share of messages that get lost
	Repeats  float64 // share that arrives twice
	Notice   int64   // until both ends have noticed that a link is broken, at most

	// The nodes.

	Slow     int64   // how long engines take to answer, at most
	Full     float64 // share of sessions for which there is no memory where they are sent
	Occupied float64 // share of requests that find somebody in the session

	// The users. They are busy from the beginning until BusyUntil, and so are the faults.

	Keys      int
	Clients   int
	Think     int64
	BusyUntil int64

	// The faults: how many of each.

	Breaks, Partitions, Crashes, Leaves int

	Snipes int // faults at moments at which a session is moving

	LongPartitions bool // longer than neighbours are missed: then two copies are unavoidable, and only their number at the end is not

	Trace io.Writer
}

// Random chooses what to simulate by a seed.
func Random(seed uint64) Options {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(of ...int64) int64 { return of[r.IntN(len(of))] }
	o := Options{
		Seed: seed, Topology: Topology(r.IntN(int(NumTopologies))), Nodes: 2 + r.IntN(5), QueryTimeout: 2500 * time.Millisecond,
		Wire: r.IntN(4) == 0, Latency: pick(50e3, 200e3, 1e6, 5e6), Notice: pick(0, 20e6, 900e6), Think: pick(1e6, 50e6, 300e6),
		Keys: int(pick(1, 1, 2, 5)), Clients: 1 + r.IntN(6), BusyUntil: pick(3e9, 6e9, 10e9),
	}
	switch r.IntN(40) {
	case 0:
		o.Nodes = 8 + r.IntN(25)
	case 1, 2:
		o.Keys = 30
	}
	if r.IntN(500) == 0 && o.Topology != Full && o.Topology != Line && o.Topology != Ring {
		o.Nodes, o.Keys, o.Clients, o.BusyUntil = 100+r.IntN(200), 1, 4, 2e9
	}
	o.MaxForwards = uint8(min(255, o.Nodes+1))
	if r.IntN(2) == 0 {
		o.LockWait = time.Duration(pick(100e6, 700e6))
	}
	if r.IntN(3) == 0 {
		o.Loss = float64(pick(1, 5, 20)) / 100
	}
	if r.IntN(3) == 0 {
		o.Repeats = float64(pick(1, 10, 50)) / 100
	}
	if r.IntN(3) == 0 {
		o.Late, o.LateMost = float64(pick(1, 5, 30))/100, pick(20e6, 500e6, 4e9)
	}
	if r.IntN(3) == 0 {
		o.Slow, o.Occupied = pick(1e6, 20e6, 100e6), float64(pick(5, 50))/100
	}
	if r.IntN(3) == 0 {
		o.Breaks = 1 + r.IntN(6)
	}
	if r.IntN(4) == 0 {
		o.Partitions = 1 + r.IntN(2)
	}
	if r.IntN(3) == 0 {
		o.Crashes = 1 + r.IntN(3)
	}
	if r.IntN(3) == 0 {
		o.Leaves = 1 + r.IntN(3)
	}
	if r.IntN(10) == 0 {
		o.Full = float64(pick(10, 50)) / 100
	}
	o.LongPartitions = o.Partitions > 0 && r.IntN(5) == 0
	if r.IntN(2) == 0 {
		o.Snipes = 1 + r.IntN(6)
	}
	o.Engine = r.IntN(12) == 0
	// Busy users of a slow farm make long runs.
	if o.Think == 1e6 {
		o.BusyUntil = min(o.BusyUntil, 3e9)
		o.Clients = min(o.Clients, 3)
		o.Think = 10e6
	}
	return o
}

// Result is what came of a simulation.
type Result struct {
	Err         error
	Steps       int
	Messages    int64
	Asked       int
	Crashes     int
	Leaves      int
	Resurrected int
	Answers     map[engine.Status]int
	Notices     map[core.Event]int
	Counts      core.Counts // of all nodes, added up
}

// Sim is a simulation under way.
type Sim struct {
	loop

	opt    Options
	rand   *rand.Rand
	graph  graph
	places []*node // the latest in each
	byNode map[message.Node]*node
	names  map[message.Node]string
	births int

	pairs    []pair
	side     []bool
	sniped   int
	old      core.Counts // of the nodes that have ended
	building bool
	parted   bool
	dials    map[dialled]int64

	keys        []string
	truths      map[string]*truth
	asked       int
	pending     int // requests without an answer
	flying      int // messages
	sent        int64
	steps       int
	asks        map[message.ID]int // messages about each query
	answers     map[engine.Status]int
	notices     map[core.Event]int
	touched     bool // a real engine has been called since countServing
	crashes     int
	leaves      int
	resurrected int // sessions that were removed, and served again from a copy
	err         error
}

// New returns a farm that is connected, and has nothing to do.
func New(opt Options) *Sim {
	s := &Sim{
		opt: opt, rand: rand.New(rand.NewPCG(opt.Seed, 2)), places: make([]*node, opt.Nodes), byNode: map[message.Node]*node{}, names: map[message.Node]string{},
		pairs: make([]pair, opt.Nodes*opt.Nodes), side: make([]bool, opt.Nodes), dials: map[dialled]int64{}, truths: map[string]*truth{},
		asks: map[message.ID]int{}, answers: map[engine.Status]int{}, notices: map[core.Event]int{},
	}
	s.now = int64(time.Hour)
	s.opt.BusyUntil += s.now
	s.graph = newGraph(opt.Topology, opt.Nodes, s.rand)
	for i := range s.places {
		s.newNode(i)
	}
	s.building = true
	s.eachLink(func(a, b int) {
		x, y := s.places[a], s.places[b]
		x.up(y)
		y.up(x)
	})
	s.building = false
	for _, n := range s.places {
		n.endJoining()
	}
	for i := range s.pairs {
		s.pairs[i].brokeAt = -1
	}
	return s
}

// Run simulates.
func Run(opt Options) Result {
	s := New(opt)
	s.startClients()
	s.planFaults()
	s.Until(s.opt.BusyUntil + calm)
	for s.err == nil && s.unrest() {
		s.Until(s.now + calm)
	}
	s.probe()
	s.Until(s.now + int64(20*time.Second))
	s.settled()
	return s.Result()
}

// calm is after how long nothing is left of what has happened before: patience, the life of pointers, of queries, of neighbours that are missed.
const calm = int64(80 * time.Second)

// unrest reports whether nodes are still to come or to go.
func (s *Sim) unrest() bool {
	if s.parted {
		return true
	}
	for _, n := range s.places {
		if !n.alive || n.leaving || n.joining {
			return true
		}
	}
	return false
}

// probe asks for each session, somewhere, and wants an answer.
func (s *Sim) probe() {
	s.opt.Loss, s.opt.Late, s.opt.Full = 0, 0, 0
	for _, key := range s.keys {
		s.probeKey(key)
	}
}

func (s *Sim) probeKey(key string) {
	s.request(engine.Get, key, 0, func(a answer) {
		if a.failed || a.status == engine.Cut {
			s.fail("the farm is at rest, and nobody can say where %s is", key)
		}
	})
}

// Result tells what has come of it so far.
func (s *Sim) Result() Result {
	r := Result{Err: s.err, Steps: s.steps, Messages: s.sent, Asked: s.asked, Answers: s.answers, Notices: s.notices, Counts: s.old, Crashes: s.crashes, Leaves: s.leaves, Resurrected: s.resurrected}
	for _, n := range s.places {
		r.Counts.Add(n.core.Counts())
	}
	return r
}

// Until goes on until a time, or until something is wrong.
func (s *Sim) Until(at int64) {
	for s.err == nil {
		f, ok := s.next(at)
		if !ok {
			s.now = max(s.now, at)
			return
		}
		f()
		s.steps++
		if s.opt.Engine && s.touched {
			s.touched = false
			s.countServing()
		}
		if s.steps > maxSteps {
			s.fail("it does not end")
		}
	}
}

const maxSteps = 5e6

// fail notes that something is wrong.
func (s *Sim) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("after %v: %s", time.Duration(s.now-int64(time.Hour)), fmt.Sprintf(format, args...))
		s.tracef("WRONG: %v", s.err)
	}
}

func (s *Sim) traces() bool { return s.opt.Trace != nil }

func (s *Sim) tracef(format string, args ...any) {
	if s.opt.Trace != nil {
		_, _ = fmt.Fprintf(s.opt.Trace, "%11.6f  %s\n", float64(s.now-int64(time.Hour))/1e9, fmt.Sprintf(format, args...))
	}
}

func (s *Sim) nameOf(id message.Node) string { return s.names[id] }

func (s *Sim) newID() (id message.ID) {
	binary.BigEndian.PutUint64(id[:], s.rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], s.rand.Uint64())
	return id
}

// slow is how long an engine takes to answer.
func (s *Sim) slow() int64 {
	if s.opt.Slow == 0 {
		return 0
	}
	return s.rand.Int64N(s.opt.Slow + 1)
}

// turn is how long it takes until the queue of a session is served.
func (s *Sim) turn() int64 { return s.slow() }

// slowly reports whether a turn ends here.
func (s *Sim) slowly() bool { return s.opt.Slow != 0 && s.rand.IntN(2) == 0 }

// countMessage counts a message about a query.
func (s *Sim) countMessage(m *message.Message) {
	switch m.Kind {
	case message.Query, message.NotHere, message.Found:
		s.asks[m.ID]++
		if most := 100 * (len(s.graph) + 4) * (len(s.graph) + 4); s.asks[m.ID] > most {
			s.fail("there are more than %d messages about query %s", most, m.ID)
		}
	}
}

// describe shows a message in a trace.
func describe(m *message.Message) string {
	text := fmt.Sprintf("%s %s", m.Kind, m.ID.String()[:6])
	switch m.Kind {
	case message.Query:
		text += fmt.Sprintf(" %s for %s hops=%d chase=%d direct=%v urgent=%v rank=%d gen=%d wait=%v", m.Key, m.Node.String()[:4], m.Hops, m.Chase, m.Direct, m.Urgent, m.Rank, m.Gen, m.Wait)
	case message.NotHere:
		text += fmt.Sprintf(" undecided=%v lost=%d seen=%d", m.Undecided, len(m.Lost), len(m.Seen))
	case message.Transfer:
		text += fmt.Sprintf(" %s gen=%d version=%d write=%d cookie=%d locked=%v leave=%v", m.Key, m.Gen, m.Parcel.Version, content(m.Parcel.Body), m.Parcel.Cookie, m.Parcel.Locked, m.Leave)
	case message.Held, message.Commit, message.Abort:
		text += fmt.Sprintf(" %s gen=%d", m.Key, m.Gen)
	case message.Refused:
		text += fmt.Sprintf(" %s gen=%d %s theirs=%d", m.Key, m.Gen, m.Reason, m.Theirs)
	}
	return text
}
