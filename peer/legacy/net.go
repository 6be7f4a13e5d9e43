package legacy

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Unknown is the peer of a query that came from one of several originals with one address.
const Unknown = -1

// Handler gets what originals send. Its methods are called from many goroutines and must not block; they may call Query and Deliver, but not
// Close.
type Handler interface {
	// OriginalUp says that there is a live link to a peer, whoever dialled it: once, until OriginalDown.
	OriginalUp(peer int)
	// OriginalDown says that the last live link to a peer has ended.
	OriginalDown(peer int)
	// OriginalQuery says that a peer, or Unknown, sent, forwarded or rebroadcast a query. The same one may come more than once, also over several links.
	OriginalQuery(peer int, q Query)
	// OriginalTransfer says that a session has arrived. The handler owns its body. It has to call answer exactly once, from any goroutine, within
	// the original's query timeout; the original keeps its copy otherwise, or if the verdict is neither Stored nor Exists.
	OriginalTransfer(peer int, t Transfer, answer func(Verdict))
}

// Query is a search for a session.
type Query struct {
	Target      string // as the web server spelt it
	ID          ID     // of the search; stays the same while it is handed on
	Broadcast   ID     // of the rebroadcast; zero if it is none
	Host        string // where the session is to be delivered; in Net.Query empty means here
	MaxForwards int    // how many further hops are allowed
}

// Transfer is a session on its way. See docs/peer-protocol.md §8.5 for what it does not say about it.
type Transfer struct {
	Target        string // as the web server spelt it
	ID            ID     // of this transfer; in Net.Deliver zero means a new one
	Body          []byte
	Timeout       uint32 // minutes, the whole of it: what is left of it is not said
	Uninitialized bool
	Locked        bool
	LockCookie    uint32 // as it was sent; an original forgets it when it arrives there
	LockAge       int64  // seconds
	LockDate      int64  // ticks; see FromTicks
	LastModified  int64  // ticks, of the last save
}

// Net is this node's links to originals.
type Net struct {
	opt    Options
	h      Handler
	nonces *nonces
	counts counts
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // of all goroutines; added to under mu while not closed
	slots  chan struct{}  // one for each delivery under way
	asked  asked

	byAddr atomic.Pointer[map[netip.Addr][]int] // which peers have an address; replaced as a whole

	mu       sync.Mutex
	closed   bool
	peers    []*original
	conns    map[*conn]struct{}
	accepted map[netip.Addr]int            // connections
	idle     map[netip.AddrPort][]*conn    // transfer links that have nothing to do, the latest last
	first    netip.AddrPort                // our side of the first link that was ever live
	attempts map[netip.Addr]failedAttempts // at authentication
	logged   map[logKey]time.Time          // when a line was last written
}

// original is what a Net knows about one of its peers. What is not said to be otherwise is guarded by Net.mu.
type original struct {
	Peer // does not change

	links     []*conn
	addrs     []netip.Addr
	lastError string
	changed   time.Time // when it went up or down

	reportMu sync.Mutex // held while the handler is told, so that it hears of ups and downs in their order
	reported bool       // guarded by reportMu
}

