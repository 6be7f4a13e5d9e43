package engine

import (
	"maps"
	"sync"
	"sync/atomic"
)

// heads keeps one copy of what the keys of an application have in common, all but the session id: with real keys that is nearly three quarters
// of the key, the same for millions of sessions.
type heads struct {
	known atomic.Pointer[map[string]*string] // never written to; replaced by add

	mu sync.Mutex // held to replace known
}

// Applications beyond these bounds get no common copy: whoever can make up names must not fill our memory with them.
const (
	maxHeads   = 1024
	maxHeadLen = 1024 // bytes
)

// of returns the common copy of a head, or nil if there is none and cannot be. 0 allocations for one that is known.
func (h *heads) of(head []byte) *string {
	if known := h.known.Load(); known != nil {
		if s := (*known)[string(head)]; s != nil {
			return s
		}
	}
	if len(head) > maxHeadLen {
		return nil
	}
	return h.add(string(head))
}

func (h *heads) add(head string) *string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var old map[string]*string
	if known := h.known.Load(); known != nil {
		old = *known
	}
	if s := old[head]; s != nil || len(old) >= maxHeads {
		return s
	}
	all := make(map[string]*string, len(old)+1)
	maps.Copy(all, old)
	all[head] = &head
	h.known.Store(&all)
	return &head
}
