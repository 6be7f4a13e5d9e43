package engine

import (
	"math/bits"
	"sync"
)

// NumShards is the number of parts in which the sessions are kept; see Keys.
const NumShards = numShards

// numShards: several maps instead of one large one bound what a map that grows can delay. At five million sessions a shard has 15,000, and
// copying its table takes about a millisecond. Far more shards were slower: what leads to a map must stay in the processor's cache.
//
// It is not a power of two, so that at round numbers of sessions the tables, which are, are well filled: at 1, 2, 5 and 10 million between 77 and 96 % of
// what makes them double.
const numShards = 340

// shardOf scales the hash to the number of shards, which takes its top bits: the maps use the low ones.
func shardOf(hash uint64) uint64 {
	shard, _ := bits.Mul64(hash, numShards)
	return shard
}

// shard serialises what adds and removes sessions, and owns their places in the wheel. A request for a session that exists never
// touches it, unless it changes the session's Timeout.
type shard struct {
	mu    sync.Mutex
	wheel wheel // guarded by mu
}