// New starts to link this node to originals. The handler may be called before New returns.
func New(opt Options, h Handler) (*Net, error) {
	opt.setDefaults()
	if err := opt.validate(); err != nil {
		return nil, err
	}
	own, err := newNonces(opt.Random)
	if err != nil {
		return nil, err
	}
	n := &Net{
		opt: opt, h: h, nonces: own, slots: make(chan struct{}, opt.MaxDeliveries), conns: map[*conn]struct{}{}, accepted: map[netip.Addr]int{},
		idle: map[netip.AddrPort][]*conn{}, attempts: map[netip.Addr]failedAttempts{}, logged: map[logKey]time.Time{},
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	for _, p := range opt.Peers {
		n.peers = append(n.peers, &original{Peer: p, changed: time.Now()})
	}
	named := n.takeLiterals()
	if named {
		n.wg.Go(n.resolve)
	}
	for i := range n.peers {
		n.wg.Go(func() { n.keep(i) })
	}
	return n, nil
}

// Close ends all connections and waits until nothing runs any more. Deliveries that are under way fail.
func (n *Net) Close() {
	n.mu.Lock()
	n.closed = true
	n.cancel()
	all := make([]*conn, 0, len(n.conns))
	for c := range n.conns {
		all = append(all, c)
	}
	n.mu.Unlock()
	for _, c := range all {
		c.end(endShutdown)
	}
	n.wg.Wait()
}

// PeerStatus is how things stand with one original.
type PeerStatus struct {
	Addr      string    `json:"addr"`
	Live      bool      `json:"live"`
	Links     int       `json:"links"`                // live ones
	Queued    int       `json:"queued_queries"`       // that wait to be sent
	Since     time.Time `json:"since"`                // when Live last changed
	LastError string    `json:"last_error,omitempty"` // why the last attempt to dial it failed; empty if it did not
}

// Peers returns how things stand, in the order of Options.Peers.
func (n *Net) Peers() []PeerStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]PeerStatus, len(n.peers))
	for i, p := range n.peers {
		st := PeerStatus{Addr: p.Addr, Live: len(p.links) > 0, Links: len(p.links), Since: p.changed, LastError: p.lastError}
		for _, c := range p.links {
			st.Queued += c.backlog()
		}
		all[i] = st
	}
	return all
}

// Accept takes over a connection that has been accepted, of which some bytes have been read already. It does not block.
func (n *Net) Accept(nc net.Conn, first []byte) {
	remote := addrPort(nc.RemoteAddr())
	candidates := n.candidates(remote.Addr())
	if len(candidates) == 0 {
		n.turnAway(nc, endStranger)
		return
	}
	c := n.newConn(nc, first, candidates)
	if n.needsProof(candidates) {
		c.limit, c.limitEnd = time.Now().Add(authTimeout), endUnproved
	}
	n.mu.Lock()
	switch {
	case n.closed:
		n.mu.Unlock()
		n.turnAway(nc, endShutdown)
		return
	case n.accepted[remote.Addr()] >= n.opt.MaxConns:
		n.mu.Unlock()
		n.turnAway(nc, endTooMany)
		return
	}
	n.accepted[remote.Addr()]++
	n.start(c)
	n.mu.Unlock()
}

func (n *Net) turnAway(nc net.Conn, why reason) {
	n.counts.ends[why].Add(1)
	_ = nc.Close() // there is nothing to lose
}

// start makes a connection one of the Net's and runs it. Requires that mu is held and closed is not set.
func (n *Net) start(c *conn) {
	n.conns[c] = struct{}{}
	n.counts.connections.Add(1)
	n.wg.Go(c.readLoop)
	n.wg.Go(c.writeLoop)
}

// forget takes a connection that has ended out of all tables.
func (n *Net) forget(c *conn) {
	n.mu.Lock()
	_, there := n.conns[c]
	if there {
		delete(n.conns, c)
		n.counts.connections.Add(-1)
		if a := c.remote.Addr(); !c.dialled {
			if n.accepted[a]--; n.accepted[a] == 0 {
				delete(n.accepted, a)
			}
		}
	}
	n.dropIdle(c)
	down := -1
	for i, p := range n.peers {
		for j, l := range p.links {
			if l == c {
				p.links = append(p.links[:j:j], p.links[j+1:]...)
				down = i
				break
			}
		}
	}
	n.mu.Unlock()
	if down >= 0 {
		n.report(down)
	}
}

// goLive makes a connection a live link. host is what a PING says; it tells apart two originals behind one address.
func (n *Net) goLive(c *conn, host string) {
	n.mu.Lock()
	c.mu.Lock()
	if c.live || c.ended {
		c.mu.Unlock()
		n.mu.Unlock()
		return
	}
	if i := n.named(c, host); i >= 0 {
		c.candidates, c.peer = []int{i}, i
	}
	c.live = true
	if c.limitEnd == endNoPing {
		c.limit = time.Time{}
	} else {
		c.pingAt = time.Now().Add(pingEvery)
	}
	peer := c.peer
	c.refreshDeadline()
	c.mu.Unlock()
	p := n.peers[peer]
	p.links = append(slices.Clip(p.links), c)
	p.lastError = ""
	if !n.first.IsValid() {
		n.first = c.local
	}
	n.mu.Unlock()
	c.poke()
	n.report(peer)
}

