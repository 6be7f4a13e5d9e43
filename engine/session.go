package engine

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
)

// session is the record of one session.
//
// Its size is a promise (see TestSessionSize): a node holds millions. It fills two cache lines, and what every request touches comes first.
type session struct {
	gate gate

	// Owned by who has entered.

	minutes uint32 // sliding life, 0 = for ever
	life    life
	marks   marks
	holder  uint16 // Ticket.Client of who has the lock; meaningless unless it is held

	slot    int16 // in the wheel, or noSlot. Guarded by shard.mu.
	tailLen uint8 // static after construction
	ownHead bool  // head belongs to this session alone; static after construction

	lock    lock
	expires int64  // Time.Mono; if minutes is 0, of the latest hit
	body    blob   // see bodyShared for who may overwrite it
	gen     uint32 // moves, begun ones included; saturates
	version uint32 // saves that changed the content; saturates

	prev, next *session // neighbours in the wheel's slot. Guarded by shard.mu.
	box        *mailbox // nil while nobody is queued or waits. Guarded by queue.mu.

	// Static after construction: the key is head and then tail.

	head *string // what the sessions of an application have in common; see heads
	tail [tailRoom]byte
}

// life says what a record is.
type life uint8

const (
	alive  life = iota // a session; expired or not, see gone
	sought             // the place for one that other nodes are asked for; see Fetch
	void               // the place for one that is nowhere; see void.go
	dead               // no longer in the index; never comes back
)

// marks are what else is to be known of a session, a bit each.
type marks uint8

const (
	uninit  marks = 1 << iota // told to the next request of the GET family, once (§7.7)
	literal                   // whoever made it spelt its key without escapes; see Ticket.Target
	waiters                   // somebody may wait for the lock; the list decides
	reread                    // asked for since the request that made it; see asksAgain
)

func (m marks) has(bit marks) bool { return m&bit != 0 }

// set sets or clears one bit.
func (m *marks) set(bit marks, on bool) {
	if *m &^= bit; on {
		*m |= bit
	}
}

// asksAgain reports whether a request shows, if it finds its session, that the client has come back with the id that it was given. One whose cookies get lost
// makes a session with each request, and none of them is asked for again.
func (op Op) asksAgain() bool { return op == Get || op == Acquire || op == Touch }

// idle is for how long (ns) nobody has asked for the session, at least.
func (s *session) idle(now Time) int64 { return max(0, int64(s.minutes)*minute-(s.expires-now.Mono)) }

// tailRoom holds a session id as ASP.NET makes it. See docs/protocol.md §3.8.
const tailRoom = 24

// newSession returns a session that nobody else knows yet. The key is copied.
func (e *Engine) newSession(key []byte) *session {
	s := &session{slot: noSlot, lock: lock{cookie: newCookie}}
	at := bytes.LastIndexByte(key, '/') + 1
	if len(key)-at <= tailRoom {
		s.head = e.heads.of(key[:at])
	} else {
		at = len(key) - tailRoom
	}
	if s.head == nil {
		head := string(key[:at])
		s.head, s.ownHead = &head, true
	}
	s.tailLen = uint8(copy(s.tail[:], key[at:]))
	return s
}

// is reports whether this is the session's key. 0 allocations.
func (s *session) is(key []byte) bool {
	n := len(key) - int(s.tailLen)
	return n == len(*s.head) && string(key[:n]) == *s.head && string(key[n:]) == string(s.tail[:s.tailLen])
}

// key returns the key, in memory of its own.
func (s *session) key() []byte { return append([]byte(*s.head), s.tail[:s.tailLen]...) }

// hashOf is Hash of the session's key. 0 allocations.
func (e *Engine) hashOf(s *session) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(e.opt.Seed)
	_, _ = d.WriteString(*s.head) // never fails
	_, _ = d.Write(s.tail[:s.tailLen])
	return d.Sum64()
}

// bodyShared is the capacity above which a body is never overwritten in place, so that an answer may alias it after the
// session has been left. Smaller ones are copied into the answer, which is cheaper than allocating them anew.
const bodyShared = 64 << 10

// shared reports whether the body is never overwritten in place.
func (s *session) shared() bool { return s.body.cap() > bodyShared }

// sessionCost is what a session takes beside its content: the record with its id, its entry and its part of a bucket in the index, and what the
// allocator and the runtime need to keep them. Measured by BenchmarkSessions in bench; used for the memory account.
const sessionCost = 200

// cost is what the session takes of the memory account.
func (s *session) cost() int64 {
	cost := sessionCost + int64(s.body.cap())
	if s.ownHead {
		cost += int64(len(*s.head))
	}
	return cost
}

// expired reports whether the session's time is up: from then on it is absent, swept or not. See docs/protocol.md §7.10.
func (s *session) expired(now Time) bool { return s.minutes != 0 && now.Mono >= s.expires }

// slide starts the session's life anew.
func (s *session) slide(now Time) { s.expires = now.Mono + int64(s.minutes)*minute }

// content fills the part of the outcome that a successful read has.
func (s *session) content(out *Outcome) {
	out.Body, out.Shared, out.Minutes = s.body.bytes(), s.shared(), s.minutes
}

// refusal fills the outcome of a request that the lock keeps out.
func (s *session) refusal(out *Outcome, now Time) {
	out.Status = Locked
	out.Cookie, out.LockDate, out.LockAge = s.lock.cookie, s.lock.date, s.lock.age(now)
}
