package core

import (
	"testing"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// orphanRig returns a rig with a copy of a session whose owner has ended.
func orphanRig(t *testing.T) *rig {
	t.Helper()
	r := copyRig(t, 2, "AB")
	r.update('A', 1, message.Content, 3, 4, false)
	r.c.Gone(r.now, node('A'))
	r.collect()
	r.acts = nil
	return r
}

// tends looks after the shelf for a while, or until the session is looked for, which it reports.
func (r *rig) tends(d time.Duration) (searched bool) {
	for end := r.now + int64(d); r.now < end && r.sent[message.Query] == nil; {
		r.c.TendShelf(r.now, 1<<20)
		r.collect()
		r.wait(10 * time.Millisecond)
	}
	return r.sent[message.Query] != nil
}

// orphans are the versions of what is to be written down beside what is served.
func (r *rig) orphans() (versions []uint32) {
	list, _ := r.c.Orphans(r.now, 0, 10)
	for i := range list {
		versions = append(versions, list[i].Version)
	}
	return versions
}

// TestSettleTakesNothingOver: what a node takes over when it has written down what it has would count as lost.
func TestSettleTakesNothingOver(t *testing.T) {
	if r := orphanRig(t); !r.tends(5 * time.Second) {
		t.Fatal("nothing is taken over at any time: the test proves nothing")
	}
	r := orphanRig(t)
	r.c.Settle(r.now)
	if r.tends(5*time.Second) || r.arrived != nil {
		t.Error("it was looked for")
	}
	if got := r.orphans(); len(got) != 1 || got[0] != 4 {
		t.Errorf("to be written: %v", got)
	}
	r.gets('B', transfer(1, 'B', 5, 6))
	if m := r.sent[message.Refused]; m == nil || m.Msg.Reason != message.Leaving {
		t.Errorf("a session that is handed over: %+v", m)
	}
}

// TestSettleEndsSearch: a search that is under way ends without a taking over, even if the answers to it come.
func TestSettleEndsSearch(t *testing.T) {
	r := orphanRig(t)
	if !r.tends(5 * time.Second) {
		t.Fatal("it is not looked for")
	}
	r.c.Settle(r.now)
	r.gets('B', r.notHere())
	r.wait(5 * time.Second)
	if r.arrived != nil || len(r.orphans()) != 1 {
		t.Errorf("%v, to be written %v", r.arrived, r.orphans())
	}
}

// TestSettleKeepsComing: a session that another node is handing over to here is written down, and may still be committed.
func TestSettleKeepsComing(t *testing.T) {
	r := copyRig(t, 2, "AB")
	r.gets('B', transfer(1, 'B', 5, 6))
	r.c.Settle(r.now)
	if got := r.orphans(); len(got) != 1 || got[0] != 6 {
		t.Errorf("to be written: %v", got)
	}
	r.gets('B', about(message.Commit, 1, 5))
	if r.arrived == nil || r.arrived.Parcel.Version != 6 {
		t.Errorf("it is committed, and not here: %+v", r.arrived)
	}
}

// TestSettleServesTakenOver: what is just being taken over, and waits for a mirror, is served at once.
func TestSettleServesTakenOver(t *testing.T) {
	r := orphanRig(t)
	if !r.tends(5 * time.Second) {
		t.Fatal("it is not looked for")
	}
	r.gets('B', r.notHere())
	if r.c.items[key] == nil || r.c.items[key].adoption == nil || r.arrived != nil {
		t.Fatalf("it is not being taken over: %+v", r.c.items[key])
	}
	r.c.Settle(r.now)
	r.collect()
	if r.arrived == nil || r.arrived.Parcel.Version != 4 || len(r.orphans()) != 0 {
		t.Errorf("%+v, to be written %v", r.arrived, r.orphans())
	}
}
