package core

import (
	"cmp"
	"slices"
)

// recent remembers values for a while, at most a number of them: the oldest go first.
type recent[K comparable, V any] struct {
	most  int
	m     map[K]remembered[V]
	order []aged[K] // by time of the latest put, oldest first; entries that were put again later are stale
	first int       // of order
	n     uint64
}

type remembered[V any] struct {
	v     V
	until int64
	n     uint64
}

type aged[K comparable] struct {
	k K
	n uint64
}

func newRecent[K comparable, V any](most int) *recent[K, V] {
	return &recent[K, V]{most: most, m: map[K]remembered[V]{}}
}

// put remembers v until a time.
func (r *recent[K, V]) put(now, until int64, k K, v V) {
	r.n++
	r.m[k] = remembered[V]{v, until, r.n}
	r.order = append(r.order, aged[K]{k, r.n})
	// A few old ones go for each new one, so nothing ever takes long.
	for range 3 {
		if r.first == len(r.order) {
			break
		}
		old := r.order[r.first]
		if e := r.m[old.k]; e.n == old.n {
			if e.until > now && len(r.m) <= r.most {
				break
			}
			delete(r.m, old.k)
		}
		r.order[r.first] = aged[K]{}
		r.first++
	}
	if r.first > len(r.order)/2 {
		r.order = append(r.order[:0], r.order[r.first:]...)
		r.first = 0
	}
}

// forget gives up the memory of what is remembered no longer.
func (r *recent[K, V]) forget(now int64) {
	for r.first < len(r.order) {
		old := r.order[r.first]
		if e := r.m[old.k]; e.n == old.n {
			if e.until > now {
				break
			}
			delete(r.m, old.k)
		}
		r.order[r.first] = aged[K]{}
		r.first++
	}
	if r.first < len(r.order) || r.first < keepRecent {
		return
	}
	r.order, r.first = nil, 0
	if len(r.m) == 0 {
		r.m = map[K]remembered[V]{} // an empty one may be large
	}
}

// keepRecent is how many entries' memory is not worth giving up.
const keepRecent = 1024

// drop forgets a value.
func (r *recent[K, V]) drop(k K) { delete(r.m, k) }

// keys returns what is remembered, in the order in which it came.
func (r *recent[K, V]) keys(now int64) []K {
	var all []K
	for _, a := range r.order[r.first:] {
		if e, ok := r.m[a.k]; ok && e.n == a.n && e.until > now {
			all = append(all, a.k)
		}
	}
	return all
}

// after calls f with what is remembered, in the order in which it came, from behind the n-th put on, until f returns false. f is given the number of the put.
func (r *recent[K, V]) after(now int64, n uint64, f func(n uint64, k K, v V, until int64) bool) {
	rest := r.order[r.first:]
	from, _ := slices.BinarySearchFunc(rest, n+1, func(a aged[K], n uint64) int { return cmp.Compare(a.n, n) })
	for _, a := range rest[from:] {
		if e, ok := r.m[a.k]; ok && e.n == a.n && e.until > now && !f(a.n, a.k, e.v, e.until) {
			return
		}
	}
}

// get returns what is remembered.
func (r *recent[K, V]) get(now int64, k K) (V, bool) {
	e, ok := r.m[k]
	return e.v, ok && e.until > now
}
