package peer

import (
	"sync"
	"time"
)

// misses remembers for a little while which sessions are nowhere, so that a new session's first save, which follows its first read, does not ask the farm again.
// It is asked by event loops, also with a shard of the engine locked, and told by the driver.
//
// Invariant: whatever another node asks for is forgotten here before the engine is asked for it. See engine.Elsewhere.
type misses struct {
	parts [missParts]missPart
}

type missPart struct {
	mu    sync.Mutex
	at    map[string]int64 // Time.Mono until which it holds; guarded by mu
	bytes int              // of its keys; guarded by mu
}

const (
	missParts = 64
	missRoom  = 1 << 10 // entries of a part; when it is full it is emptied
	missBytes = 1 << 18 // of their keys, likewise: whoever makes up keys must not fill our memory with them
	missLife  = int64(2 * time.Second)
)

func (m *misses) init() {
	for i := range m.parts {
		m.parts[i].at = map[string]int64{}
	}
}

func (m *misses) part(hash uint64) *missPart { return &m.parts[hash%missParts] }

// has reports whether a session is known to be nowhere.
func (m *misses) has(hash uint64, key []byte, now int64) bool {
	p := m.part(hash)
	p.mu.Lock()
	defer p.mu.Unlock()
	until, ok := p.at[string(key)]
	return ok && now < until
}

// add remembers that a session is nowhere.
func (m *misses) add(hash uint64, key string, now int64) {
	p := m.part(hash)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.at) >= missRoom || p.bytes+len(key) > missBytes {
		clear(p.at)
		p.bytes = 0
	}
	if _, known := p.at[key]; !known {
		p.bytes += len(key)
	}
	p.at[key] = now + missLife
}

// drop forgets it.
func (m *misses) drop(hash uint64, key string) {
	p := m.part(hash)
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.at[key]; known {
		delete(p.at, key)
		p.bytes -= len(key)
	}
}

// clear forgets all.
func (m *misses) clear() {
	for i := range m.parts {
		p := &m.parts[i]
		p.mu.Lock()
		clear(p.at)
		p.bytes = 0
		p.mu.Unlock()
	}
}
