package engine

import "sync/atomic"

// gate lets one goroutine at a time into a session, and never makes one wait.
//
//	          tryEnter                        offer
//	free ------------------> entered      -----------> entered|queued
//	     <------------------              (anybody)          |
//	          leave                                          | leave: onto the run list
//	free --------------------------------> queued <----------+
//	     <--- endTurn, queue empty ---       |  ^
//	                               beginTurn v  | endTurn, queue not empty: back onto the run list
//	                                  entered|queued
//
// Invariant: while queued is set and entered is not, the session stands on the run list exactly once; while both are set it does not
// stand there. So nobody overtakes the queue, and a busy session cannot crowd the list.
type gate struct{ bits atomic.Uint32 }

const (
	gateEntered = 1 << iota
	gateQueued
)

// tryEnter enters a free session. Never blocks.
func (g *gate) tryEnter() bool { return g.bits.CompareAndSwap(0, gateEntered) }

// tryLeave leaves, unless tickets have been queued meanwhile: the caller then has to put the session onto the run list (see queue.leave).
func (g *gate) tryLeave() bool { return g.bits.CompareAndSwap(gateEntered, 0) }

// The following require queue.mu held.

// offer announces a queued ticket. It reports whether the caller must put the session onto the run list.
func (g *gate) offer() bool { return g.bits.Or(gateQueued) == 0 }

// queued reports whether the session's turn is still to come or to end.
func (g *gate) queued() bool { return g.bits.Load()&gateQueued != 0 }

// requeue leaves with tickets queued.
func (g *gate) requeue() { g.bits.Store(gateQueued) }

// beginTurn enters on behalf of the run list.
func (g *gate) beginTurn() { g.bits.Store(gateQueued | gateEntered) }

// clear leaves with no ticket queued.
func (g *gate) clear() { g.bits.Store(0) }
