// Package engine keeps the sessions: their content, locks, expiry, queues and limits.
//
// It does no I/O, starts no goroutine and reads no clock. Time is passed in with every call, so tests and simulations own it.
//
// # A request
//
// A caller describes a request in a Ticket and passes it to Engine.Do. Exactly one of three things follows:
//
//   - the ticket is answered before Do returns (the straight way: find the session in its shard's map, enter it with one
//     compare-and-swap, act, answer, leave; no lock, no allocation);
//   - it is parked in the session's own queue, because somebody is in the session, the session is on its way from or to another
//     node, or an acquire waits for the lock; Caller.Park is called first, Caller.Answer later, from some other call into the
//     engine (Run, Tick, Do, Revoke, Undecided), on that caller's goroutine;
//   - it is cancelled by Cancel and never answered.
//
// Ask is Do for those who have a goroutine to wait on.
//
// # Entering a session
//
// A session is entered by at most one goroutine at a time, and only who has entered may touch its fields (see gate). Nobody
// waits to enter: who finds the gate closed appends its ticket to the session's queue and goes away. Sessions with queued tickets
// stand once each on one run list; Run serves them round-robin, one ticket a turn, so a session with a thousand requests
// gets the same turns as one with a single request.
//
// # States
//
// A session is unlocked, locked, away (being fetched from, or leaving to, another node: its gate is held meanwhile; see trip) or absent. One that has been
// looked for and is nowhere has a void placeholder until those who were queued for it have been served. Each event has one method, and an event that fails changes nothing but the sliding timer. docs/lock.md has the table.
//
// # What operators see
//
// Stats are counts. Survey is the result of a walk round all sessions, which Tick does bit by bit while somebody looks. Hot is estimated from one answer in 64: a lane puts
// the keys into a buffer of its own, Tick takes them from there. What goes wrong is told as it happens, by Options.Events.
//
// # Lock order
//
//	shard.mu, then queue.mu. Elsewhere.Nowhere is called with shard.mu held, so what it locks comes after it. A gate is only ever tried, never waited for, so it has no place in the order.
//
// Caller.Answer runs with no mutex held, and with the gate held if the answer has a body.
package engine
