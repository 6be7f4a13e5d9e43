package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// maxCreates bounds how often a page creates its session: others may end it again and again.
const maxCreates = 10

// Answers that a state server must not give.
var (
	errUnstable = fmt.Errorf("acquire: session was gone again after it had been created %d times", maxCreates)
	errNoCookie = errors.New("acquire: answered 200 without a LockCookie")
	errEmpty    = errors.New("answered 200 without a body, which ASP.NET takes for a session that does not exist")
)

// do carries out a page of the given kind on the current session. See docs/protocol.md §9.6.
func (w *worker) do(ctx context.Context, kind pageKind) error {
	switch kind {
	case pageWrite:
		return w.write(ctx)
	case pageRead:
		return w.read(ctx)
	case pageUnchanged:
		return w.unchanged(ctx)
	case pageTouch:
		return w.touch(ctx)
	case pageNew:
		return w.save(ctx, 0, 1, mark{})
	case pageAbandon:
		return w.abandon(ctx)
	case pageGet:
		_, err := w.get(ctx)
		return err
	case pagePut:
		return w.overwrite(ctx)
	case pageCycle:
		return w.cycle(ctx)
	case numPages:
	}
	panic("bench: no such page: " + kind.String())
}

// A hold is a lock that the page has.
type hold struct {
	cookie  int32
	counter uint64 // that the body showed
	mark    mark   // from before the request
}

func (w *worker) write(ctx context.Context) error {
	h, err := w.acquire(ctx, true)
	if err != nil {
		return err
	}
	return w.save(ctx, h.cookie, h.counter+1, h.mark)
}

func (w *worker) cycle(ctx context.Context) error {
	h, err := w.acquire(ctx, false)
	if err != nil || w.ans.Status == wire.StatusNotFound {
		return err
	}
	return w.save(ctx, h.cookie, h.counter+1, h.mark)
}

func (w *worker) unchanged(ctx context.Context) error {
	h, err := w.acquire(ctx, true)
	if err != nil {
		return err
	}
	w.req = wire.Request{Verb: wire.Get, Exclusive: wire.Release, Timeout: defaultTimeout, Cookie: h.cookie, HasCookie: true}
	return w.exchange(ctx, opRelease, nil)
}

func (w *worker) read(ctx context.Context) error {
	var p poll
	for {
		locked, err := w.get(ctx)
		if err != nil || !locked {
			return err
		}
		if err := w.awaitLock(ctx, &p); err != nil {
			return err
		}
	}
}

func (w *worker) touch(ctx context.Context) error {
	m := w.mark()
	w.req = wire.Request{Verb: wire.Head, Timeout: defaultTimeout}
	if err := w.exchange(ctx, opTouch, nil); err != nil {
		return err
	}
	if w.ans.Status == wire.StatusNotFound {
		w.missing(m)
	}
	return nil
}

// abandon ends the session, and begins it again as the visitor's next page would.
func (w *worker) abandon(ctx context.Context) error {
	h, err := w.acquire(ctx, true)
	if err != nil {
		return err
	}
	if w.track != nil {
		w.track.beginEnd()
	}
	w.req = wire.Request{Verb: wire.Delete, Timeout: defaultTimeout, Cookie: h.cookie, HasCookie: true}
	if err := w.exchange(ctx, opRemove, nil); err != nil {
		return err
	}
	if err := w.save(ctx, 0, 1, mark{}); err != nil {
		return err
	}
	// Not after an error: nobody knows when the server carries out the request that failed, so nothing can be said about the
	// session any more.
	if w.track != nil {
		w.track.endEnd()
	}
	return nil
}

// get sends one plain GET and takes in the answer.
func (w *worker) get(ctx context.Context) (locked bool, err error) {
	m := w.mark()
	w.req = wire.Request{Verb: wire.Get, Timeout: defaultTimeout}
	if err := w.exchange(ctx, opGet, nil); err != nil {
		return false, err
	}
	switch w.ans.Status {
	case wire.StatusOK:
		if len(w.ansBody) == 0 {
			return false, errEmpty
		}
		w.look(m)
	case wire.StatusNotFound:
		w.missing(m)
	case wire.StatusLocked, wire.StatusBadRequest:
	}
	return w.ans.Status == wire.StatusLocked, nil
}

// acquire takes the lock of the session and works on it for LoadConfig.Hold. With create it creates a session that does not
// exist; without, it then returns with w.ans saying so.
func (w *worker) acquire(ctx context.Context, create bool) (hold, error) {
	var p poll
	for created := 0; ; {
		m := w.mark()
		w.req = wire.Request{Verb: wire.Get, Exclusive: wire.Acquire, Timeout: defaultTimeout}
		if err := w.exchange(ctx, opAcquire, nil); err != nil {
			return hold{}, err
		}
		switch w.ans.Status {
		case wire.StatusOK:
			if !w.ans.HasCookie {
				return hold{}, errNoCookie
			}
			if len(w.ansBody) == 0 {
				return hold{}, errEmpty
			}
			h := hold{cookie: int32(w.ans.Cookie), counter: w.look(m), mark: m}
			if !sleep(ctx, w.run.cfg.Hold) {
				return hold{}, errStopped
			}
			return h, nil
		case wire.StatusNotFound:
			w.missing(m)
			if !create {
				return hold{}, nil
			}
			if created == maxCreates {
				return hold{}, errUnstable
			}
			created++
			if err := w.create(ctx); err != nil {
				return hold{}, err
			}
		case wire.StatusLocked:
			if err := w.awaitLock(ctx, &p); err != nil {
				return hold{}, err
			}
		case wire.StatusBadRequest: // is an error
		}
	}
}

