package core

import (
	"testing"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

func TestSearch(t *testing.T) {
	t.Run("nowhere, as soon as all have said so", func(t *testing.T) {
		r := newRig(t, "BC")
		r.find()
		r.want("B<-query", "C<-query")
		r.gets('B', r.notHere())
		r.gets('B', r.notHere()) // twice
		r.want()
		r.gets('C', r.notHere())
		r.want("remember", "missing")
		r.quiet()
	})
	t.Run("nobody to ask", func(t *testing.T) {
		r := newRig(t, "")
		if !r.c.Alone(r.now) {
			t.Error("not alone")
		}
		r.find()
		r.want("remember", "missing")
	})
	t.Run("questions get lost", func(t *testing.T) {
		r := newRig(t, "BC")
		r.find()
		r.gets('B', r.notHere())
		r.want("B<-query", "C<-query")
		r.wait(500 * time.Millisecond)
		r.want("C<-query", "C<-query")
		r.gets('C', r.notHere())
		r.want("remember", "missing")
	})
	t.Run("nobody answers", func(t *testing.T) {
		r := newRig(t, "B")
		r.find()
		r.wait(2499 * time.Millisecond)
		r.acts = nil
		r.wait(time.Millisecond)
		r.want("undecided")
		r.quiet()
	})
	t.Run("somebody cannot say", func(t *testing.T) {
		r := newRig(t, "B")
		r.find()
		m := r.notHere()
		m.Undecided = true
		r.gets('B', m)
		r.want("B<-query")
		r.wait(10 * time.Millisecond)
		r.want("B<-query")
		r.gets('B', r.notHere())
		r.want("remember", "missing")
	})
	t.Run("a neighbour comes while it is sought", func(t *testing.T) {
		r := newRig(t, "B")
		r.find()
		r.c.Up(r.now, node('C'), "C")
		r.collect()
		r.gets('B', r.notHere())
		r.want("B<-query", "C<-query")
		r.gets('C', r.notHere())
		r.want("remember", "missing")
	})
	t.Run("found, and it does not come", func(t *testing.T) {
		r := newRig(t, "B")
		r.find()
		r.gets('B', r.foundIt())
		r.wait(1501 * time.Millisecond)
		r.want("B<-query", "B<-query")
		r.quiet()
	})
	t.Run("its own question comes round", func(t *testing.T) {
		r := newRig(t, "BC")
		r.find()
		r.want("B<-query", "C<-query")
		q := *r.sent[message.Query].Msg
		r.gets('C', q)
		r.want("C<-not_here")
	})
}

func TestJoining(t *testing.T) {
	r := newRig(t, "")
	r.c.Joining(r.now, true)
	r.find()
	r.wait(100 * time.Millisecond)
	r.want()
	if r.c.Alone(r.now) {
		t.Error("alone")
	}
	r.c.Up(r.now, node('B'), "B")
	r.collect()
	r.want("B<-query")
	r.gets('B', r.notHere())
	r.want()
	r.c.Joining(r.now, false)
	r.collect()
	r.wait(200 * time.Millisecond)
	r.gets('B', r.notHere())
	r.want("B<-query", "remember", "missing")

	r = newRig(t, "BC") // what others ask meanwhile
	r.c.Joining(r.now, true)
	r.gets('C', ask('C', 1, 1))
	r.taken(TakenAbsent, 0, 0)
	r.gets('B', message.Message{Kind: message.NotHere, ID: id(1)})
	r.want("take", "B<-query", "C<-not_here undecided")
}

func TestQuery(t *testing.T) {
	t.Run("passed on, and answered when all have answered", func(t *testing.T) {
		r := newRig(t, "BCD")
		r.gets('B', ask('B', 1, 1))
		r.want("take")
		r.taken(TakenAbsent, 0, 0)
		r.want("C<-query", "D<-query")
		r.gets('C', message.Message{Kind: message.NotHere, ID: id(1)})
		r.want()
		r.gets('D', message.Message{Kind: message.NotHere, ID: id(1)})
		r.want("B<-not_here")
		r.gets('B', ask('B', 1, 1)) // the answer was lost
		r.want("B<-not_here")
		r.gets('C', ask('B', 1, 1)) // another way
		r.want("C<-not_here")
		r.quiet()
	})
	t.Run("found by another", func(t *testing.T) {
		r := newRig(t, "BC")
		r.gets('B', ask('A', 1, 1))
		r.taken(TakenAbsent, 0, 0)
		r.gets('C', message.Message{Kind: message.Found, ID: id(1)})
		r.want("take", "C<-query", "B<-found")
		r.quiet()
	})
	t.Run("repeated, but not more often than it makes sense", func(t *testing.T) {
		r := newRig(t, "BC")
		r.gets('B', ask('A', 1, 1))
		r.taken(TakenAbsent, 0, 0)
		r.gets('B', ask('A', 1, 1))
		r.want("take", "C<-query")
		r.wait(250 * time.Millisecond)
		r.gets('B', ask('A', 1, 1))
		r.gets('B', ask('A', 1, 1))
		r.want("C<-query")
	})
	t.Run("a copy that may go farther", func(t *testing.T) {
		r := newRig(t, "BCD")
		q := ask('A', 1, 1)
		q.Hops = 0
		r.gets('B', q)
		r.taken(TakenAbsent, 0, 0)
		r.want("take", "B<-not_here")
		q.Hops = 2
		r.gets('C', q)
		r.want("B<-query", "D<-query")
		q.Hops = 4
		r.gets('D', q) // but only once
		r.want("D<-not_here")
		r.gets('B', message.Message{Kind: message.NotHere, ID: q.ID})
		r.gets('D', message.Message{Kind: message.NotHere, ID: q.ID})
		r.want("C<-not_here")
	})
	t.Run("no hops left", func(t *testing.T) {
		r := newRig(t, "BC")
		q := ask('A', 1, 1)
		q.Hops = 0
		r.gets('B', q)
		r.taken(TakenAbsent, 0, 0)
		r.want("take", "B<-not_here")
	})
	t.Run("a neighbour that was asked falls silent", func(t *testing.T) {
		r := newRig(t, "BC")
		r.gets('B', ask('A', 1, 1))
		r.taken(TakenAbsent, 0, 0)
		r.c.Down(r.now, node('C'))
		r.collect()
		r.want("take", "C<-query", "B<-not_here undecided lostC")
	})
	t.Run("a neighbour that was missed comes back before the answer", func(t *testing.T) {
		r := newRig(t, "BCD")
		r.c.Down(r.now, node('D'))
		r.gets('B', ask('A', 1, 1))
		r.taken(TakenAbsent, 0, 0)
		r.c.Up(r.now, node('D'), "D")
		r.gets('C', message.Message{Kind: message.NotHere, ID: id(1)})
		r.want("take", "C<-query", "B<-not_here lostD") // D has not been asked
	})
	t.Run("the engine says nothing until it is too late", func(t *testing.T) {
		r := newRig(t, "B")
		r.gets('B', ask('B', 1, 1))
		r.wait(3 * time.Second)
		r.want("take")
		r.taken(TakenOK, 1, 1)
		r.want("stayed", "B<-not_here undecided")
		r.quiet()
	})
	t.Run("locked, and somebody waits here", func(t *testing.T) {
		r := newRig(t, "BC")
		r.gets('B', ask('B', 1, 1))
		r.gets('C', ask('C', 2, 1))
		r.want("take")
		for range 5 {
			if r.take.Urgent {
				t.Error("urgent too early")
			}
			r.taken(TakenLocked, 0, 0)
			r.wait(20 * time.Millisecond)
			r.want("take")
		}
		r.taken(TakenLocked, 0, 0)
		r.wait(20 * time.Millisecond)
		r.want("take")
		if !r.take.Urgent {
			t.Error("not urgent after 120 ms")
		}
		r.taken(TakenOK, 1, 1)
		r.want("B<-found", "B<-transfer 1.1")
		r.gets('B', r.reply(message.Held))
		r.want("left", "B<-commit", "take") // C's turn
		r.taken(TakenAbsent, 0, 0)
		r.want("B<-query direct")
	})
	t.Run("sought here at this very moment", func(t *testing.T) {
		r := newRig(t, "B")
		r.gets('B', ask('B', 1, 1))
		r.taken(TakenSought, 0, 0)
		r.want("take")
		r.find() // comes after B
		r.want("B<-query", "B<-not_here")
		if rank := r.sent[message.Query].Msg.Rank; rank != 2 {
			t.Errorf("rank %d", rank)
		}
	})
}

// TestStay: a session stays for a moment where several requests have waited for it, and goes to those who ask in the order in which they did.
func TestStay(t *testing.T) {
	r := newRig(t, "HBC")
	r.holds(4, 7)
	r.gets('C', ask('C', 2, 5))
	r.gets('B', ask('B', 1, 1))
	r.gets('H', about(message.Commit, 9, 4))
	r.want("arrived 4.7")
	r.settled(4)
	r.want()
	r.wait(2 * time.Millisecond)
	r.want()
	r.wait(time.Millisecond)
	r.want("take")
	r.taken(TakenOK, 5, 7)
	r.want("C<-found", "C<-transfer 5.7")
}

// TestChase: a query goes after a session that has moved on.
func TestChase(t *testing.T) {
	moved := func(t *testing.T) *rig { // to B
		t.Helper()
		r := newRig(t, "BC")
		r.offers(4, 7)
		r.gets('B', r.reply(message.Held))
		r.want("left", "B<-commit")
		return r
	}
	chased := func(r *rig) message.Message { // answers the chase
		return message.Message{Kind: message.NotHere, ID: r.sent[message.Query].Msg.ID}
	}
	t.Run("found there", func(t *testing.T) {
		r := moved(t)
		r.gets('C', ask('C', 2, 1))
		r.want("take")
		r.taken(TakenAbsent, 0, 0)
		r.want("B<-query direct")
		m := chased(r)
		if m.ID == id(2) {
			t.Error("the question has the id of the one that B may have answered")
		}
		m.Kind = message.Found
		r.gets('B', m)
		r.want("C<-found")
		r.quiet()
	})
	t.Run("not there: the others are asked", func(t *testing.T) {
		r := moved(t)
		r.gets('C', ask('A', 2, 1))
		r.taken(TakenAbsent, 0, 0)
		r.gets('B', chased(r))
		r.want("take", "B<-query direct", "B<-query")
		r.gets('B', message.Message{Kind: message.NotHere, ID: id(2)})
		r.want("C<-not_here")
		r.quiet()
	})
	t.Run("it ends meanwhile", func(t *testing.T) {
		r := moved(t)
		r.gets('C', ask('A', 2, 1))
		r.taken(TakenAbsent, 0, 0)
		r.c.Gone(r.now, node('B'))
		r.collect()
		r.want("take", "B<-query direct", "C<-not_here undecided")
		r.quiet()
	})
	t.Run("not there: nobody else is asked for one who asks for this node alone", func(t *testing.T) {
		r := newRig(t, "BC")
		r.gets('C', direct(ask('C', 2, 1)))
		r.taken(TakenAbsent, 0, 0)
		r.want("take", "C<-not_here")
	})
	t.Run("a cycle ends", func(t *testing.T) {
		r := moved(t)
		q := direct(ask('C', 2, 1))
		q.Chase = 0
		r.gets('B', q)
		r.taken(TakenAbsent, 0, 0)
		r.want("take", "B<-not_here undecided")
	})
	t.Run("each step is one less", func(t *testing.T) {
		r := moved(t)
		q := direct(ask('C', 2, 1))
		q.Chase = 7
		r.gets('B', q)
		r.taken(TakenAbsent, 0, 0)
		r.want("take", "B<-query direct")
		if n := r.sent[message.Query].Msg.Chase; n != 6 {
			t.Errorf("chase %d", n)
		}
	})
	t.Run("not to the one who asks", func(t *testing.T) {
		r := moved(t)
		r.gets('B', ask('B', 2, 1))
		r.taken(TakenAbsent, 0, 0)
		r.want("take", "C<-query")
	})
	t.Run("it has been made anew here", func(t *testing.T) {
		r := moved(t)
		r.gets('C', ask('C', 2, 1))
		r.taken(TakenOK, 1, 1)
		r.want("take", "C<-found", "C<-transfer 1.1")
	})
	t.Run("while this node looks for it, too", func(t *testing.T) {
		r := moved(t)
		r.find()
		r.want("B<-query direct")
		r.gets('C', ask('C', 2, 1)) // goes first
		r.want("B<-query direct")
	})
	t.Run("own search", func(t *testing.T) {
		r := moved(t)
		r.find()
		r.want("B<-query direct")
		r.gets('B', r.notHere())
		r.want("B<-query", "C<-query")
		r.quiet()
	})
	t.Run("own search, and it is silent", func(t *testing.T) {
		r := moved(t)
		r.find()
		r.wait(250 * time.Millisecond)
		r.want("B<-query direct", "B<-query", "C<-query")
	})
	t.Run("forgotten after a while", func(t *testing.T) {
		r := moved(t)
		r.wait(time.Duration(r.c.pointerLife()))
		r.gets('C', ask('C', 2, 1))
		r.taken(TakenAbsent, 0, 0)
		r.want("take", "B<-query")
	})
}

// TestRank: of two that look for the same session, and would both make it, one goes first.
func TestRank(t *testing.T) {
	t.Run("this one", func(t *testing.T) {
		for _, rank := range []uint32{1, 2} { // the same rank: M is before Z
			r := newRig(t, "Z")
			r.find()
			r.gets('Z', ask('Z', 1, rank))
			r.want("Z<-query")
			r.gets('Z', r.notHere())
			r.want("remember", "missing", "take") // what came of it is done before
			r.taken(TakenOK, 1, 1)
			r.want("Z<-found", "Z<-transfer 1.1")
		}
	})
	t.Run("the other", func(t *testing.T) {
		r := newRig(t, "B")
		r.find()
		r.gets('B', ask('B', 1, 1)) // B is before M
		r.want("B<-query", "B<-not_here")
		r.gets('B', r.notHere())
		r.want("B<-query") // B may not have heard of the first one: see the next
		r.gets('B', r.foundIt())
		r.want()
	})
	t.Run("the other, which is new in the farm", func(t *testing.T) {
		r := newRig(t, "CD")
		r.gets('C', ask('X', 1, 1))
		r.taken(TakenAbsent, 0, 0)
		r.gets('D', message.Message{Kind: message.NotHere, ID: id(1)})
		r.want("take", "D<-query", "C<-not_here")
		r.find()
		r.want("C<-query", "D<-query")
		r.gets('D', r.notHere())
		r.gets('C', ask('Z', 2, 1)) // has a lower rank than ours, and our question will never reach it
		r.want("D<-query")
		r.gets('D', message.Message{Kind: message.NotHere, ID: id(2)})
		r.want("C<-not_here")
		r.gets('C', r.notHere())
		r.want("C<-query", "D<-query") // so it is asked again
	})
	t.Run("answered before this one began", func(t *testing.T) {
		r := newRig(t, "Z")
		r.gets('Z', ask('Z', 1, 1))
		r.taken(TakenAbsent, 0, 0)
		r.want("take", "Z<-not_here")
		r.find()
		r.want("Z<-query")
		if rank := r.sent[message.Query].Msg.Rank; rank != 2 {
			t.Errorf("rank %d", rank)
		}
	})
	t.Run("what is nowhere is forgotten before the engine is asked for it", func(t *testing.T) {
		r := newRig(t, "Z")
		r.find()
		r.gets('Z', ask('Z', 1, 2))
		r.acts = nil
		r.gets('Z', r.notHere())
		remembered := false
		for _, a := range r.acts {
			switch a := a.(type) {
			case Remember:
				remembered = true
			case Forget:
				remembered = remembered && a.Key != key
			case Take:
				if remembered {
					t.Error("it is still remembered")
				}
				return
			}
		}
		t.Error("the engine is not asked")
	})
}

// TestLost: a neighbour whose link has broken may have what is sought.
func TestLost(t *testing.T) {
	seen := func(r *rig, who ...byte) message.Message {
		m := r.notHere()
		for _, n := range who {
			m.Seen = append(m.Seen, node(n))
		}
		return m
	}
	lose := func(t *testing.T) *rig {
		t.Helper()
		r := newRig(t, "BC")
		r.c.Down(r.now, node('C'))
		r.find()
		r.want("B<-query")
		r.gets('B', r.notHere())
		r.wait(10 * time.Millisecond)
		r.want("B<-query census")
		return r
	}
	t.Run("it has been asked in another way", func(t *testing.T) {
		r := lose(t)
		r.gets('B', seen(r, 'B', 'C'))
		r.want("remember", "missing")
		r.quiet()
	})
	t.Run("it has not", func(t *testing.T) {
		r := lose(t)
		r.gets('B', seen(r, 'B'))
		r.want()
		r.wait(20 * time.Millisecond)
		r.want("B<-query census")
		r.c.Gone(r.now, node('C')) // it is known to have ended, but may have handed the session to one that had been asked before
		r.collect()
		r.gets('B', seen(r, 'B'))
		r.want()
		r.wait(40 * time.Millisecond)
		r.want("B<-query census")
		r.gets('B', seen(r, 'B'))
		r.want("remember", "missing")
		r.quiet()
	})
	t.Run("it was about to leave", func(t *testing.T) {
		r := newRig(t, "BC")
		r.gets('C', message.Message{Kind: message.Ping, Leaving: true})
		r.c.Down(r.now, node('C'))
		r.find()
		r.gets('B', r.notHere())
		r.want("B<-query") // it may have sessions still
	})
	t.Run("another node misses one", func(t *testing.T) {
		r := newRig(t, "B")
		r.find()
		m := r.notHere()
		m.Lost = []message.Node{node('X')}
		r.gets('B', m)
		r.wait(10 * time.Millisecond)
		r.want("B<-query", "B<-query census")
		m = seen(r, 'B', 'X')
		m.Lost = []message.Node{node('X')}
		r.gets('B', m)
		r.want("remember", "missing")
	})
	t.Run("it is this node that is missed", func(t *testing.T) {
		r := newRig(t, "B")
		r.find()
		m := r.notHere()
		m.Lost = []message.Node{node('M')}
		r.gets('B', m)
		r.want("B<-query", "remember", "missing")
	})
	t.Run("not for ever", func(t *testing.T) {
		r := newRig(t, "BC")
		r.c.Down(r.now, node('C'))
		r.wait(time.Duration(r.c.lostLife()))
		r.find()
		r.gets('B', r.notHere())
		r.want("B<-query", "remember", "missing")
	})
	t.Run("census is passed on", func(t *testing.T) {
		r := newRig(t, "BC")
		q := ask('A', 1, 1)
		q.Census = true
		r.gets('B', q)
		r.taken(TakenAbsent, 0, 0)
		r.want("take", "C<-query census")
		r.gets('C', message.Message{Kind: message.NotHere, ID: id(1), Seen: []message.Node{node('C'), node('D')}})
		if got := len(r.sent[message.NotHere].Msg.Seen); got != 3 {
			t.Errorf("%d nodes have answered, want C, D and this one", got)
		}
	})
}
