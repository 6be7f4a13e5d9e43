package appkey

import (
	"maps"
	"sync"
	"sync/atomic"
)

// maxLearned bounds the prefixes that Rules learn, as TableSize does for a Table.
const maxLearned = 256

// Rules rewrite keys so that joined applications have one. A nil *Rules has no rules. All methods may be called from any goroutine.
//
// Invariant: a canonical prefix is its own canonical prefix.
type Rules struct {
	// Static after construction.

	fold   bool
	hashed map[string]string // prefix to canonical prefix, for rules that name a hash
	whole  map[string]string // application to canonical prefix, for the others

	// learned holds the canonical prefixes of prefixes that were met, themselves included, to save working them out again. The map is
	// never changed, only replaced by a larger one; when full it stays as it is. So a client that makes prefixes up can fill it, and then all
	// others are worked out each time, which costs about 100 ns instead of 30; but it cannot make it be copied for ever.
	learned atomic.Pointer[map[string]string]
	mu      sync.Mutex // held to replace learned
}

// AppendKey appends to dst the key that stands for key under the rules, and returns the extended buffer: key itself if no
// rule applies, or if it has no application (see Split). The session id never changes. dst must not overlap key. 0 allocations if dst
// has room, except for the first few hundred prefixes when they are first met.
func (r *Rules) AppendKey(dst, key []byte) []byte {
	if r == nil {
		return append(dst, key...)
	}
	prefix := untilID(key)
	if canonical, ok := (*r.learned.Load())[string(prefix)]; ok {
		dst = append(dst, canonical...)
		return append(dst, key[len(prefix):]...)
	}
	return r.appendNew(dst, key)
}

// appendNew is AppendKey for a prefix that has not been learned.
func (r *Rules) appendNew(dst, key []byte) []byte {
	parts, ok := Split(key)
	if !ok {
		return append(dst, key...)
	}
	prefix := untilID(key)
	start := len(dst)
	dst = r.appendCanonical(dst, prefix, len(parts.App))
	r.learn(prefix, dst[start:])
	return append(dst, key[len(prefix):]...)
}

// appendCanonical works out the canonical prefix of a prefix whose first app bytes are the application id.
func (r *Rules) appendCanonical(dst, prefix []byte, app int) []byte {
	start := len(dst)
	dst = append(dst, prefix...)
	mine := dst[start:]
	if r.fold {
		lowerAll(mine[:app])
	}
	if canonical, ok := r.hashed[string(mine)]; ok {
		return append(dst[:start], canonical...)
	}
	if canonical, ok := r.whole[string(mine[:app])]; ok {
		return append(dst[:start], canonical...)
	}
	if r.fold {
		return append(dst[:start+app], "("+anyHash+")"...)
	}
	return dst
}

// learn remembers the canonical prefix of a prefix. Both may be reused on return.
func (r *Rules) learn(prefix, canonical []byte) {
	if len(prefix) > MaxPrefix || len(*r.learned.Load()) >= maxLearned {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := *r.learned.Load()
	if len(old) >= maxLearned {
		return
	}
	learned := make(map[string]string, len(old)+1)
	maps.Copy(learned, old)
	learned[string(prefix)] = string(canonical)
	r.learned.Store(&learned)
}
