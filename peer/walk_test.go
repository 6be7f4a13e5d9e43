package peer

import (
	"slices"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// idleSessions stand for an engine: for how long each session has been idle, by its shard.
type idleSessions map[int]map[string]int64

func (s idleSessions) idle(shard int, want func(idle, left int64) bool, f func(key string, idle, left int64)) {
	for key, idle := range s[shard] {
		if want(idle, 0) {
			f(key, idle, 0)
		}
	}
}

// TestWalk: a walk meets those first that were used last, and, however many rounds have nobody to meet, does little in one call.
func TestWalk(t *testing.T) {
	s := idleSessions{0: {"old": int64(time.Hour), "new": int64(time.Second)}, 7: {"minute": int64(30 * time.Second)}, engine.NumShards - 1: {"last": int64(2 * time.Second)}}
	var w walk
	w.begin(1)
	var met []string
	for w.on {
		shards := 0
		key, ok := w.next(2, func(shard int, want func(idle, left int64) bool, f func(key string, idle, left int64)) {
			shards++
			s.idle(shard, want, f)
		})
		if shards > 1 {
			t.Fatalf("one call has looked into %d shards", shards)
		}
		if ok {
			met = append(met, key)
		}
	}
	if want := []string{"new", "last", "minute", "old"}; !slices.Equal(met, want) || w.looked != 4 {
		t.Errorf("met %v, and %d have been looked at; want %v", met, w.looked, want)
	}
}

// TestWalkEnds: when a round has met nobody who is older, there is no other.
func TestWalkEnds(t *testing.T) {
	s := idleSessions{3: {"new": int64(time.Second)}}
	var w walk
	w.begin(1)
	calls := 0
	for ; w.on; calls++ {
		w.next(2, s.idle)
	}
	if calls > engine.NumShards+1 {
		t.Errorf("%d calls for %d shards", calls, engine.NumShards)
	}
}

// TestWalkMeetsUsed: a session that is too old for the first round, and is read before its own, is met.
func TestWalkMeetsUsed(t *testing.T) {
	s := idleSessions{3: {"read": int64(2 * time.Minute), "old": int64(time.Hour)}}
	var w walk
	w.begin(1)
	met := false
	for w.on {
		key, ok := w.next(int64(time.Second), s.idle)
		met = met || ok && key == "read"
		if w.class > 0 && !met {
			s[3]["read"] = 1
		}
	}
	if !met {
		t.Error("a session that was read during the walk has not been met")
	}
}
