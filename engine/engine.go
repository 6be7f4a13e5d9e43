package engine

import (
	"math"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/farmstate/farmstate/engine/appkey"
)

// Engine keeps the sessions of one node. All methods may be called from any goroutine, Tick from one at a time.
type Engine struct {
	// Static after construction.

	opt    Options
	index  *index
	apps   *appkey.Table // applications seen, for diagnosis
	mirror Mirror        // nil unless SetMirror has been called

	// Looked at by every request, and hardly ever changed.

	mirroring atomic.Uint32 // Mirroring
	lease     atomic.Int64  // see SetLease
	heads     heads

	memory memory
	closed atomic.Bool // no session is created; see Close
	queue  queue
	counts counts
	shards [numShards]shard

	audit  audit
	survey surveyor
	hot    hot
}

// New returns an engine without sessions. The times passed to it later must not be before now.
func New(opt Options, now Time) (*Engine, error) {
	if err := opt.validate(); err != nil {
		return nil, err
	}
	opt.setDefaults()
	e := &Engine{opt: opt, index: newIndex(), apps: appkey.NewTable()}
	e.memory.max = opt.MaxMemory
	e.lease.Store(NoLease)
	e.audit.found = map[string]StaleLock{}
	e.queue.init(&opt)
	e.audit.begun = now.Mono
	e.survey.wanted.Store(math.MinInt64)
	e.hot.init(now)
	for i := range e.shards {
		e.shards[i].wheel.next = now.Mono >> slotBits
	}
	return e, nil
}

// SetReady installs Options.Ready. Must come before the first ticket.
func (e *Engine) SetReady(f func(lane int)) { e.opt.Ready, e.queue.ready = f, f }

// SetElsewhere installs Options.Elsewhere. Must come before the first ticket.
func (e *Engine) SetElsewhere(x Elsewhere) { e.opt.Elsewhere = x }

// Hash returns the hash under which a key is found. It depends on Options.Seed alone.
func (e *Engine) Hash(key []byte) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(e.opt.Seed)
	_, _ = d.Write(key) // never fails
	return d.Sum64()
}

// Do carries out a ticket, or parks it. now must not be before the time of an earlier call with the same session by more than the calls
// overlap. Never blocks. 0 allocations for a session that exists, unless its content has to grow.
func (e *Engine) Do(now Time, lane int, t *Ticket) {
	t.late, t.since, t.deadline, t.held = false, now.Mono, 0, nil
	e.do(now, lane, t)
}

// do is Do for a ticket whose engine fields are set.
func (e *Engine) do(now Time, lane int, t *Ticket) {
	for {
		s := e.index.find(t.Hash, t.Key)
		if s == nil {
			if e.absent(now, lane, t) {
				return
			}
			continue // somebody has just created it
		}
		if t.Yield || !s.gate.tryEnter() {
			e.enqueue(now, lane, s, t)
			return
		}
		if e.serve(now, lane, s, t) {
			return
		}
	}
}

// serve carries out a ticket in a session that the caller has entered and that serve leaves. It returns false if the session
// was gone, in which case nothing has been done.
func (e *Engine) serve(now Time, lane int, s *session, t *Ticket) bool {
	if e.gone(now, lane, s) {
		e.leave(lane, s)
		return false
	}
	if e.act(now, lane, s, t) {
		e.leave(lane, s)
	}
	return true
}

// gone reports whether an entered session is no longer there, after removing it if its time is up.
func (e *Engine) gone(now Time, lane int, s *session) bool {
	if s.life == alive && s.expired(now) {
		e.expire(lane, s)
	}
	return s.life == dead
}

// leave lets the next one into an entered session.
func (e *Engine) leave(lane int, s *session) {
	if !s.gate.tryLeave() {
		e.queue.leave(lane, s)
	}
}

// Refuse answers a Set for whose body the caller found no memory while it came in. The session, if there is one, keeps its content and its lock. See
// docs/protocol.md §6.5.
func (e *Engine) Refuse(lane int, t *Ticket) {
	t.Out = Outcome{}
	e.refuse(t)
	e.answer(lane, t)
}

// expire removes an entered session whose time is up.
func (e *Engine) expire(lane int, s *session) {
	if Mirroring(e.mirroring.Load()) >= MirrorTell {
		e.mirror.Expired(string(s.key()))
	}
	e.bury(lane, s)
	e.counts.add(lane, countExpired)
}

// answer reports a ticket's outcome to its caller, or keeps it back until mirrors have been told of the change that it is about, and know of it if that is awaited.
func (e *Engine) answer(lane int, t *Ticket) bool {
	if c := t.held; c != nil {
		c.answers.push(t)
		return true
	}
	if n := e.counts.answered(lane, t.Op, t.Out.Status); sampled(n) && t.Op != Leave {
		e.hot.note(lane, t.Key)
	}
	return t.Caller.Answer(t, lane)
}
