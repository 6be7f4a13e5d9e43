package core

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// TestFloodForgotten: when a flood of questions is over and its time has passed, nothing of it takes memory, though nothing else comes.
func TestFloodForgotten(t *testing.T) {
	c := New(Options{Node: node('A'), MaxForwards: 5, QueryTimeout: time.Second, NewID: func() message.ID { return message.ID{9} }})
	const flood = 10000
	for i := range flood {
		id := message.ID{1, byte(i >> 8), byte(i)}
		c.Step(0, node('B'), &message.Message{Kind: message.Query, ID: id, Key: fmt.Sprint("/k/", i), Node: node('B'), Wait: time.Second}, engine.Sight{})
		for _, a := range c.Ready() {
			if take, ok := a.(Take); ok {
				c.Taken(0, take.Move, TakenAbsent, nil)
			}
		}
		c.Ready()
	}
	if n := len(c.heard.m); n != flood {
		t.Fatalf("%d keys were heard of", n)
	}
	c.Tick(int64(10 * time.Second))
	if g := c.Gauges(); g != (Gauges{}) || len(c.heard.m) > 0 || cap(c.heard.order) > keepRecent || len(c.timers.list) > 0 || c.most > keepRecent {
		t.Errorf("%+v, %d heard of, room for %d, %d timers, items of %d", g, len(c.heard.m), cap(c.heard.order), len(c.timers.list), c.most)
	}
	c.Tick(int64(12 * time.Second))
	if n := cap(c.timers.list); n > keepRecent {
		t.Errorf("room for %d timers", n)
	}
}

// TestHighestRank: whoever asks with the highest rank that there is does not make others' ranks begin anew.
func TestHighestRank(t *testing.T) {
	r := newRig(t, "B")
	q := ask('B', 1, math.MaxUint32)
	r.gets('B', q)
	r.taken(TakenAbsent, 0, 0)
	r.c.begin(r.now, &search{it: r.c.item(q.Key), deadline: r.now + 1e9})
	if rank := r.c.item(q.Key).search.rank; rank != math.MaxUint32 {
		t.Errorf("rank %d after the highest", rank)
	}
}

// TestGoneKeepsToItsOwn: the end of a node is of no concern to what has nothing to do with it.
func TestGoneKeepsToItsOwn(t *testing.T) {
	r := newRig(t, "BC")
	for i := range 100 {
		it := r.c.item(fmt.Sprint("/k/", i))
		it.went = pointer{node: node("BC"[i%2]), until: r.now + 1e9}
	}
	r.c.Gone(r.now, node('B'))
	if n := len(r.c.items); n != 50 {
		t.Errorf("%d sessions are known to have gone to C, want 50", n)
	}
	if n := len(r.c.sortedItems(node('B'))); n != 0 {
		t.Errorf("%d have to do with B", n)
	}
}
