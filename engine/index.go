package engine

import (
	"sync/atomic"

	"github.com/puzpuzpuz/xsync/v3"
)

// index finds a session by the bytes of its key, without a lock and without making a string of them. It is the only file that knows
// xsync.
//
// The maps are keyed by the key's 64-bit hash: an entry is then 16 bytes, and looking up needs no second hash. Two keys
// with one hash are next to impossible but not excluded; the second goes to the collided map, which costs nothing while it is empty.
//
// Writers of one hash are serialised by its shard's mutex; readers need nothing.
type index struct {
	maps     [numShards]*xsync.MapOf[uint64, *session]
	collided *xsync.MapOf[string, *session]
	crowded  atomic.Int64 // entries of collided
}

func newIndex() *index {
	x := &index{collided: xsync.NewMapOf[string, *session]()}
	for i := range x.maps {
		// The hash is good already. Its top bits have chosen the shard; xsync looks at the low ones.
		x.maps[i] = xsync.NewMapOfWithHasher[uint64, *session](func(h, seed uint64) uint64 { return h ^ seed })
	}
	return x
}

// find returns the session with this key, or nil. 0 allocations.
func (x *index) find(hash uint64, key []byte) *session {
	s, _ := x.maps[shardOf(hash)].Load(hash)
	if s != nil && s.is(key) {
		return s
	}
	if x.crowded.Load() == 0 {
		return nil
	}
	s, _ = x.collided.Load(string(key))
	return s
}

// insert adds a session whose key is not there. Requires the shard's mu held.
func (x *index) insert(hash uint64, s *session) {
	m := x.maps[shardOf(hash)]
	if _, taken := m.Load(hash); taken {
		x.crowded.Add(1) // Must come before the Store, because find looks at it first.
		x.collided.Store(string(s.key()), s)
		return
	}
	m.Store(hash, s)
}

// remove takes a session out. Requires the shard's mu held.
func (x *index) remove(hash uint64, s *session) {
	m := x.maps[shardOf(hash)]
	if at, _ := m.Load(hash); at == s {
		m.Delete(hash)
		return
	}
	if at, _ := x.collided.Load(string(s.key())); at == s {
		x.collided.Delete(string(s.key()))
		x.crowded.Add(-1)
	}
}

// each calls f for every session of one shard until it returns false. Sessions that come or go meanwhile may or may not be seen.
func (x *index) each(shard int, f func(*session) bool) {
	x.maps[shard].Range(func(_ uint64, s *session) bool { return f(s) })
	if shard == 0 && x.crowded.Load() > 0 {
		x.collided.Range(func(_ string, s *session) bool { return f(s) })
	}
}
