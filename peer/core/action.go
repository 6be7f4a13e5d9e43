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
	Look   bool // find out whether it is here, and leave it
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

// Arrived puts a session into service that this node looked for, or, if Fetch is nil, that nobody here is known to wait for (engine.Meet).
// Its outcome is passed to Settled.
type Arrived struct {
	Fetch  *engine.Fetch
	Parcel *engine.Parcel
	From   message.Node
	Rank   uint32 // the generation by which it is compared with what is here; see engine.Meet
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

// Confirm says to the engine that the mirrors have a change.
type Confirm struct{ Change *Change }

// Supersede says to the engine that a session, of which a change waits, is, or may be, another node's by now. Its outcome is passed to Ousted.
type Supersede struct {
	Change       *Change
	Newer        bool // it is certain that there is a newer state elsewhere
	Gen, Version uint32
	Node         message.Node
	pause        *inflow
}

// Oust is Supersede for a session of which no change waits. While somebody is in the session it is to be tried again; see Blocked.
type Oust struct {
	Key          string
	Newer        bool
	Gen, Version uint32 // of the other state
	Node         message.Node
	pause        *inflow
}

// Lift raises the generation of a session (engine.Lift), or, if Change is set, of the one of which that waits.
type Lift struct {
	Key    string
	Change *Change
	Gen    uint32
}

// Charge takes so many bytes of the memory account, whatever its cap says, or gives them back.
type Charge struct{ Bytes int }

// Quarantine keeps a state of a session that has given way to another one, and tells of it: it is a SessionConflict, for which there is no Notice.
type Quarantine struct {
	Parcel *engine.Parcel
	Winner
}

// Winner is the state that stays where two of a session have met.
type Winner struct {
	Gen, Version uint32       // Version is 0 if it is not known; if both are, neither is
	Node         message.Node // that has it, as far as is known; else zero
}

// Notice is something that a person may want to know.
type Notice struct {
	What Event
	Key  string
	Node message.Node // zero if it is not known, or does not matter
	Addr string       // of Node

	// Of a SessionConflict: the state that was dropped, and the one that stays. What is not known is as in Winner.

	Gen, Version           uint32
	NewerGen, NewerVersion uint32
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

func (Confirm) action()    {}
func (Supersede) action()  {}
func (Oust) action()       {}
func (Charge) action()     {}
func (Lift) action()       {}
func (Quarantine) action() {}

// Event names what a Notice is about. The names are stable: they appear in the log and in metrics.
type Event string

// The events.
const (
	SessionArrived   Event = "session_arrived"    // a session has come here
	SessionLeft      Event = "session_left"       // a session has gone to another node
	SessionConflict  Event = "session_conflict"   // two states met; the older one has given way
	SessionRecovered Event = "session_recovered"  // a copy became this node's because the node it came from has ended
	MoveCalledOff    Event = "move_called_off"    // a move took too long or was refused; the session has stayed
	SearchUndecided  Event = "search_undecided"   // nobody could say where a session is
	OriginalMove     Event = "original_move"      // a session went to an original or came from one, and lost what an original does not carry
	SessionTakenOver Event = "session_taken_over" // a session has been taken over from a copy, because its owner has ended or counts as dead
	CopyRefused      Event = "copy_refused"       // a mirror had no room for a copy
	CopyResync       Event = "copy_resync"        // a mirror has forgotten what it had from here: all goes there again
	CopyBacklog      Event = "copy_backlog"       // a mirror does not keep up: updates to it are left out until it does
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

	TakenOver     int64 // sessions taken over from copies
	Superseded    int64 // sessions that were put out of service, because others have taken them over, or may have
	Alone         int64 // changes that were answered with no copy elsewhere
	CopiesMade    int64 // sessions whose missing copies have been made
	CopiesSpread  int64 // copies sent on by us whose owner is silent
	Reclaims      int64 // searches for sessions whose owner has ended, for which nobody has asked
	Leftovers     int64 // copies that were dropped because another node serves the session and knows nothing of them
	CopiesDropped int64 // by mirrors, because we have told them
	CopiesRefused int64 // updates that mirrors have refused
	CopiesExpired int64 // copies here whose owner had ended and whose time was up
	Resyncs       int64 // streams begun anew
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
	n.TakenOver += o.TakenOver
	n.Superseded += o.Superseded
	n.Alone += o.Alone
	n.CopiesMade += o.CopiesMade
	n.CopiesSpread += o.CopiesSpread
	n.Reclaims += o.Reclaims
	n.Leftovers += o.Leftovers
	n.CopiesDropped += o.CopiesDropped
	n.CopiesRefused += o.CopiesRefused
	n.CopiesExpired += o.CopiesExpired
	n.Resyncs += o.Resyncs
}
