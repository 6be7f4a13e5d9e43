package core

import (
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

func TestMoveOut(t *testing.T) {
	r := newRig(t, "BC")
	r.offers(4, 7)
	r.gets('B', r.reply(message.Held))
	r.want("left", "B<-commit")
	r.gets('B', r.reply(message.Held)) // Commit was lost
	r.want("B<-commit")
	r.gets('B', r.refusal(message.Busy)) // old
	r.want()
	r.quiet()
}

func TestMoveIn(t *testing.T) {
	r := newRig(t, "HB")
	r.find()
	r.want("H<-query", "B<-query")
	r.gets('B', r.notHere())
	r.gets('H', r.foundIt())
	r.gets('H', transfer(9, 'H', 4, 7))
	r.want("H<-held")
	r.gets('H', transfer(9, 'H', 4, 7)) // Held was lost
	r.want("H<-held")
	r.wait(700 * time.Millisecond) // Held was lost again, or Commit
	r.want("H<-held", "H<-held", "H<-held")
	r.gets('H', about(message.Commit, 9, 4))
	r.want("arrived 4.7")
	r.settled(1)
	r.gets('H', about(message.Commit, 9, 4))
	r.gets('H', transfer(9, 'H', 4, 7)) // was under way
	r.want()
	r.quiet()
}

// TestHeldTime: what a session loses of its life, and a lock gains of its age, on the way.
func TestHeldTime(t *testing.T) {
	r := newRig(t, "H")
	r.find()
	m := transfer(9, 'H', 4, 7)
	m.Parcel.Minutes, m.Parcel.Left, m.Parcel.Locked, m.Parcel.LockAge = 20, int64(time.Minute), true, int64(time.Second)
	r.gets('H', m)
	r.wait(3 * time.Second)
	r.gets('H', about(message.Commit, 9, 4))
	if p := r.arrived.Parcel; p.Left != int64(57*time.Second) || p.LockAge != int64(4*time.Second) {
		t.Errorf("%v left, locked for %v", time.Duration(p.Left), time.Duration(p.LockAge))
	}
}

// TestOnlyItsOwnAnswer: an answer counts only from the node, for the move and the generation that it is about.
func TestOnlyItsOwnAnswer(t *testing.T) {
	r := newRig(t, "BCH")
	r.offers(4, 7)
	r.gets('C', r.reply(message.Held))
	late := r.reply(message.Held)
	late.Gen = 3
	r.gets('B', late)
	late = r.reply(message.Held)
	late.ID = id(77)
	r.gets('B', late)
	r.want()
	r.gets('B', r.reply(message.Held))
	r.want("left", "B<-commit")

	r = newRig(t, "BH")
	r.holds(4, 7)
	r.gets('B', about(message.Commit, 9, 4))
	r.gets('H', about(message.Commit, 9, 3))
	r.gets('H', about(message.Commit, 8, 4))
	r.gets('H', about(message.Abort, 8, 4))
	r.want()
	r.gets('H', about(message.Commit, 9, 4))
	r.want("arrived 4.7")
}

// TestDeadline: an asker that says nothing costs no more than the move's deadline, and is told Abort whenever it says Held after that.
func TestDeadline(t *testing.T) {
	r := newRig(t, "B")
	r.offers(4, 7)
	r.wait(1251 * time.Millisecond)
	r.want("B<-transfer 4.7", "B<-transfer 4.7", "stayed", "B<-abort")
	r.gets('B', r.reply(message.Held))
	r.want("B<-abort")
	r.wait(time.Minute)
	r.gets('B', r.reply(message.Held))
	r.want("B<-abort")
	r.quiet()
}

// TestLargeSession: a session that takes longer has more time.
func TestLargeSession(t *testing.T) {
	r := newRig(t, "B")
	r.gets('B', ask('B', 1, 1))
	p := engine.Parcel{Key: key, Body: make([]byte, 20<<20), Gen: 1, Version: 1}
	r.c.Taken(r.now, r.take.Move, TakenOK, &p)
	r.collect()
	r.wait(3 * time.Second)
	r.want("take", "B<-found", "B<-transfer 1.1", "B<-transfer 1.1")
	r.wait(time.Second)
	r.want("stayed", "B<-abort")
}

// TestAskerDies: H learns that A has ended.
func TestAskerDies(t *testing.T) {
	r := newRig(t, "B")
	r.offers(4, 7)
	r.c.Gone(r.now, node('B'))
	r.collect()
	r.want("stayed", "B<-abort")
	r.quiet()
}

// TestRefused in each reason.
func TestRefused(t *testing.T) {
	for _, why := range []message.Reason{message.NoRoom, message.Leaving} {
		t.Run(why.String(), func(t *testing.T) {
			r := newRig(t, "B")
			r.offers(4, 7)
			r.gets('B', r.refusal(why))
			r.want("stayed", "B<-abort")
			r.quiet()
		})
	}
	t.Run("busy", func(t *testing.T) {
		r := newRig(t, "B")
		r.offers(4, 7)
		r.gets('B', r.refusal(message.Busy))
		r.want()
		r.wait(10 * time.Millisecond)
		r.want("B<-transfer 4.7")
		r.gets('B', r.reply(message.Held))
		r.want("left", "B<-commit")
		r.quiet()
	})
	newer := func(r *rig, gen, version uint32) message.Message {
		m := r.refusal(message.Newer)
		m.Theirs, m.Parcel.Version = gen, version
		return m
	}
	t.Run("newer", func(t *testing.T) {
		for _, than := range [][2]uint32{{3, 7}, {3, 8}, {4, 6}, {4, 7}, {4, 8}, {5, 1}} {
			r := newRig(t, "B")
			r.offers(4, 7)
			r.gets('B', newer(r, than[0], than[1]))
			r.want("left", "quarantined")
			r.gets('B', r.reply(message.Held)) // of a repetition that has crossed
			r.want("B<-abort")
			r.quiet()
		}
	})
	t.Run("newer, but it is not", func(t *testing.T) {
		r := newRig(t, "B")
		r.offers(4, 7)
		r.gets('B', newer(r, 3, 6)) // before the move ours was 3.7
		r.want("stayed", "B<-abort")
		r.quiet()
	})
}

// TestRefuses in each reason.
func TestRefuses(t *testing.T) {
	here := engine.Sight{State: engine.SightHere, Gen: 4, Version: 7}
	for _, c := range []struct {
		name  string
		sight engine.Sight
		gen   uint32
		ver   uint32
		room  bool
		leave bool
		want  string
	}{
		{name: "no room", want: "H<-refused no-room"},
		{name: "leaving", room: true, leave: true, want: "H<-refused leaving"},
		{name: "leaving, and somebody waits for it", sight: engine.Sight{State: engine.SightSought}, room: true, leave: true, want: "H<-held"},
		{name: "older than ours", sight: here, gen: 3, ver: 9, room: true, want: "H<-refused newer"},
		{name: "the same as ours", sight: here, gen: 4, ver: 7, room: true, want: "H<-refused newer"},
		{name: "older than ours before its move", sight: here, gen: 4, ver: 8, room: true, want: "H<-refused newer"},
		{name: "with fewer saves than ours before its move", sight: here, gen: 5, ver: 6, room: true, want: "H<-refused newer"},
		{name: "the same as ours before its move", sight: here, gen: 5, ver: 7, room: true, want: "H<-held"},
		{name: "newer than ours", sight: here, gen: 5, ver: 8, room: true, want: "H<-held"},
		{name: "of a later generation than ours", sight: here, gen: 6, ver: 1, room: true, want: "H<-held"},
		{name: "ours is on its way", sight: engine.Sight{State: engine.SightAway}, gen: 9, room: true, want: "H<-refused busy"},
		{name: "somebody is in it", sight: engine.Sight{State: engine.SightOccupied}, gen: 9, room: true, want: "H<-refused busy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, "H")
			r.c.Leave(c.leave)
			m := transfer(9, 'H', c.gen, c.ver)
			m.NoRoom = !c.room
			m.Parcel.Reserved = c.room
			r.sees('H', m, c.sight)
			want := []string{c.want}
			if c.room && c.want != "H<-held" {
				want = []string{"drop", c.want}
			}
			r.want(want...)
			if why := r.sent[message.Refused]; why != nil && why.Msg.Reason == message.Newer && (why.Msg.Theirs != 4 || why.Msg.Parcel.Version != 7) {
				t.Errorf("ours is said to be %d.%d", why.Msg.Theirs, why.Msg.Parcel.Version)
			}
		})
	}
	t.Run("another copy is held", func(t *testing.T) {
		r := newRig(t, "HB")
		r.holds(4, 7)
		r.gets('B', transfer(8, 'B', 9, 9))
		r.want("B<-refused busy")
		r.gets('H', transfer(7, 'H', 6, 9)) // H had given the first one up
		r.want("H<-held")
		r.gets('H', about(message.Commit, 7, 6))
		r.want("arrived 6.9")
	})
}

