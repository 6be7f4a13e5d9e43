package netpoll

import (
	"sync/atomic"

	"github.com/farmstate/farmstate/engine"
)

// lane is what the connections of one goroutine share: an event loop's with gnet, one connection's own with the standard library's network.
type lane struct {
	srv *Server
	id  int // for the engine; unique among the lanes that live

	// Owned by the lane's goroutine.

	depth   int // callbacks that are under way: OnClose may run inside a write
	current *conn
	out     []byte  // answers of current, in order
	tail    []byte  // a shared body that comes after out; nothing is appended to out until both have been written
	key     []byte  // scratch: a decoded key before the alias rules
	resumed []*conn // answered on this lane while they were not current
	conns   map[*conn]struct{}
	watched map[*conn]struct{} // those that want a look at each tick
	hot     hotness
	turn    turn // of current
	took    *latencies

	watching atomic.Bool // watched is not empty; for the ticker
}

func newLane(s *Server, id int) *lane {
	return &lane{srv: s, id: id, conns: map[*conn]struct{}{}, watched: map[*conn]struct{}{}, took: s.latencies[id%len(s.latencies)]}
}

// watch makes the ticker look at c at each tick.
func (l *lane) watch(c *conn) {
	l.watched[c] = struct{}{}
	l.watching.Store(true)
}

func (l *lane) unwatch(c *conn) {
	delete(l.watched, c)
	l.watching.Store(len(l.watched) > 0)
}

// keepOut is how much of the answer buffer a lane keeps between events.
const keepOut = 256 << 10

// begin and end stand around every callback of a transport. end does all that the callback has made ready on this lane: connections whose parked
// request has been answered.
func (l *lane) begin() { l.depth++ }

func (l *lane) end() {
	if l.depth > 1 {
		l.depth--
		return
	}
	for len(l.resumed) > 0 {
		c := l.resumed[len(l.resumed)-1]
		l.resumed = l.resumed[:len(l.resumed)-1]
		c.resume()
	}
	l.depth--
}

// resume lets a connection go on whose parked request has been answered.
func (c *conn) resume() {
	c.guard(func() {
		if c.event() {
			c.link.close()
		}
	})
}

// tick looks after the connections that want it: all of them if all is set.
func (l *lane) tick(now engine.Time, all bool) {
	set := l.watched
	if all {
		set = l.conns
	}
	for c := range set {
		c.guard(func() { c.tick(now) })
	}
}

// cutSlowest ends the connection of the client that owes the most reading among those of this lane, c included: all clients' answers together have
// exceeded their bound, and who has most of them is not who happened to be answered last.
func (l *lane) cutSlowest(c *conn) {
	worst := c
	for o := range l.watched {
		if o.queued > worst.queued && o.phase != phaseLinger {
			worst = o
		}
	}
	if worst != c {
		worst.end(CloseSlowReader)
		return
	}
	c.reason = CloseSlowReader
}

// hotness tells when one session has had more than its share of a batch of events.
//
// gnet has no hook between batches, but a level-triggered poll reports a connection once a batch: seeing one again means that a new batch
// has begun.
type hotness struct {
	batch  uint32
	began  int64
	counts [64]uint8 // requests of this batch by the low bits of the session's hash
}

const (
	// hotShare is how many requests of one session go the straight way in one batch; the rest take the session's queue, so that
	// they cannot push others' back.
	hotShare = 64
	// hotSpan ends a batch by time, for connections that come rarely.
	hotSpan = int64(1e6) // ns
)

// event notes that a connection has something to do.
func (h *hotness) event(c *conn, now int64) {
	if c.batch == h.batch || now-h.began > hotSpan {
		h.batch++
		h.began = now
		h.counts = [64]uint8{}
	}
	c.batch = h.batch
}

// request notes a request, and reports whether it should yield.
func (h *hotness) request(hash uint64) bool {
	n := &h.counts[hash%64]
	if *n >= hotShare {
		return true
	}
	*n++
	return false
}