// create makes the session, uninitialised, unless it exists by now.
func (w *worker) create(ctx context.Context) error {
	w.req = wire.Request{Verb: wire.Put, Timeout: int32(w.run.cfg.Timeout), ExtraFlags: 1, HasCookie: true}
	return w.exchange(ctx, opCreate, emptyBlob)
}

// save stores save number counter of the session and gives the lock back; m is the mark of the acquire. Cookie 0 stands for a
// session that is new.
func (w *worker) save(ctx context.Context, cookie int32, counter uint64, m mark) error {
	body := w.body[:w.size]
	w.saves++
	if w.run.cfg.Verify {
		stamp(body, w.id(), counter)
	} else {
		scribble(body, w.saves)
	}
	w.req = wire.Request{Verb: wire.Put, Timeout: int32(w.run.cfg.Timeout), Cookie: cookie, HasCookie: true}
	if err := w.exchange(ctx, opSave, body); err != nil {
		return err
	}
	switch {
	case w.ans.Status != wire.StatusOK:
		w.count(func(t *tally) { t.refused++ }) // the real client does not even look
	case w.track != nil && w.replaced:
		w.track.forget() // it may have been stored twice, over somebody else's the second time
	case w.track != nil && m.certain:
		w.fault(w.track.saved(m, counter))
	}
	return nil
}

// overwrite sends one PUT without a cookie.
func (w *worker) overwrite(ctx context.Context) error {
	body := w.body[:w.size]
	w.saves++
	scribble(body, w.saves)
	w.req = wire.Request{Verb: wire.Put, Timeout: int32(w.run.cfg.Timeout)}
	return w.exchange(ctx, opSave, body)
}

// awaitLock waits, after an answer that the session is locked, until it is time to ask again. A lock that is too old it breaks.
func (w *worker) awaitLock(ctx context.Context, p *poll) error {
	cfg := &w.run.cfg
	at := p.next(time.Now(), cfg.Poll)
	if age := time.Duration(w.ans.LockAge) * time.Second; age >= cfg.BreakAfter {
		if w.track != nil {
			w.track.forget() // its holder may still save
		}
		w.count(func(t *tally) { t.broken++ })
		w.req = wire.Request{Verb: wire.Get, Exclusive: wire.Release, Timeout: defaultTimeout, Cookie: int32(w.ans.Cookie), HasCookie: true}
		if err := w.exchange(ctx, opRelease, nil); err != nil {
			return err
		}
	}
	if !sleep(ctx, time.Until(at)) {
		return errStopped
	}
	w.count(func(t *tally) { t.polls++ })
	return nil
}

// A poll is the rhythm in which a page asks for a locked session: at every tick of a clock that begins with the first refusal,
// except when less than half an interval has passed since the last answer. See docs/protocol.md §8.11 and §9.6.
type poll struct {
	first time.Time // zero before the first refusal
}

// next returns when to ask again after a refusal that came at answered.
func (p *poll) next(answered time.Time, interval time.Duration) time.Time {
	if p.first.IsZero() {
		p.first = answered
	}
	since := answered.Sub(p.first) + interval/2
	ticks := max(1, (since+interval-1)/interval)
	return p.first.Add(ticks * interval)
}

// defaultTimeout stands in requests that have no Timeout header.
const defaultTimeout = 20

// mark returns what may be expected of the answer to the next request; nothing without Verify.
func (w *worker) mark() mark {
	if w.track == nil {
		return mark{}
	}
	return w.track.now()
}

// look reads the body of the answer, and returns its counter; 0 without Verify.
func (w *worker) look(m mark) uint64 {
	if w.track == nil {
		return 0
	}
	w.count(func(t *tally) { t.checked++ })
	counter, err := readStamp(w.ansBody, w.id())
	if err != nil {
		w.track.forget()
		w.fault(err)
		return 0
	}
	w.fault(w.track.read(m, counter))
	return counter
}

// missing takes in that the session does not exist.
func (w *worker) missing(m mark) {
	if w.track == nil {
		return
	}
	if time.Since(w.run.began) >= time.Duration(w.run.cfg.Timeout)*time.Minute {
		w.track.forget() // it may have expired
		return
	}
	w.fault(w.track.missing(m))
}

// fault counts what verifying has found; nil is nothing.
func (w *worker) fault(err error) {
	if err != nil {
		w.rec.mu.Lock()
		defer w.rec.mu.Unlock()
		w.rec.measured.faults.count(err.Error(), 1) // in the warm-up too
	}
}
