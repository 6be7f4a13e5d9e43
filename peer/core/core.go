package core

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// Core decides for one node. It owns no socket, goroutine, mutex or clock. Its caller passes in what has happened and carries out, in order, what Ready returns;
// results of actions are passed in again (Taken, Settled, Delivered). Times are nanoseconds of one clock that never goes back.
//
// Invariants, for each session:
//   - a session that this node has taken out of service for a move is served again only after the move has been called off, and forgotten only after the
//     addressee has said that it holds it;
//   - a session that this node holds for somebody is served only after that node has said so, or is known to be unable to and nobody else has it;
//   - whatever waits here has a deadline and stands in a timer.
type Core struct {
	opt Options

	items      map[string]*item
	most       int                       // items at a time, since there were none
	queries    map[message.ID]*query     // other nodes', until they are forgotten
	chases     map[message.ID]*query     // questions to the node that a session went to, on behalf of queries
	searches   map[message.ID]*search    // own ones under way
	heard      *recent[uint64, uint32]   // by the hash of the key: keys are long, and one that is mistaken for another only makes a search go later
	outcomes   *recent[message.ID, bool] // of own moves: true = committed
	finished   *recent[message.ID, bool] // of other nodes' moves to here: nothing more will come of them
	broadcasts *recent[broadcast, bool]  // originals' queries that have been seen; true for our own
	fresh      *recent[string, fresh]    // sessions that originals have just sent here
	declined   *recent[message.ID, bool] // hand-overs of sessions of which a newer state is here: what came is in the quarantine
	moved      *recent[uint64, uint32]   // by the hash of the key: the generation with which it has come here

	neighbours map[message.Node]*neighbour
	sum        uint32       // of the neighbours; see announce
	announcing bool         // they will be told in a moment
	order      []*neighbour // the same, in order of arrival: maps have none, and a simulation must be repeatable
	met        bool         // there has been a neighbour
	lost       absences     // neighbours whose link has broken and who may live
	ended      int64        // when it last became known that a node has ended
	ends       uint64       // how often
	originals  map[int]bool // originals with a live link
	joining    bool         // links are still being made: no miss is definite
	leaving    bool
	settled    bool // see Settle
	handing    int  // hand-overs under way
	handBytes  int64
	felt       int64 // when we were last called
	dazed      int64 // until then no miss is definite; see feel
	turn       int   // of the originals, at hand-over
	holding    int   // copies held for others
	moving     int   // items with a move
	settling   int   // items that are settling

	copies

	timers timers
	swept  int64 // when what is remembered no longer was given up last
	out    []Action
	spare  []Action // returned by Ready last
	counts Counts
}

// Options configure a Core.
type Options struct {
	Node         message.Node
	Addr         string // host:port where this node takes deliveries
	MaxForwards  uint8
	QueryTimeout time.Duration
	NewID        func() message.ID // random ids
	// Copies is how many nodes are to have a session: its owner, and mirrors. 0 and 1 mean no mirrors.
	Copies int
	// Ack says when a change is answered.
	Ack Ack
	// Backlog is how many bytes of updates may wait for one mirror before those for which nobody waits are left out.
	Backlog int
	// TouchPeriod is how much a mirror's idea of a session's life may be behind.
	TouchPeriod time.Duration
	// Look says what the engine has of a session now. An update may be taken in long after it has come.
	Look func(key string) engine.Sight
	// Seed of the placement of copies; the same in all nodes of a farm.
	Seed uint64
	// Slack is how long before its requests' deadline a search ends, so that they are told what has come of it, and not that their time is up.
	Slack  time.Duration
	Weaken Weakness // for the simulator's own test; leave it 0
}

// Weakness switches off a rule, to see that the simulator notices. No program sets it.
type Weakness uint8