// TestAborted: the asker asks again.
func TestAborted(t *testing.T) {
	r := newRig(t, "H")
	r.holds(4, 7)
	r.gets('H', about(message.Abort, 9, 4))
	r.want()
	r.wait(10 * time.Millisecond)
	r.want("H<-query")
	r.gets('H', transfer(9, 'H', 4, 7)) // was under way
	r.want()
	r.gets('H', r.notHere())
	r.want("remember", "missing")
	r.quiet()
}

// TestOrphan: the holder has ended in the gap.
func TestOrphan(t *testing.T) {
	dies := func(r *rig) {
		r.c.Gone(r.now, node('H'))
		r.collect()
		r.want("B<-query gen4")
	}
	t.Run("there is no other", func(t *testing.T) {
		r := newRig(t, "HB")
		r.holds(4, 7)
		dies(r)
		r.gets('B', r.notHere())
		r.want("!session_recovered", "arrived 4.7")
		r.settled(1)
		r.quiet()
	})
	t.Run("the word comes late", func(t *testing.T) {
		r := newRig(t, "HB")
		r.holds(4, 7)
		dies(r)
		r.gets('H', about(message.Commit, 9, 4))
		r.want("arrived 4.7")
	})
	t.Run("there is a newer one", func(t *testing.T) {
		r := newRig(t, "HB")
		r.holds(4, 7)
		dies(r)
		r.gets('B', r.foundIt())
		r.gets('B', transfer(8, 'B', 6, 7))
		r.want("B<-held")
		r.gets('B', about(message.Commit, 8, 6))
		r.want("arrived 6.7")
		r.settled(1)
		r.quiet()
	})
	t.Run("there is an older one", func(t *testing.T) {
		r := newRig(t, "HB")
		r.holds(4, 7)
		dies(r)
		r.gets('B', r.foundIt())
		r.gets('B', transfer(8, 'B', 2, 9))
		r.want("!session_conflict", "B<-held")
		r.gets('B', about(message.Commit, 8, 2))
		r.want()
		r.wait(100 * time.Millisecond)
		r.want("B<-query gen4")
		r.gets('B', r.notHere())
		r.want("!session_recovered", "arrived 4.7")
		r.settled(1)
		r.quiet()
	})
	t.Run("nobody can say", func(t *testing.T) {
		r := newRig(t, "HB")
		r.gets('H', transfer(9, 'H', 4, 7))
		r.want("H<-held")
		dies(r)
		undecided := r.notHere()
		undecided.Undecided = true
		r.gets('B', undecided)
		r.want()
		r.wait(2500 * time.Millisecond)
		r.acts = nil
		r.wait(time.Second) // once more
		r.gets('B', r.notHere())
		if r.arrived == nil {
			t.Fatal("it is not served")
		}
		r.settled(0)
		r.quiet()
	})
	t.Run("the holder says nothing for a long time", func(t *testing.T) {
		r := newRig(t, "HB")
		r.gets('H', transfer(9, 'H', 4, 7))
		r.wait(time.Duration(patience) - time.Millisecond)
		for _, a := range r.acts {
			if s, ok := a.(Send); !ok || s.Msg.Kind != message.Held {
				t.Errorf("%T too early", a)
			}
		}
		r.acts = nil
		for len(r.acts) == 0 || show(r.acts[len(r.acts)-1]) == "H<-held" {
			r.wait(time.Millisecond)
		}
		r.want("H<-query gen4", "B<-query gen4")
	})
	t.Run("two of them", func(t *testing.T) {
		for _, c := range []struct {
			asker byte
			gen   uint32
			waits bool
		}{{'B', 3, true}, {'B', 4, false}, {'Z', 4, true}, {'Z', 5, false}} {
			r := newRig(t, "HB")
			r.gets('H', transfer(9, 'H', 4, 7))
			r.want("H<-held")
			dies(r)
			q := ask(c.asker, 5, 1)
			q.Gen = c.gen
			r.gets('B', q)
			if c.waits {
				r.want()
			} else {
				r.want("B<-not_here")
			}
		}
	})
}

