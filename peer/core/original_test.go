package core

import (
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// originalAsks hands in an original's query.
func (r *rig) originalAsks(peer int, n byte) {
	r.c.OriginalQuery(r.now, peer, key, &OriginalQuery{Target: key, ID: id(n), Host: "host", MaxForwards: 3})
	r.collect()
}

// originalSends hands in an original's session.
func (r *rig) originalSends(sight engine.SightState) {
	r.c.OriginalTransfer(r.now, &OriginalTransfer{Peer: 1, Parcel: &engine.Parcel{Key: key, Body: []byte("body")}}, engine.Sight{State: sight})
	r.collect()
}

// withOriginals is a rig with two originals beside its neighbours.
func withOriginals(t *testing.T, neighbours string) *rig {
	r := newRig(t, neighbours)
	r.c.OriginalUp(1)
	r.c.OriginalUp(2)
	r.collect()
	r.acts = nil
	return r
}

func TestOriginalIsAsked(t *testing.T) {
	t.Run("it says nothing: nowhere, at the deadline", func(t *testing.T) {
		r := withOriginals(t, "B")
		r.find()
		r.want("B<-query", "ask -1 except -1")
		r.gets('B', r.notHere())
		r.wait(2479 * time.Millisecond)
		r.want()
		r.wait(time.Millisecond)
		r.want("remember", "missing")
		r.quiet()
	})
	t.Run("but not while a neighbour is missed", func(t *testing.T) {
		r := withOriginals(t, "BC")
		r.find()
		r.gets('B', r.notHere())
		r.wait(2400 * time.Millisecond)
		r.acts = nil
		r.c.Down(r.now, node('C'))
		r.c.Down(r.now, node('B'))
		r.wait(200 * time.Millisecond)
		for _, a := range r.acts {
			if m, ok := a.(Missing); ok && !m.Undecided {
				t.Error("it is said to be nowhere")
			}
		}
	})
	t.Run("elsewhere", func(t *testing.T) {
		r := newRig(t, "B")
		r.find()
		m := r.notHere()
		m.Original = true
		r.gets('B', m)
		r.want("B<-query")
		r.wait(2480 * time.Millisecond)
		r.want("remember", "missing")
	})
	t.Run("for another node", func(t *testing.T) {
		r := withOriginals(t, "B")
		r.gets('B', ask('B', 1, 1))
		r.taken(TakenAbsent, 0, 0)
		r.want("take", "ask -1 except -1", "B<-not_here original")
		r.originalSends(engine.SightAbsent) // the original has it after all
		r.want("arrived 0.0 unasked", "verdict 0")
		r.settled(0)
		r.want("take")
		r.taken(TakenOK, 1, 1)
		r.want("B<-found", "B<-transfer 1.1")
		r.gets('B', r.reply(message.Held))
		r.want("left", "B<-commit")
		r.quiet()
	})
	t.Run("it sends it", func(t *testing.T) {
		r := withOriginals(t, "")
		r.find()
		r.originalSends(engine.SightSought)
		r.want("ask -1 except -1", "arrived 0.0", "verdict 0")
		r.settled(1)
		r.quiet()
	})
}

func TestOriginalAsks(t *testing.T) {
	t.Run("it is here", func(t *testing.T) {
		r := withOriginals(t, "")
		r.originalAsks(1, 1)
		r.want("take")
		r.taken(TakenOK, 1, 1)
		r.want("deliver to 1")
		r.c.Delivered(r.now, r.take.Move, DeliveredOK)
		r.collect()
		r.want("left")
		r.originalAsks(2, 2) // the other one: it has just gone to the first
		r.want("take")
		r.taken(TakenAbsent, 0, 0)
		r.want("ask -1 except -1")
		r.quiet()
	})
	t.Run("it does not want it", func(t *testing.T) {
		for _, o := range []DeliveryOutcome{DeliveredKept, DeliveredUncertain} {
			r := withOriginals(t, "")
			r.originalAsks(1, 1)
			r.taken(TakenOK, 1, 1)
			r.c.Delivered(r.now, r.take.Move, o)
			r.collect()
			r.want("take", "deliver to 1", "stayed")
			r.quiet()
		}
	})
	t.Run("it is in the farm", func(t *testing.T) {
		r := withOriginals(t, "B")
		r.originalAsks(1, 1)
		r.taken(TakenAbsent, 0, 0)
		r.want("take", "ask -1 except 1", "B<-query")
		r.gets('B', r.foundIt())
		r.gets('B', transfer(9, 'B', 3, 3))
		r.gets('B', about(message.Commit, 9, 3))
		r.want("B<-held", "arrived 3.3 unasked")
		r.settled(0)
		r.want("take")
		r.taken(TakenOK, 4, 3)
		r.want("deliver to 1")
	})
	t.Run("it is nowhere", func(t *testing.T) {
		r := withOriginals(t, "B")
		r.originalAsks(1, 1)
		r.taken(TakenAbsent, 0, 0)
		r.gets('B', r.notHere())
		r.want("take", "ask -1 except 1", "B<-query")
		r.wait(2480 * time.Millisecond)
		r.want("take") // once more, and then silence
		r.taken(TakenAbsent, 0, 0)
		r.want()
		r.quiet()
	})
	t.Run("it asks twice", func(t *testing.T) {
		r := withOriginals(t, "")
		r.originalAsks(1, 1)
		r.originalAsks(2, 1)
		r.want("take")
	})
	t.Run("our own question comes round", func(t *testing.T) {
		r := withOriginals(t, "B")
		r.find()
		r.c.OriginalQuery(r.now, 1, key, &OriginalQuery{Target: key, ID: r.asked, Host: "host", MaxForwards: 3})
		r.collect()
		r.want("B<-query", "ask -1 except -1")
		r.c.OriginalQuery(r.now, 1, key, &OriginalQuery{Target: key, ID: r.asked, Broadcast: id(7), Host: "host", MaxForwards: 3})
		r.collect()
		r.want("ask -1 except 1")
	})
}

func TestOriginalSends(t *testing.T) {
	for _, c := range []struct {
		sight engine.SightState
		leave bool
		want  []string
	}{
		{engine.SightAbsent, false, []string{"arrived 0.0 unasked", "verdict 0"}},
		{engine.SightHere, false, []string{"verdict 1"}},
		{engine.SightAway, false, []string{"verdict 2"}},
		{engine.SightOccupied, false, []string{"verdict 2"}},
		{engine.SightAbsent, true, []string{"verdict 2"}},
		{engine.SightSought, true, []string{"arrived 0.0 unasked", "verdict 0"}},
	} {
		r := withOriginals(t, "")
		r.c.Leave(c.leave)
		r.originalSends(c.sight)
		r.want(c.want...)
	}
}

// TestHandOverToOriginals: in turn, if there is nobody else.
func TestHandOverToOriginals(t *testing.T) {
	r := withOriginals(t, "")
	var to []int
	for range 4 {
		r.c.HandOver(r.now, key)
		r.collect()
		r.taken(TakenOK, 1, 1)
		for _, a := range r.acts {
			if d, ok := a.(Deliver); ok {
				to = append(to, d.Peer)
			}
		}
		r.acts = nil
		r.c.Delivered(r.now, r.take.Move, DeliveredOK)
		r.collect()
		r.acts = nil
	}
	if len(to) != 4 || to[0] == to[1] || to[0] != to[2] || to[1] != to[3] {
		t.Errorf("handed to %v", to)
	}
	r.quiet()
}

// TestSentBack: a session that an original has just sent here is not handed to one at once, and if that refuses it, stays: the copy there is the one that
// was sent, and goes when our answer has been read.
func TestSentBack(t *testing.T) {
	r := withOriginals(t, "")
	r.originalSends(engine.SightAbsent)
	r.settled(1)
	r.acts = nil
	r.c.HandOver(r.now, key)
	r.collect()
	r.want()
	r.wait(time.Duration(originalPause))
	r.c.HandOver(r.now, key)
	r.collect()
	r.taken(TakenOK, 1, 1)
	r.c.Delivered(r.now, r.take.Move, DeliveredThere)
	r.collect()
	r.want("take", "deliver to 2", "stayed")
	r.wait(time.Duration(originalPause))
	r.c.HandOver(r.now, key)
	r.collect()
	r.taken(TakenOK, 1, 1)
	r.c.Delivered(r.now, r.take.Move, DeliveredOK)
	r.collect()
	r.want("take", "deliver to 1", "left")
	// One that stays there for good is a conflict.
	r.originalSends(engine.SightAbsent)
	r.settled(1)
	r.acts = nil
	r.wait(3100 * time.Millisecond)
	r.c.HandOver(r.now, key)
	r.collect()
	r.taken(TakenOK, 1, 1)
	r.c.Delivered(r.now, r.take.Move, DeliveredThere)
	r.collect()
	r.want("take", "deliver to 2", "!session_conflict", "left")
}

// TestAskAgain: a question that originals have not answered is repeated as a rebroadcast, as long as somebody waits for the answer.
func TestAskAgain(t *testing.T) {
	again := func(r *rig) {
		r.c.AskAgain(r.now, AllOriginals, OriginalQuery{Target: key, ID: r.asked})
		r.collect()
	}
	r := withOriginals(t, "B")
	r.find()
	again(r)
	r.want("B<-query", "ask -1 except -1", "ask -1 except -1")
	r.originalSends(engine.SightSought)
	r.acts = nil
	again(r)
	r.want()
	r.c.OriginalQuery(r.now, 1, key, &OriginalQuery{Target: key, ID: r.asked, Broadcast: id(7), Host: "host", MaxForwards: 3}) // come round too late
	r.collect()
	r.want()
	r.settled(1)
	r.c.AskAgain(r.now, AllOriginals, OriginalQuery{Target: key, ID: id(9), Host: "another's"})
	r.collect()
	r.want()
}
