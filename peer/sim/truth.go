package sim

import (
	"encoding/binary"
	"fmt"

	"github.com/farmstate/farmstate/engine"
)

// truth is what is the case about one session, as those know who have been answered. It is compared with each answer, at the moment at which the store gives it.
type truth struct {
	key     string
	exists  bool
	write   uint64 // the latest save
	cookie  uint32 // of the latest lock
	lock    uint32 // 0 = free
	serving int    // copies in service
	// shaken: a node with a copy has died. Until then what is found is believed, whatever it is: an older copy, or none.
	shaken int64
	loose  bool // nothing has been found out since then
}

// request is one of a client.
type request struct {
	n         int
	op        engine.Op
	key       string
	cookie    uint32
	hasCookie bool
	write     uint64 // Set
	node      *node
	asked     int64
	answered  bool
	then      func(a answer)
}

// answer is the store's.
type answer struct {
	status engine.Status
	write  uint64
	cookie uint32
	made   bool // by the model: this save has made the session
	failed bool // the node has died
}

// body is the content of a save.
func body(write uint64) []byte { return binary.BigEndian.AppendUint64(nil, write) }

func content(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func (s *Sim) truth(key string) *truth {
	t := s.truths[key]
	if t == nil {
		t = &truth{key: key}
		s.truths[key] = t
	}
	return t
}

// serves notes that a node puts a copy into service, or out of it.
func (s *Sim) serves(n *node, key string, by int) {
	t := s.truth(key)
	t.serving += by
	if s.traces() {
		s.tracef("%s serves %s %+d, now %d", n.name(), key, by, t.serving)
	}
	if t.serving > 1 && !s.forked() {
		s.fail("%s: %d copies of %s are served", n.name(), t.serving, key)
	}
}

// forked reports whether a long partition has made it unavoidable that there are two copies.
func (s *Sim) forked() bool { return s.opt.LongPartitions }

// shake notes that a node with a copy of a session has died.
func (s *Sim) shake(key string) {
	t := s.truth(key)
	t.shaken, t.loose = s.now+shakenFor, true
	s.tracef("%s is shaken", key)
}

// shakenFor is longer than a copy can be held whose holder has died.
const shakenFor = int64(50e9)

// answer checks an answer, and passes it on.
func (n *node) answer(r *request, a answer) {
	s := n.sim
	if s.traces() {
		s.tracef("%s answers #%d %s %s: %s write=%d cookie=%d made=%v", n.name(), r.n, r.op, r.key, a.status, a.write, a.cookie, a.made)
	}
	if r.answered {
		s.fail("request #%d is answered twice", r.n)
		return
	}
	r.answered = true
	s.pending--
	s.answers[a.status]++
	s.judge(n, r, a)
	s.after(s.delay(), func() { r.then(a) })
}

// judge compares an answer with what is the case, and notes what is the case from now on.
func (s *Sim) judge(n *node, r *request, a answer) {
	t := s.truth(r.key)
	if s.now < t.shaken || t.loose || s.forked() {
		s.believe(r, a, t)
		return
	}
	bad := func(format string, args ...any) {
		s.fail("%s: #%d %s %s is answered %s (write %d, cookie %d): %s", n.name(), r.n, r.op, r.key, a.status, a.write, a.cookie, fmt.Sprintf(format, args...))
	}
	switch {
	case a.status == engine.Cut:
		return
	case a.status == engine.NotFound:
		if t.exists {
			bad("it exists, written by %d", t.write)
		}
		return
	case a.status == engine.Locked:
		if !t.exists || t.lock == 0 || r.hasCookie && r.cookie == t.lock {
			bad("exists: %v, lock: %d", t.exists, t.lock)
		}
		return
	case a.status != engine.OK:
		bad("what is that?")
		return
	}
	if r.op == engine.Set && a.made && t.exists {
		bad("it is made a second time: written by %d", t.write)
	}
	if !t.exists && r.op != engine.Set {
		bad("there is none")
	}
	if r.op == engine.Set && !t.exists {
		if !s.opt.Engine && !a.made {
			bad("there was none")
		}
		t.exists, t.write, t.cookie, t.lock = true, r.write, 1, 0
		return
	}
	if t.lock != 0 && (r.op == engine.Get || r.op == engine.Acquire) {
		bad("it is locked by %d", t.lock)
	}
	switch r.op {
	case engine.Get:
		if a.write != t.write {
			bad("it was written by %d", t.write)
		}
	case engine.Acquire:
		if a.write != t.write {
			bad("it was written by %d", t.write)
		}
		if a.cookie <= t.cookie {
			bad("the latest cookie was %d", t.cookie)
		}
		t.cookie, t.lock = a.cookie, a.cookie
	case engine.Set, engine.Release, engine.Remove:
		if t.lock != 0 && !(r.hasCookie && r.cookie == t.lock) {
			bad("it is locked by %d", t.lock)
		}
		t.lock = 0
		switch r.op {
		case engine.Set:
			t.write = r.write
		case engine.Remove:
			t.exists = false
		}
	}
}

// believe takes an answer for the truth.
func (s *Sim) believe(r *request, a answer, t *truth) {
	switch {
	case a.status == engine.Cut:
		return
	case a.status == engine.NotFound:
		t.exists = false
	case a.status == engine.Locked:
		if t.loose {
			return // what is in it is not known yet
		}
		t.exists, t.lock = true, a.cookie
	default:
		t.exists = r.op != engine.Remove
		switch r.op {
		case engine.Get:
			t.write, t.lock = a.write, 0
			if s.now >= t.shaken {
				return // the cookie is not known yet
			}
		case engine.Acquire:
			t.write, t.cookie, t.lock = a.write, a.cookie, a.cookie
		case engine.Set:
			t.write, t.lock = r.write, 0
			if a.made {
				t.cookie = 1
			}
		case engine.Release:
			t.lock = 0
			return
		}
	}
	if s.now >= t.shaken && (r.op == engine.Acquire && a.status == engine.OK || !t.exists) {
		t.loose = false // all that matters is known again
	}
}

// settled checks the end: everything quiet, and each session in one place.
func (s *Sim) settled() {
	if s.flying != 0 {
		s.fail("%d messages are still under way", s.flying)
	}
	for _, n := range s.places {
		if n == nil || !n.alive {
			continue
		}
		if g := n.core.Gauges(); g.Searching+g.Moving+g.Holding+g.Asking+g.Remembered+g.Items != 0 {
			s.fail("%s has something left: %+v", n.name(), g)
		}
		if x := n.store.hollow(); x != 0 {
			s.fail("%s has %d sessions that are neither here nor elsewhere", n.name(), x)
		}
	}
	for _, key := range s.keys {
		t := s.truth(key)
		copies := 0
		for _, n := range s.places {
			if n != nil && n.alive && n.store.has(key) {
				copies++
			}
		}
		want := 0
		if t.exists {
			want = 1
		}
		if t.loose && copies <= 1 || s.forked() {
			continue
		}
		if copies != want {
			s.fail("there are %d copies of %s, and should be %d", copies, key, want)
		}
	}
	if s.pending != 0 {
		s.fail("%d requests have no answer", s.pending)
	}
}
