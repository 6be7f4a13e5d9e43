package core

import (
	"testing"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// TestHeardOfRemoval: a node that has only heard of a removal refuses no update for it: an owner that was taken for dead when its session was removed would raise its session
// above that. Who was told of it when it happened refuses. Both say so to whoever looks for the session.
func TestHeardOfRemoval(t *testing.T) {
	for _, told := range []bool{false, true} {
		r := copyRig(t, 2, "AB")
		if told {
			r.update('B', 1, message.Drop, 7, 0, true)
		}
		r.c.Bury(r.now, Tomb{Hash: r.c.hashOf(key), Gen: 7, Left: int64(time.Hour)})
		r.update('A', 1, message.Content, 7, 1, false)
		if r.c.Keeps(key) == told {
			t.Errorf("told=%v: the copy is kept: %v", told, !told)
		}
		if got := r.c.removed(r.now, &search{it: &item{key: key}}); got != 8 {
			t.Errorf("told=%v: removed below %d", told, got)
		}
	}
}
