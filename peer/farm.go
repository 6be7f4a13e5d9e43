package peer

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/legacy"
	"github.com/farmstate/farmstate/peer/link"
	"github.com/farmstate/farmstate/peer/member"
	"github.com/farmstate/farmstate/peer/message"
)

// Options configure a Farm.
type Options struct {
	// Engine has the sessions. Its clock must be Now, and its Elsewhere the Farm (see engine.Engine.SetElsewhere).
	Engine *engine.Engine
	Now    func() engine.Time
	// MaxForwards is the hop limit of own queries, and the most that is granted to others'.
	MaxForwards uint8
	// QueryTimeout bounds a search.
	QueryTimeout time.Duration
	// Slack is how much longer than QueryTimeout the engine lets a request wait (engine.Options.FarmWait).
	Slack time.Duration
	// Link is how other nodes are reached. Node, Reserve, Unreserve, State, Match and Foreign are set by New.
	Link link.Options
	// Member is how other nodes are found by gossip. Node, Meta and Logger are set by New. Nil: they are not.
	Member *member.Options
	// Name is told to other members, for people.
	Name string
	// Originals are the originals to which this node is linked. Advertise, Reserve and Unreserve are set by New.
	Originals legacy.Options
	// Copies say how sessions are copied.
	Copies Copies
	// KeyOf is the key that an original's target stands for.
	KeyOf func(target string) string
	// Logger gets what an operator should know. Nil discards it.
	Logger *slog.Logger
	// Events gets the events for which there is no room in the log, of which there are many of one kind at a time: who follows or counts events gets them all the same.
	// Nil discards them.
	Events *slog.Logger
}

// Farm is this node's part of the farm. It implements engine.Elsewhere.
type Farm struct {
	// Static after construction.

	opt       Options
	engine    *engine.Engine
	node      message.Node
	links     *link.Net
	originals *legacy.Net   // nil without originals
	group     *member.Group // nil without gossip
	logger    *slog.Logger
	started   int64 // Time.Mono
	social    bool  // the configuration has a way to other nodes

	inbox  inbox
	misses misses

	quarantine quarantine

	faults atomic.Int64 // panics of the driver that have been survived
	alone  atomic.Bool  // there is nobody to ask
	leave  atomic.Bool  // told to the neighbours
	met    atomic.Bool  // another node has been linked

	stateAddr atomic.Pointer[string] // told to the members
	adminAddr atomic.Pointer[string] // told to the members and over links

	// Owned by the driver.

	core       *core.Core
	out        *link.Batch              // what goes to other nodes
	addrs      map[message.Node]string  // of the neighbours' peer ports
	knocks     map[message.Node]*knock  // neighbours whose link has broken
	fellows    map[message.Node]*fellow // members, as gossip says
	fellowsDue bool                     // something will be due about them
	ups        int                      // static links that have been made at least once, as far as joining is concerned, and
	linked     map[int]bool             // originals that have been linked
	joining    bool
	placing    []placement
	ousting    []core.Oust
	mode       engine.Mirroring
	solo       bool // nobody is told of changes any more
	repair     repair
	drain      *drain
	gaugesDue  int64 // when to read the core's gauges again
	shortage   shortage

	logged    map[core.Event]int // lines in the second logSecond
	logSecond int64

	shared shared
	quit   chan struct{}
	tasks  sync.WaitGroup
	once   sync.Once
}

// shared is what the driver tells others.
type shared struct {
	mu sync.Mutex

	// Guarded by mu.

	counts  core.Counts
	gauges  core.Gauges
	notices map[core.Event]int64 // how often each has happened
	takers  bool                 // somebody can take sessions that are handed over
	handing int

	copies      CopiesStatus
	readAt      int64 // when counts, gauges and copies were read last
	repairBytes int64
}

// joinTime is how long after the start misses wait for links that are configured: what a new node does not have is not lost.
const joinTime = int64(time.Second)

// joined reports whether misses need not wait any longer for others that are configured: all are linked, or those that are not have had their time. If nobody is linked,
// and somebody neither answers nor refuses, that one may live and have the sessions, like a neighbour that has fallen silent: then it is waited for as long as for such
// a one.
func (f *Farm) joined(now int64) bool {
	if f.ups >= len(f.opt.Link.Peers) && len(f.linked) >= len(f.opt.Originals.Peers) && f.gathered() {
		return true
	}
	waited := now - f.started
	if f.ups == 0 && (f.links.Silent() || f.group != nil && f.group.Silent()) {
		return waited > int64(core.LostLife(f.opt.QueryTimeout))
	}
	return waited > min(joinTime, int64(f.opt.QueryTimeout)/2)
}

