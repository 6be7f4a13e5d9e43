package core

import (
	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// Action is something that the core's caller has to do. The types below are all there are.
type Action interface{ action() }

// Send sends a message to a node. If there is no link to it, one is to be made to Addr, if that is not empty. The message must not be changed: it may be
// sent to others, and again.
type Send struct {
	To   message.Node
	Addr string
	Msg  *message.Message
}

// Ask sends an original's query to an original, or to all with a live link.
type Ask struct {
	Peer   int // AllOriginals, or one
	Except int // not to this one; -1 = no exception
	Query  OriginalQuery
}

// AllOriginals is Ask.Peer for all originals with a live link.
const AllOriginals = -1

// Take asks the engine for the session of a move (engine.Leave); its outcome is passed to Taken, now or later.
type Take struct {
	Key    string
	Urgent bool
	Move   *Move
}

// Left says to the engine that another node has the session of a move.
type Left struct{ Move *Move }

// Stayed says to the engine that the session of a move is served here again.
type Stayed struct{ Move *Move }

// Deliver hands a session to an original, whose answer is passed to Delivered.
type Deliver struct {
	Move *Move
	Peer int
	Host string
}

// Verdict answers an original's transfer.
type Verdict struct {
	Transfer *OriginalTransfer
	Verdict  OriginalVerdict
}

// Arrived puts a session into service that this node looked for, or, if Fetch is nil, that nobody here is known to wait for (engine.Place).
// Its outcome is passed to Settled.
type Arrived struct {
	Fetch  *engine.Fetch
	Parcel *engine.Parcel
	From   message.Node
}

// Missing says to the engine that a session is nowhere, or, if Undecided, that nobody can say where it is.
type Missing struct {
	Fetch     *engine.Fetch
	Undecided bool
}

// Remember says that a session is nowhere, for a little while.
type Remember struct{ Key string }

// Forget says that this is no longer known; of all sessions, if Key is empty.
type Forget struct{ Key string }

// Drop gives back the memory of a session that was held here and has not become ours.
type Drop struct{ Parcel *engine.Parcel }

// Notice is something that a person may want to know.
type Notice struct {
	What Event
	Key  string
	Node message.Node
	Addr string
}

func (Send) action()     {}
func (Ask) action()      {}
func (Take) action()     {}
func (Left) action()     {}
func (Stayed) action()   {}
func (Deliver) action()  {}
func (Verdict) action()  {}
func (Arrived) action()  {}
func (Missing) action()  {}
func (Remember) action() {}
func (Forget) action()   {}
func (Drop) action()     {}
func (Notice) action()   {}

// Event names what a Notice is about. The names are stable: they appear in the log and in metrics.
type Event string

// The events.
const (
	SessionArrived   Event = "session_arrived"    // a session has come here
	SessionLeft      Event = "session_left"       // a session has gone to another node
	SessionConflict  Event = "session_conflict"   // two copies met; the older one was dropped
	SessionRecovered Event = "session_recovered"  // a copy became this node's because the node it came from has ended
	MoveCalledOff    Event = "move_called_off"    // a move took too long or was refused; the session has stayed
	SearchUndecided  Event = "search_undecided"   // nobody could say where a session is
	OriginalMove     Event = "original_move"      // a session went to an original or came from one, and lost what an original does not carry
	OriginalKept     Event = "original_uncertain" // an original did not answer a transfer: it may have a copy, too
)

// Counts are totals since the start.
type Counts struct {
	Searches      int64 // sessions looked for
	SearchMisses  int64 // of which they were nowhere
	Undecided     int64
	Repeated      int64 // questions asked again, because links broke or holders fell silent
	Queries       int64 // of other nodes, new ones
	Duplicates    int64 // seen before
	Chases        int64 // sent after a session that had moved on (rebroadcasts, in the original's words)
	MovesOut      int64
	MovesIn       int64
	MovesOff      int64 // called off
	HandedOver    int64 // of MovesOut, without being asked
	Conflicts     int64
	Recovered     int64
	Overflows     int64 // answers "undecided" or refusals because a bound was reached
	OriginalIn    int64
	OriginalOut   int64
	OriginalFails int64
	Rebroadcasts  int64 // towards originals
}

// Gauges are what is going on now.
type Gauges struct {
	Searching, Moving, Holding, Asking, Remembered int
	Items                                          int // sessions about which anything is going on, or which have gone a moment ago
}

// Counts returns the totals.
func (c *Core) Counts() Counts { return c.counts }

// Gauges returns what is going on.
func (c *Core) Gauges() (g Gauges) {
	for _, q := range c.queries { // not the items, of which a node that was drained has millions
		if q.state == queryWaits && (q.it.move == nil || q.it.move.q != q) {
			g.Asking++
		}
	}
	g.Moving = c.moving
	g.Searching, g.Holding, g.Remembered, g.Items = len(c.searches), c.holding, len(c.queries), len(c.items)
	return g
}

// Idle reports whether this node may end without harm, as far as the core knows: nothing is on its way from or to here.
func (c *Core) Idle() bool {
	return c.moving+c.holding+c.settling == 0
}

// Holds reports whether a copy of a session is here that is not this node's yet, or is just becoming so.
func (c *Core) Holds(key string) bool {
	it := c.items[key]
	return it != nil && (it.held != nil || it.settling)
}

// Add adds other totals.
func (n *Counts) Add(o Counts) {
	n.Searches += o.Searches
	n.SearchMisses += o.SearchMisses
	n.Undecided += o.Undecided
	n.Repeated += o.Repeated
	n.Queries += o.Queries
	n.Duplicates += o.Duplicates
	n.Chases += o.Chases
	n.MovesOut += o.MovesOut
	n.MovesIn += o.MovesIn
	n.MovesOff += o.MovesOff
	n.HandedOver += o.HandedOver
	n.Conflicts += o.Conflicts
	n.Recovered += o.Recovered
	n.Overflows += o.Overflows
	n.OriginalIn += o.OriginalIn
	n.OriginalOut += o.OriginalOut
	n.OriginalFails += o.OriginalFails
	n.Rebroadcasts += o.Rebroadcasts
}