// TestQueryMeetsCopy: whoever asks for a session while a copy is held waits for what becomes of it.
func TestQueryMeetsCopy(t *testing.T) {
	r := newRig(t, "HB")
	r.gets('H', transfer(9, 'H', 4, 7))
	r.want("H<-held")
	r.gets('B', ask('B', 1, 1))
	r.want()
	r.gets('H', about(message.Commit, 9, 4))
	r.want("arrived 4.7 unasked")
	r.settled(0)
	r.want("take")
	r.taken(TakenOK, 5, 7)
	r.want("B<-found", "B<-transfer 5.7")

	r = newRig(t, "HB")
	r.gets('H', transfer(9, 'H', 4, 7))
	r.gets('B', ask('B', 1, 1))
	r.gets('H', about(message.Abort, 9, 4))
	r.want("H<-held", "take")
	r.taken(TakenAbsent, 0, 0)
	r.want("H<-query")
}

func TestHandOver(t *testing.T) {
	hand := func(r *rig) string {
		r.t.Helper()
		r.c.HandOver(r.now, key)
		r.collect()
		r.taken(TakenOK, 1, 1)
		to := letter(r.sent[message.Transfer].To)
		r.gets(to[0], r.reply(message.Held))
		r.acts = nil
		return to
	}
	t.Run("by free memory", func(t *testing.T) {
		r := newRig(t, "BC")
		r.gets('B', message.Message{Kind: message.Ping, Free: 3 << 30})
		r.gets('C', message.Message{Kind: message.Ping, Free: 1 << 30})
		n := map[string]int{}
		for range 400 {
			n[hand(r)]++
		}
		if n["B"] != 300 || n["C"] != 100 {
			t.Errorf("handed over: %v", n)
		}
		r.quiet()
	})
	t.Run("not to one that leaves, or has no room", func(t *testing.T) {
		r := newRig(t, "BCD")
		r.gets('B', message.Message{Kind: message.Ping, Leaving: true, Free: -1})
		r.gets('C', message.Message{Kind: message.Ping, Free: 1})
		for range 10 {
			if to := hand(r); to != "D" {
				t.Errorf("to %s", to)
			}
		}
	})
	t.Run("not for a while to one that has refused", func(t *testing.T) {
		r := newRig(t, "BC")
		r.c.HandOver(r.now, key)
		r.collect()
		r.taken(TakenOK, 1, 1)
		r.want("take", "B<-transfer 1.1")
		r.gets('B', r.refusal(message.NoRoom))
		r.want("stayed", "B<-abort")
		for range 10 {
			if to := hand(r); to != "C" {
				t.Errorf("to %s", to)
			}
		}
		r.wait(time.Second)
		if to := hand(r); to != "B" {
			t.Errorf("to %s", to)
		}
	})
	t.Run("to nobody", func(t *testing.T) {
		r := newRig(t, "")
		r.c.HandOver(r.now, key)
		r.collect()
		r.taken(TakenOK, 1, 1)
		r.want("take", "stayed")
		if n, anybody := r.c.Window(r.now); n != maxHandOver || anybody {
			t.Errorf("room for %d, anybody: %v", n, anybody)
		}
		r.quiet()
	})
	t.Run("what is no longer there", func(t *testing.T) {
		r := newRig(t, "B")
		r.c.HandOver(r.now, key)
		r.collect()
		r.taken(TakenAbsent, 0, 0)
		r.want("take")
		if r.c.Handing() != 0 {
			t.Error("it is still being handed over")
		}
		r.quiet()
	})
}