// New starts this node's part of the farm: when it returns, its peer port listens. See Close for the end.
func New(opt Options) (*Farm, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Events == nil {
		opt.Events = slog.New(slog.DiscardHandler)
	}
	f := &Farm{
		opt: opt, engine: opt.Engine, node: newNode(), logger: opt.Logger, started: opt.Now().Mono,
		quit: make(chan struct{}),
	}
	f.shared.readAt = f.started - freshFor
	f.shared.notices, f.addrs = map[core.Event]int64{}, map[message.Node]string{}
	f.knocks = map[message.Node]*knock{}
	f.fellows = map[message.Node]*fellow{}
	f.linked = map[int]bool{}
	f.logged = map[core.Event]int{}
	f.inbox.init()
	f.misses.init()
	f.joining = len(opt.Link.Peers)+len(opt.Originals.Peers) > 0 || opt.Member != nil && len(opt.Member.Join) > 0
	f.social = len(opt.Link.Peers) > 0 || opt.Member != nil
	f.alone.Store(!f.joining)
	f.core = core.New(core.Options{
		Node: f.node, MaxForwards: opt.MaxForwards, QueryTimeout: opt.QueryTimeout, Slack: opt.Slack, NewID: newID,
		Copies: opt.Copies.N, Ack: opt.Copies.Ack, Backlog: opt.Copies.Backlog, TouchPeriod: opt.Copies.TouchPeriod, Seed: opt.Copies.Seed,
		Look: f.look,
	})
	f.core.Joining(f.started, f.joining)
	if err := f.connect(); err != nil {
		return nil, err
	}
	f.quarantine.most = opt.Copies.Quarantine
	f.engine.SetMirror((*mirrorEvents)(f))
	f.tasks.Go(f.run)
	return f, nil
}

// connect opens the peer port and begins to dial.
func (f *Farm) connect() (err error) {
	lo := f.opt.Link
	lo.Node, lo.Reserve, lo.Unreserve, lo.State, lo.Admin, lo.Logger = f.node, f.engine.Reserve, f.engine.Unreserve, f.state, f.admin, f.logger
	if len(f.opt.Originals.Peers) > 0 {
		// The port must know the originals before it listens, and they the port's address once it does.
		lo.Match = func(a netip.Addr) bool { return f.originals != nil && f.originals.Match(a) }
		lo.Foreign = func(nc net.Conn, first []byte) bool { return f.foreign(nc, first) }
		oo := f.opt.Originals
		oo.Advertise, oo.Reserve, oo.Unreserve, oo.Logger = f.advertise, f.engine.Reserve, f.engine.Unreserve, f.logger
		if f.originals, err = legacy.New(oo, (*originalEvents)(f)); err != nil {
			return err
		}
	}
	if f.links, err = link.Listen(lo, (*linkEvents)(f)); err != nil {
		if f.originals != nil {
			f.originals.Close()
		}
		return err
	}
	if err = f.startGossip(); err != nil { // Must come after links: it tells their address.
		if f.originals != nil {
			f.originals.Close()
		}
		_ = f.links.Close(context.Background()) // nothing has been sent
		return &GossipError{err}
	}
	f.out = f.links.NewBatch()
	f.inbox.put(func(int64) { f.core.SetAddr(f.links.Advertised()) })
	return nil
}

// GossipError says that the gossip port could not be opened.
type GossipError struct{ Err error }

func (e *GossipError) Error() string { return e.Err.Error() }
func (e *GossipError) Unwrap() error { return e.Err }

// GossipAddr is the address that gossip listens on; nil without gossip.
func (f *Farm) GossipAddr() net.Addr {
	if f.group == nil {
		return nil
	}
	return f.group.Addr()
}

// state is what this node tells its neighbours about itself.
func (f *Farm) state() (leaving bool, free int64) {
	s := f.engine.Stats()
	if s.MaxMemory == 0 {
		return f.leave.Load(), -1
	}
	return f.leave.Load(), max(0, s.MaxMemory-s.Bytes)
}

// Addr is the address that the peer port listens on; nil if it has none.
func (f *Farm) Addr() net.Addr { return f.links.Addr() }

// HasMet reports whether a link to another node has been up at least once.
func (f *Farm) HasMet() bool { return f.met.Load() }

// ID is Node as pages and logs show it.
func (f *Farm) ID() string { return hex.EncodeToString(f.node[:]) }

// Node is this node's name.
func (f *Farm) Node() message.Node { return f.node }

// Nowhere implements engine.Elsewhere.
func (f *Farm) Nowhere(hash uint64, key []byte) bool {
	return f.alone.Load() || len(key) > message.MaxKey || f.misses.has(hash, key, f.opt.Now().Mono)
}

// Find implements engine.Elsewhere.
func (f *Farm) Find(fetch *engine.Fetch) {
	f.inbox.put(func(now int64) {
		f.repair.pace.need(now)
		if !fetch.Done() {
			f.core.Find(now, fetch)
		}
	})
}

// Close ends this node's part of the farm: links are closed, and what is asked of it from now on is not answered. Sessions are not moved; see Drain.
func (f *Farm) Close(ctx context.Context) {
	f.once.Do(func() {
		f.sayGoodbye(ctx)
		if f.originals != nil {
			f.originals.Close()
		}
		if err := f.links.Close(ctx); err != nil {
			f.logger.Warn("the peer port did not close as it should", "event", "peer_shutdown_error", "err", err)
		}
		if f.group != nil {
			if err := f.group.Close(); err != nil {
				f.logger.Warn("the gossip port did not close as it should", "event", "gossip_shutdown_error", "err", err)
			}
		}
		close(f.quit)
		f.tasks.Wait()
	})
}
