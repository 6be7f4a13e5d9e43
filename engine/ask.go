package engine

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
)

// Ask carries out a ticket and waits for its outcome, on a goroutine that runs no event loop and is no Caller's: that of a command or of an admin page. Run and Tick must be
// called meanwhile, by somebody else. Caller and Hash are filled in. t.Key, t.Target and t.Body must stay as they are even if Ask returns early. Out.Body, of the outcome,
// is the caller's. A Leave cannot be asked for.
//
// When ctx is done the ticket is withdrawn, and the error wraps ctx's. It may have been carried out then, or still be: look again. A lock that it gets after that is given back at once.
//
// To break a lock, ask for a Release with its cookie, as a client does whose page has waited for too long:
//
//   - OK: the lock is free, or the next waiter's, and mirrors know of it. Also if there was no lock any more;
//   - Locked: the lock is another's meanwhile, with Outcome.Cookie, and has been left alone;
//   - NotFound: there is no such session, here or, in a farm, anywhere;
//   - Cut: too many requests stand before it, or the session was on its way for longer than Options.FarmWait: try again.
//
// A session that is at another node comes here for it, as for any request; so it had better be asked of the node that told of the lock. One that is on its way is waited for.
func (e *Engine) Ask(ctx context.Context, now Time, t Ticket) (Outcome, error) {
	if t.Op == Leave {
		panic("engine: a Leave is not asked for: its session would stay out of service")
	}
	a := &asker{ticket: t, done: make(chan struct{})}
	a.ticket.Caller, a.ticket.Hash = a, e.Hash(t.Key)
	e.Do(now, NoLane, &a.ticket)
	select {
	case <-a.done:
		return a.out, nil
	case <-ctx.Done():
	}
	if !a.state.CompareAndSwap(askOpen, askGone) {
		<-a.done // it is being answered at this very moment
		return a.out, nil
	}
	if e.Cancel(&a.ticket) && a.ticket.Owned && a.ticket.Body != nil {
		e.Unreserve(cap(a.ticket.Body))
	}
	return Outcome{}, fmt.Errorf("engine: no answer to a %s in time: %w", t.Op, context.Cause(ctx))
}

// asker is the Caller of a ticket of Ask. It belongs to Ask until that returns, and then to the engine.
type asker struct {
	ticket Ticket
	state  atomic.Uint32
	out    Outcome // set before done is closed
	done   chan struct{}
}

// The states of an asker.
const (
	askOpen     = iota
	askAnswered // done is closed, or is being
	askGone     // nobody is there to be answered
)

// Park implements Caller: nobody else uses the ticket's memory.
func (*asker) Park(*Ticket) {}

// Answer implements Caller.
func (a *asker) Answer(t *Ticket, _ int) bool {
	if !a.state.CompareAndSwap(askOpen, askAnswered) {
		return false
	}
	a.out = t.Out
	if !t.Out.Shared {
		a.out.Body = bytes.Clone(t.Out.Body)
	}
	close(a.done)
	return true
}
