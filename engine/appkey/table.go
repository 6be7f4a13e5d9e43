package appkey

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
)

// TableSize is the number of prefixes that a Table of NewTable remembers.
const TableSize = 256

// Table remembers the prefixes under which sessions were created, up to a bound. When it is full, the least recently noted prefix
// makes room. All methods may be called from any goroutine.
//
// Noting a prefix that is known takes no lock. The index is open addressing over atomic pointers rather than a map that is copied
// on write: on a host with more applications than the table keeps, most sessions are created under a prefix that is not known any more,
// and copying the whole table for each of them costs 15 µs where replacing one entry costs less than one.
type Table struct {
	// Static after construction.

	seed  maphash.Seed
	slots []atomic.Pointer[known] // index by hash, linear probing. Invariant: a power of two, at least twice len(list)
	list  []atomic.Pointer[known] // the same entries, from the front, for walking over them

	kept  atomic.Int64  // entries of list in use; never goes down
	clock atomic.Uint64 // twice the number of prefixes ever added; written under mu

	mu sync.Mutex // held to add; nothing else is locked meanwhile
}

// known is one prefix. Only the atomics change.
type known struct {
	prefix  string
	hash    uint64
	created atomic.Uint64 // sessions
	noted   atomic.Uint64 // when, as Table.clock tells: the value at which it was added, or that value + 1 if noted again since then
}

// NewTable returns an empty table for TableSize prefixes, which take 300 KiB at most.
func NewTable() *Table { return NewTableSize(TableSize) }

// NewTableSize is NewTable for size prefixes, at least one.
func NewTableSize(size int) *Table {
	size = max(size, 1)
	return &Table{
		seed:  maphash.MakeSeed(),
		slots: make([]atomic.Pointer[known], 1<<bits.Len(uint(2*size-1))),
		list:  make([]atomic.Pointer[known], size),
	}
}

// Note counts one session created under prefix, as Prefix returns it. Empty prefixes and those longer than MaxPrefix are ignored. prefix may be
// reused on return. 0 allocations if the prefix is known.
func (t *Table) Note(prefix []byte) {
	if len(prefix) == 0 || len(prefix) > MaxPrefix {
		return
	}
	hash := maphash.Bytes(t.seed, prefix)
	k := t.find(hash, prefix)
	if k == nil {
		t.add(hash, prefix)
		return
	}
	k.again(t.clock.Load())
}

// again counts one more session.
func (k *known) again(clock uint64) {
	k.created.Add(1)
	// Mostly equal, because applications seldom come new. If the swap fails, somebody else has noted it just now.
	if was := k.noted.Load(); was <= clock {
		k.noted.CompareAndSwap(was, clock+1)
	}
}

// Each calls yield for every prefix remembered, until it returns false. Prefixes that come or go meanwhile may or may not be seen; one that goes
// and comes back may be seen twice. Never blocks. 0 allocations.
func (t *Table) Each(yield func(prefix string) bool) {
	t.Created(func(prefix string, _ uint64) bool { return yield(prefix) })
}

// Created is Each with the number of sessions created under the prefix since it is remembered: one that was forgotten begins at 1 again.
func (t *Table) Created(yield func(prefix string, sessions uint64) bool) {
	for i := range t.kept.Load() {
		k := t.list[i].Load()
		if !yield(k.prefix, k.created.Load()) {
			return
		}
	}
}

// Len returns the number of prefixes remembered.
func (t *Table) Len() int { return int(t.kept.Load()) }

// find looks a prefix up. Without mu, nil is not final: an entry that is being moved can be overlooked, though never mistaken.
func (t *Table) find(hash uint64, prefix []byte) *known {
	mask := uint64(len(t.slots) - 1)
	for i := uint64(0); i <= mask; i++ { // A bound, because slots may move under the reader.
		k := t.slots[(hash+i)&mask].Load()
		if k == nil {
			return nil
		}
		if k.hash == hash && k.prefix == string(prefix) {
			return k
		}
	}
	return nil
}

// add counts the first session of a prefix that find has not found.
func (t *Table) add(hash uint64, prefix []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := t.find(hash, prefix); k != nil {
		k.again(t.clock.Load())
		return
	}
	k := &known{prefix: string(prefix), hash: hash}
	k.created.Store(1)
	k.noted.Store(t.clock.Add(2))
	at := t.kept.Load()
	if at < int64(len(t.list)) {
		t.list[at].Store(k)
		t.kept.Store(at + 1) // Must come after the Store to list, because Created looks at it first.
	} else {
		at = t.leastLocked()
		t.dropLocked(t.list[at].Swap(k))
	}
	t.putLocked(k)
}

// leastLocked returns the place in list of the least recently noted prefix. Among those noted again since the last one was added it takes
// any: that is how far recency is exact. Requires t.mu held.
func (t *Table) leastLocked() int64 {
	least, at := t.list[0].Load().noted.Load(), 0
	for i := range t.list {
		if noted := t.list[i].Load().noted.Load(); noted < least {
			least, at = noted, i
		}
	}
	return int64(at)
}

// putLocked enters k, which is not there, into the index. Requires t.mu held.
func (t *Table) putLocked(k *known) {
	mask := uint64(len(t.slots) - 1)
	i := k.hash & mask
	for t.slots[i].Load() != nil {
		i = (i + 1) & mask
	}
	t.slots[i].Store(k)
}

// dropLocked takes k out of the index, and moves up those that stand behind their place because of it. Requires t.mu held.
func (t *Table) dropLocked(k *known) {
	mask := uint64(len(t.slots) - 1)
	hole := k.hash & mask
	for t.slots[hole].Load() != k {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; ; i = (i + 1) & mask {
		next := t.slots[i].Load()
		if next == nil {
			break
		}
		if (i-next.hash)&mask >= (i-hole)&mask { // The hole is not in front of its home.
			t.slots[hole].Store(next)
			hole = i
		}
	}
	t.slots[hole].Store(nil)
}