// The weaknesses.
const (
	NoGenerationCheck Weakness = 1 << iota // any copy of a session is as good as any other, and any acknowledgement counts
	NoRank                                 // searches that meet are not ordered
	NoEpoch                                // a taking over does not raise the generation, and old updates are taken in
	NoLease                                // a node answers with what it has however long it has been silent
	NoTombs                                // removals are not kept in mind
)

// Bounds. What is beyond them is answered "undecided" or refused, and its sender tries again or elsewhere.
const (
	maxQueries  = 1 << 17 // of others that are being worked on or remembered
	maxAskers   = 64      // queries that wait for one session
	maxHolding  = 1 << 16 // copies held for others
	maxMemory   = 1 << 18 // entries of each memory of ids
	maxChase    = 32      // times that a query follows a session
	maxHandOver = 512     // hand-overs under way
	maxLost     = 256     // neighbours that are missed
	maxHandSize = 64 << 20
)

// Times. Those that are not here follow from the query timeout.
const (
	resendQuery    = int64(250 * time.Millisecond)
	repeatAfter    = int64(100 * time.Millisecond) // a query that comes again is passed on again, but not more often
	resendHeld     = int64(100 * time.Millisecond) // doubled each time, up to
	resendHeldMost = int64(2 * time.Second)
	patience       = int64(30 * time.Second) // before a holder that says nothing more counts as ended
	outcomeLife    = int64(2 * time.Minute)
	finishedLife   = int64(time.Minute)
	stayEach       = int64(time.Millisecond) // a session stays so long for each request beyond the first that waited for it
	stayMost       = int64(10 * time.Millisecond)
	stayLocked     = int64(20 * time.Millisecond)  // a locked session for which somebody waits here is asked for again after this
	lockedPatience = int64(100 * time.Millisecond) // and goes all the same after this
	retrySought    = int64(2 * time.Millisecond)
	retryBusy      = int64(10 * time.Millisecond)
	shunTime       = int64(time.Second)
	sweepEvery     = int64(time.Second)
	bytesPerNano   = 0.01 // 10 MB/s: what a large session may take longer
)

// New returns a core that knows no other node.
func New(opt Options) *Core {
	return &Core{
		opt:      opt,
		items:    map[string]*item{},
		queries:  map[message.ID]*query{},
		chases:   map[message.ID]*query{},
		searches: map[message.ID]*search{},
		heard:    newRecent[uint64, uint32](maxMemory), outcomes: newRecent[message.ID, bool](maxMemory),
		finished: newRecent[message.ID, bool](maxMemory), broadcasts: newRecent[broadcast, bool](maxMemory),
		fresh:      newRecent[string, fresh](maxMemory),
		declined:   newRecent[message.ID, bool](maxMemory),
		moved:      newRecent[uint64, uint32](maxMemory),
		neighbours: map[message.Node]*neighbour{},
		copies:     newCopies(),
		originals:  map[int]bool{},
		ended:      math.MinInt64,
	}
}

// SetAddr says where this node takes deliveries.
func (c *Core) SetAddr(addr string) { c.opt.Addr = addr }

// Joining says whether links that are configured are still being made for the first time. Until they are, a search that finds nothing goes on.
func (c *Core) Joining(now int64, joining bool) {
	c.joining = joining
	if !joining {
		for _, s := range c.sortedSearches() {
			c.conclude(now, s)
		}
	}
}

// Leave says that this node takes no more sessions but those that it looks for itself.
func (c *Core) Leave(leaving bool) { c.leaving = leaving }

// item is what is going on about one session. It exists while anything is.
type item struct {
	key      string
	search   *search   // this node looks for it
	move     *Move     // it is on its way out
	held     *held     // a copy of it is here that is not this node's yet
	askers   []*query  // who waits for it here, in order of asking
	hopeful  []*query  // who was told that an original may yet have it
	went     pointer   // where it went
	stay     int64     // until then nobody may have it
	settling bool      // it is being put into service
	adoption *adoption // it is being taken over; settling is set, too
	hashed   bool
	hashSum  uint64
}

