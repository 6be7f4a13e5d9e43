package peer

import (
	"time"

	"github.com/farmstate/farmstate/engine"
)

// walk goes over all sessions of this node, those first that were used last: in several rounds, one for each class of age. Owned by the driver.
//
// Invariant: a session that was here when the walk began, and stays, is met. It can grow older between two rounds, which only a later round sees. Or somebody uses it:
// so a round meets what has been used since the walk began, whatever its age was before.
type walk struct {
	on     bool
	began  int64
	class  int
	shard  int // next
	older  bool
	keys   []string // of the last shard, yet to be met
	looked int64    // sessions that have been met, each once
}

// ages are the bounds of the classes: sessions that have been idle for less than this.
var ages = [...]int64{int64(10 * time.Second), int64(time.Minute), int64(5 * time.Minute), 1<<63 - 1}

// begin begins a walk.
func (w *walk) begin(now int64) { *w = walk{on: true, began: now} }

// idle is engine.Idle at a time.
type idle func(shard int, want func(idle, left int64) bool, f func(key string, idle, left int64))

// next is the next session. ok is false if there is none in the shard that is next: one call looks into one shard at most, because that takes long if there are many
// sessions. The walk has ended when on is false.
func (w *walk) next(now int64, sessions idle) (key string, ok bool) {
	if w.on && len(w.keys) == 0 {
		w.look(now, sessions)
	}
	if n := len(w.keys); n > 0 {
		key = w.keys[n-1]
		w.keys = w.keys[:n-1]
		return key, true
	}
	if w.on && w.shard == engine.NumShards {
		w.class, w.shard = w.class+1, 0
		w.on, w.older = w.older, false // rounds in which nobody would be met are left out
	}
	return "", false
}

// look gathers the sessions of one shard that belong to this round.
func (w *walk) look(now int64, sessions idle) {
	if w.shard == engine.NumShards {
		return
	}
	least := int64(0)
	if w.class > 0 {
		least = ages[w.class-1]
	}
	sessions(w.shard, func(idle, _ int64) bool {
		if idle >= ages[w.class] {
			w.older = true
			return false
		}
		if idle >= least {
			w.looked++
			return true
		}
		return idle <= now-w.began
	}, func(key string, _, _ int64) { w.keys = append(w.keys, key) })
	w.shard++
}