// named returns which of several candidates a PING's Host names, or -1. It does if the original's first live link was one that somebody dialled to its
// peer port. Requires that n.mu and c.mu are held.
func (n *Net) named(c *conn, where string) int {
	if len(c.candidates) < 2 {
		return -1
	}
	said, err := parseHost(where, 0)
	if err != nil {
		return -1
	}
	for _, i := range c.candidates {
		h, _ := parseHost(n.peers[i].Addr, 0) // validate has seen it
		if h.port == said.port && (said.name == h.name || said.name == c.remote.Addr().String()) && (c.authed || !n.peers[i].Authenticate) {
			return i
		}
	}
	return -1
}

// report tells the handler whether a peer is up, if that has changed.
func (n *Net) report(peer int) {
	p := n.peers[peer]
	p.reportMu.Lock()
	defer p.reportMu.Unlock()
	n.mu.Lock()
	up, closed := len(p.links) > 0, n.closed
	if up != p.reported {
		p.changed = time.Now()
	}
	n.mu.Unlock()
	if up == p.reported {
		return
	}
	p.reported = up
	if up {
		n.opt.Logger.Info("an original is linked", "event", "original_up", "original", p.Addr)
		n.h.OriginalUp(peer)
		return
	}
	if !closed {
		n.opt.Logger.Warn("an original is not linked any more: its sessions cannot be found until it is again", "event", "original_down", "original", p.Addr)
	}
	n.h.OriginalDown(peer)
}

// ownHost is what we write as Host where it only informs. See docs/peer-protocol.md §8.1.
func (n *Net) ownHost(c *conn) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.first.IsValid() {
		return n.first.String()
	}
	return c.local.String()
}

// Query sends a query on a live link of a peer: its own, or one that is forwarded or rebroadcast. It reports whether the query was queued; it is
// sent at least 15 ms after what went before it on the link, and dropped if it cannot be sent within QueryTimeout. One of our own with a Broadcast
// is a repetition, in case that the first was lost; it is dropped if much waits.
func (n *Net) Query(peer int, q Query) bool {
	drop := func(why reason) bool {
		n.counts.drops[why].Add(1)
		return false
	}
	if q.ID == (ID{}) {
		return drop(dropMalformed)
	}
	if !writable(q.Target) {
		return drop(dropTarget)
	}
	links := n.linksFor(peer)
	if len(links) == 0 {
		return drop(dropNoLink)
	}
	queued := false
	if q.Host == "" {
		n.asked.add(q.Target, time.Now())
	}
	again := q.Host == "" && q.Broadcast != (ID{})
	for _, c := range links {
		if again && c.backlog() > maxBeforeRepeats {
			drop(dropFull)
			continue
		}
		m := Message{Kind: KindQuery, Target: q.Target, Host: q.Host, ID: q.ID, Broadcast: q.Broadcast, Forwards: max(q.MaxForwards, 0)}
		if m.Host == "" {
			m.Host = n.opt.Advertise(c.local)
		}
		if _, err := parseHost(m.Host, n.opt.PeerPort); err != nil {
			return drop(dropHost)
		}
		if why, ok := c.ask(out{kind: sentQuery, b: Append(nil, &m)}); !ok {
			n.counts.drops[why].Add(1)
			continue
		}
		queued = true
	}
	return queued
}

// linksFor returns the live links on which a query for a peer has to go: the one on which least waits, and, since originals with one address cannot
// always be told apart, also those that may be another's that has no link of its own.
func (n *Net) linksFor(peer int) (links []*conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if peer < 0 || peer >= len(n.peers) {
		return nil
	}
	var best *conn
	least := 0
	for _, c := range n.peers[peer].links {
		if c.doubtful() {
			if slices.ContainsFunc(c.candidates, func(i int) bool { return !slices.ContainsFunc(n.peers[i].links, (*conn).sure) }) {
				links = append(links, c)
			}
			continue
		}
		if b := c.backlog(); best == nil || b < least {
			best, least = c, b
		}
	}
	if best != nil {
		links = append(links, best)
	}
	return links
}

// writable reports whether an original can read a start line with this target.
func writable(target string) bool {
	return target != "" && len("GET  HTTP/1.1\r\n")+len(target) <= maxLine && !hasControl(target)
}
