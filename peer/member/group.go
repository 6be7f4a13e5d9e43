package member

import (
	"context"
	"errors"
	"log"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// Group is this node's membership.
type Group struct {
	// Static after construction.

	opt     Options
	carrier carrier
	table   *table
	notices *notices
	handler Handler
	list    *memberlist.Memberlist
	ctx     context.Context
	cancel  context.CancelFunc // ends the goroutines of this package
	tasks   sync.WaitGroup
	poke    chan struct{} // holds one token while the announcer is asked to look

	answered atomic.Bool // another node has answered a join
	silent   atomic.Bool // none has, and an address has not refused either
	going    atomic.Bool // this node ends

	turn  chan struct{} // holds one token while others are told about this node: that takes time, so it is no mutex
	last  card          // what they were told last; owned by who has the turn
	ended bool          // nothing more is told; likewise
}

// Start opens the gossip port, and begins to join. See Close for the end.
func Start(opt Options, h Handler) (*Group, error) {
	opt.setDefaults()
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	key, label, err := deriveKeys(opt.Secret)
	if err != nil {
		return nil, err
	}
	g := &Group{opt: opt, handler: h, carrier: opt.carrier, notices: &notices{logger: opt.Logger, last: map[string]time.Time{}}, poke: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
	g.last = g.card()
	if _, err := encodeMeta(&g.last); err != nil {
		return nil, err
	}
	var port *transport
	if g.carrier == nil {
		if port, err = listen(&opt); err != nil {
			return nil, err
		}
		g.carrier = port
	}
	g.table = newTable(&opt, g.notices.ignored)
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.list, err = memberlist.Create(g.config(key, label))
	if err != nil {
		g.cancel()
		_ = g.carrier.Shutdown() // it has done nothing yet
		return nil, err
	}
	if port != nil {
		port.start(func(from netip.Addr) { g.notices.refused(from.String()) })
	}
	g.tasks.Go(g.teller)
	g.tasks.Go(g.announcer)
	if len(opt.Join) > 0 {
		g.silent.Store(true) // until they have been tried
		g.tasks.Go(g.joiner)
	}
	return g, nil
}

// config is memberlist's.
func (g *Group) config(key []byte, label string) *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	c.Name, c.Label, c.SecretKey = g.opt.Node.String(), label, key
	c.Transport = g.carrier
	c.BindPort = int(g.carrier.addr().Port())
	c.Delegate, c.Events, c.Alive = (*announcement)(g), g.table, g.table
	c.Logger = log.New(g.notices, "", 0)
	c.ProbeInterval, c.ProbeTimeout, c.SuspicionMult = g.opt.ProbeInterval, g.opt.ProbeTimeout, g.opt.SuspicionMult
	c.GossipInterval, c.PushPullInterval, c.TCPTimeout = g.opt.GossipInterval, g.opt.PushPullInterval, g.opt.StreamTimeout
	c.GossipToTheDeadTime = gossipToTheDead
	c.EnableCompression = false // there is little to compress, and then there is nothing to blow up
	return c
}

// gossipToTheDead is for how long news are sent to who has been declared dead, so that it can contradict.
const gossipToTheDead = 30 * time.Second

// announcement is what memberlist asks for to tell others about this node.
type announcement Group

// NodeMeta implements memberlist.Delegate.
func (a *announcement) NodeMeta(int) []byte {
	g := (*Group)(a)
	c := g.card()
	meta, err := encodeMeta(&c)
	if err != nil { // an address has become one that cannot be told: better none than none of the rest
		c.PeerAddr, c.StateAddr, c.AdminAddr = "", "", ""
		meta, _ = encodeMeta(&c)
	}
	return meta
}

// NotifyMsg implements memberlist.Delegate.
func (*announcement) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate.
func (*announcement) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements memberlist.Delegate.
func (*announcement) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (*announcement) MergeRemoteState([]byte, bool) {}

// card is what this node says about itself now.
func (g *Group) card() card {
	c := card{Member: g.opt.Meta(), going: g.going.Load()}
	c.Node = g.opt.Node
	c.Leaving = c.Leaving || c.going
	return c
}

// teller tells the handler.
func (g *Group) teller() {
	for {
		select {
		case <-g.table.wake:
			g.table.tell(g.handler, g.notices)
		case <-g.ctx.Done():
			return
		}
	}
}

// announcer tells the others when this node says something else about itself.
func (g *Group) announcer() {
	tick := time.NewTicker(g.opt.RefreshInterval)
	defer tick.Stop()
	for {
		select {
		case <-g.poke:
		case <-tick.C:
			g.table.prune(time.Now())
		case <-g.ctx.Done():
			return
		}
		g.announce(announceTime, false)
	}
}

const (
	// announceTime bounds the wait for news about this node to be under way.
	announceTime = time.Second
	// leaveTime bounds the wait for the word that it has gone.
	leaveTime = 500 * time.Millisecond
)

// announce tells the others about this node, if there is anything that is worth telling, and then waits for up to limit until it is under way. last says that
// nothing will be told after it.
func (g *Group) announce(limit time.Duration, last bool) {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	if g.ended {
		return
	}
	g.ended = last
	c := g.card()
	if !worthTelling(&g.last, &c) {
		return
	}
	g.last = c
	_ = g.list.UpdateNode(limit) // it is under way all the same
}

// worthTelling reports whether b is different enough from a.
func worthTelling(a, b *card) bool {
	x, y := *a, *b
	x.Free, y.Free = 0, 0
	difference := a.Free - b.Free
	return x != y || max(difference, -difference) > max(a.Free, b.Free)/8
}

// Addr is the address that gossip listens on.
func (g *Group) Addr() net.Addr { return net.TCPAddrFromAddrPort(g.carrier.addr()) }

// Members returns the others, those that are dead and remembered among them, in the order of their nodes. It does not wait, and may be called by a Handler.
func (g *Group) Members() []Status { return g.table.all() }

// Joined reports whether it is known who is in the farm: a node that was to be joined has answered, or there is none to be; and how many others live, of all of whom
// the handler has heard. Until then the number is -1.
func (g *Group) Joined() (others int, ok bool) {
	if len(g.opt.Join) > 0 && !g.answered.Load() {
		return -1, false
	}
	others, toldAll := g.table.living()
	if !toldAll {
		return -1, false
	}
	return others, true
}

// Update says that what Meta returns has changed. It does not wait.
func (g *Group) Update() {
	select {
	case g.poke <- struct{}{}:
	default:
	}
}

// Leave tells the others that this node is going, and waits until the word is out, or ctx ends. Gossip goes on until Close, but for joining.
func (g *Group) Leave(ctx context.Context) error {
	left := func(most time.Duration) time.Duration {
		if end, ok := ctx.Deadline(); ok {
			most = min(most, time.Until(end))
		}
		return max(most, time.Millisecond)
	}
	if g.going.Swap(true) {
		return nil
	}
	// That it goes has to be out before the end itself, which takes its place in the queue.
	g.announce(left(g.opt.GossipInterval*3/2), true)
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	if g.ctx.Err() != nil {
		return nil // it was closed
	}
	return g.list.Leave(left(leaveTime))
}

// Close ends the gossip, without a word to the others; see Leave.
func (g *Group) Close() error {
	g.cancel()
	g.turn <- struct{}{}
	g.ended = true
	err := g.list.Shutdown()
	<-g.turn
	g.tasks.Wait()
	return err
}

// Stats is a reading of the counters and gauges.
type Stats struct {
	Members     map[string]int64 // by state; those that leave are not among those alive
	Health      int64            // 0 = this node answers in time, as far as it can tell; up to 7
	WrongSecret int64            // packets and connections of other farms, or with another secret
	NotAllowed  int64            // from addresses that may not send any
	TooMany     int64            // connections that were too many
}

// The states that Stats counts, besides those of State.
const leavingName = "leaving"

// Stats reads the counters and gauges.
func (g *Group) Stats() Stats {
	s := Stats{
		Members: map[string]int64{Alive.String(): 0, leavingName: 0, Dead.String(): 0},
		Health:  int64(g.list.GetHealthScore()), WrongSecret: g.notices.wrongSecret.Load(), NotAllowed: g.notices.notAllowed.Load(),
	}
	if port, ok := g.carrier.(*transport); ok {
		s.TooMany = port.overflow.Load()
	}
	for _, m := range g.table.all() {
		s.Members[m.Word()]++
	}
	return s
}

// Word is a member's state in a word.
func (s *Status) Word() string {
	if s.State == Alive && s.Leaving {
		return leavingName
	}
	return s.State.String()
}

// errNobody says that nobody has answered at an address.
var errNobody = errors.New("member: nobody has answered")
