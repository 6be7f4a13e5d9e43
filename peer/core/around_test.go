package core

import (
	"slices"
	"testing"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// around is what a node says of its neighbours.
func around(neighbours string) message.Message {
	m := message.Message{Kind: message.Around}
	for _, n := range []byte(neighbours) {
		m.Nodes = append(m.Nodes, node(n))
	}
	m.Sum = sumOf(m.Nodes)
	return m
}

// TestAround: a query goes only to those whom its sender has not asked, as far as that is certain.
func TestAround(t *testing.T) {
	from := func(change func(*message.Message)) message.Message {
		q := ask('B', 1, 1)
		q.Sum = around("MC").Sum
		if change != nil {
			change(&q)
		}
		return q
	}
	for _, c := range []struct {
		name  string
		lists []message.Message // of B
		query message.Message
		want  []string
	}{
		{"B has asked C, too", []message.Message{around("MC")}, from(nil), []string{"take", "D<-query"}},
		{"the latest list counts", []message.Message{around("MD"), around("MC")}, from(nil), []string{"take", "D<-query"}},
		{"by another list", []message.Message{around("MCD")}, from(nil), []string{"take", "C<-query", "D<-query"}},
		{"B has not said", nil, from(nil), []string{"take", "C<-query", "D<-query"}},
		{"B does not say by which list", []message.Message{around("MC")}, from(func(q *message.Message) { q.Sum = 0 }), []string{"take", "C<-query", "D<-query"}},
		{"a census goes to all", []message.Message{around("MC")}, from(func(q *message.Message) { q.Census = true }), []string{"take", "C<-query census", "D<-query census"}},
		{"a list with another sum is none", []message.Message{func() message.Message { m := around("MCD"); m.Sum = around("MC").Sum; return m }()}, from(nil),
			[]string{"take", "C<-query", "D<-query"}},
		{"all have been asked", []message.Message{around("MDC")}, from(func(q *message.Message) { q.Sum = around("CDM").Sum }), []string{"take", "B<-not_here"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, "BCD")
			for _, l := range c.lists {
				r.gets('B', l)
			}
			r.gets('B', c.query)
			r.taken(TakenAbsent, 0, 0)
			r.want(c.want...)
		})
	}
}

// TestAnnounce: neighbours hear of each that comes and goes, and questions say which list they go by.
func TestAnnounce(t *testing.T) {
	r := newRig(t, "BC")
	was := func(want string) {
		t.Helper()
		s := r.sent[message.Around]
		if s == nil || !slices.Equal(s.Msg.Nodes, around(want).Nodes) || s.Msg.Sum != around(want).Sum {
			t.Fatalf("%+v was announced, want %s", s, want)
		}
	}
	list := func(want string) {
		t.Helper()
		r.wait(time.Duration(announceAfter))
		was(want)
	}
	list("BC")
	r.find()
	if s := r.sent[message.Query]; s.Msg.Sum != around("CB").Sum {
		t.Errorf("a question has the sum %d, want that of its neighbours in any order", s.Msg.Sum)
	}
	r.c.Down(r.now, node('B'))
	r.collect()
	was("BC")
	if r.c.sum != 0 {
		t.Error("a question goes by a list that has not been announced")
	}
	list("C")
	r.c.Up(r.now, node('D'), "D")
	r.collect()
	list("CD")
	if sumOf(nil) == 0 || around("BC").Sum == around("BD").Sum {
		t.Error("sums are never 0, and differ")
	}
}