// pointer says where a session was handed to.
type pointer struct {
	node     message.Node
	addr     string
	original bool // to an original
	until    int64
}

// depart says that a session is on its way from now on, and arrest that it is not any more. Its item has no move before, and has one.
func (c *Core) depart(m *Move) {
	m.it.move = m
	c.moving++
}

func (c *Core) arrest(it *item) {
	it.move = nil
	c.moving--
}

// settle says whether a session is being put into service.
func (c *Core) settle(it *item, settling bool) {
	if it.settling == settling {
		return
	}
	it.settling = settling
	if settling {
		c.settling++
	} else {
		c.settling--
	}
}

func (p *pointer) good(now int64) bool { return now < p.until }

// hash is the hash of the item's key.
func (it *item) hash(c *Core) uint64 {
	if !it.hashed {
		it.hashed, it.hashSum = true, c.hashOf(it.key)
	}
	return it.hashSum
}

func (c *Core) item(key string) *item {
	it := c.items[key]
	if it == nil {
		it = &item{key: key}
		c.items[key] = it
		c.most = max(c.most, len(c.items))
	}
	return it
}

// tidy forgets an item about which nothing is going on.
func (c *Core) tidy(now int64, it *item) {
	if it.search == nil && it.move == nil && it.held == nil && len(it.askers) == 0 && len(it.hopeful) == 0 &&
		!it.settling && !it.went.good(now) && it.stay <= now && c.items[it.key] == it {
		delete(c.items, it.key)
	}
}

// Step takes in one message of another node. sight is what the engine has of a Transfer's session.
func (c *Core) Step(now int64, from message.Node, m *message.Message, sight engine.Sight) {
	c.feel(now)
	switch m.Kind {
	case message.Hello, message.Ping:
		if n := c.neighbours[from]; n != nil {
			if n.leaving != m.Leaving {
				c.rebalance(now)
			}
			n.leaving, n.free = m.Leaving, m.Free
		}
	case message.Copy:
		c.copyIn(now, from, m, sight)
	case message.Copied:
		c.copied(now, from, m)
	case message.Claim:
		c.claim(now, from, m)
	case message.Ceded:
		c.ceded(now, from, m)
	case message.Shelved:
		c.known(now, from, m)
	case message.Around:
		c.around(from, m)
	case message.Query:
		c.query(now, from, m)
	case message.NotHere, message.Found:
		c.answered(now, from, m)
	case message.Transfer:
		c.transfer(now, from, m, sight)
	case message.Held:
		c.heldBy(now, from, m)
	case message.Refused:
		c.refused(now, from, m)
	case message.Commit:
		c.committed(now, from, m)
	case message.Abort:
		c.aborted(now, from, m)
	}
}

// feel notices that this node has been asleep: frozen, or its machine was. All that it knew of may have ended meanwhile, and others may have come of which it has yet to
// hear. So for a moment it does not say that a session is nowhere.
func (c *Core) feel(now int64) {
	if c.felt != 0 && now-c.felt >= asleep && c.opt.Copies > 1 {
		c.dazed = now + dazedFor
	}
	c.felt = now
}

const (
	// asleep is how long nobody has called us, who is called every second.
	asleep   = int64(2 * time.Second)
	dazedFor = int64(time.Second)
)

// Tick says that time has passed. It is due at Next, and every second.
func (c *Core) Tick(now int64) {
	c.feel(now)
	c.sweep(now)
	c.bereave(now)
	c.beat(now)
	for {
		t, ok := c.timers.due(now)
		if !ok {
			return
		}
		switch {
		case t.query != nil:
			c.expire(now, t.query)
		case t.item != nil:
			c.look(now, t.item)
		default:
			c.announce()
		}
	}
}

// Stop ends what is under way, because nobody can be heard any more: sessions that are on their way out stay, and copies that are held for others are dropped, which
// their holders serve again. One that has no holder any more becomes ours.
func (c *Core) Stop(now int64) {
	all := make([]*item, 0, len(c.items))
	for _, it := range c.items {
		all = append(all, it)
	}
	slices.SortFunc(all, func(a, b *item) int { return cmp.Compare(a.key, b.key) })
	for _, it := range all {
		it.askers, it.hopeful = nil, nil
		if s := it.search; s != nil {
			delete(c.searches, s.id)
			it.search = nil
			c.undecided(s)
		}
		switch h := it.held; {
		case h == nil:
		case h.orphan:
			c.promote(now, h)
		default:
			c.discard(now, h)
		}
		if m := it.move; m != nil && m.state == moveOffered && !m.original {
			c.callOff(now, m)
		}
		if ad := it.adoption; ad != nil {
			c.adopted(now, ad)
		}
	}
	c.confirmAll()
}

// sweep gives up the memory of what is remembered no longer: after a flood nothing may come for a long time.
func (c *Core) sweep(now int64) {
	if now-c.swept < sweepEvery {
		return
	}
	c.swept = now
	c.heard.forget(now)
	c.outcomes.forget(now)
	c.finished.forget(now)
	c.fresh.forget(now)
	c.declined.forget(now)
	c.moved.forget(now)
	c.broadcasts.forget(now)
	c.ghosts.forget(now)
	c.ceased.forget(now)
	c.tombs.forget(now)
	c.timers.trim()
	if len(c.items) == 0 && c.most > keepRecent {
		c.items, c.most = map[string]*item{}, 0 // an empty one may be large
	}
}

// Next is when Tick is due; ok is false if nothing waits for the time.
func (c *Core) Next() (at int64, ok bool) {
	at, ok = c.timers.next()
	if dead, any := c.lost.next(); any && (!ok || dead < at) {
		at, ok = dead, true
	}
	if len(c.flow) > 0 && (!ok || c.beatAt < at) {
		at, ok = c.beatAt, true
	}
	return at, ok
}

// bereave takes note of nodes that have been away for so long that they count as dead.
func (c *Core) bereave(now int64) {
	for node, ok := c.lost.due(now); ok; node, ok = c.lost.due(now) {
		c.dead(now, node, false)
	}
}

// look does what is due about an item.
func (c *Core) look(now int64, it *item) {
	if c.items[it.key] != it {
		return
	}
	if it.held != nil {
		c.remind(now, it.held)
	}
	if it.search != nil {
		c.pursue(now, it.search)
	}
	if it.move != nil {
		c.press(now, it.move)
	}
	c.proceed(now, it)
	c.tidy(now, it)
}

// Ready returns what is to be done, in order, and empties it. The result is valid until Ready is called again.
func (c *Core) Ready() []Action {
	clear(c.spare)
	c.out, c.spare = c.spare[:0], c.out
	return c.spare
}

func (c *Core) do(a Action) { c.out = append(c.out, a) }

func (c *Core) send(to message.Node, addr string, m *message.Message) {
	c.do(Send{To: to, Addr: addr, Msg: m})
}

// moveTime is how long a move of a session with so many bytes may take.
func (c *Core) moveTime(size int) int64 {
	return int64(c.opt.QueryTimeout)/2 + int64(float64(size)/bytesPerNano)
}

// lostLife is how long a neighbour is missed whose link has broken: until then no miss is definite unless that neighbour was asked in another way.
func (c *Core) lostLife() int64 { return int64(LostLife(c.opt.QueryTimeout)) }

// LostLife is how long a neighbour is missed, by the query timeout.
func LostLife(queryTimeout time.Duration) time.Duration { return 2 * queryTimeout }

// pointerLife: a query lives shorter, so every holder since it began still knows where the session went.
func (c *Core) pointerLife() int64 { return 4 * int64(c.opt.QueryTimeout) }
