package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// copyIn puts a copy on the shelf that A tells, with so much left of a life of 20 minutes.
func (r *rig) copyIn(left time.Duration) {
	m := message.Message{Kind: message.Copy, Stream: id('S'), Update: 1, Change: message.Content, Key: key}
	m.Parcel = engine.Parcel{Body: []byte("body"), Version: 1, Cookie: 1, Minutes: 20, Left: int64(left)}
	r.gets('A', m)
}

// TestRevived: how long a session lives that is taken over.
func TestRevived(t *testing.T) {
	left := func(r *rig) time.Duration {
		r.t.Helper()
		r.arrived = nil
		r.find()
		if r.arrived == nil {
			r.t.Fatal("it is not taken over")
		}
		return time.Duration(r.arrived.Parcel.Left)
	}
	t.Run("copy", func(t *testing.T) { // it may have been read a moment ago
		r := copyRig(t, 1, "A")
		r.copyIn(5 * time.Minute)
		r.wait(time.Minute)
		r.c.Gone(r.now, node('A'))
		r.collect()
		if got := left(r); got != 20*time.Minute {
			t.Errorf("%v left", got)
		}
	})
	t.Run("copy of long ago", func(t *testing.T) { // but not after its owner has ended
		r := copyRig(t, 1, "A")
		r.copyIn(5 * time.Minute)
		r.wait(time.Minute)
		r.c.Gone(r.now, node('A'))
		r.collect()
		r.wait(3 * time.Minute)
		if got := left(r); got != 17*time.Minute {
			t.Errorf("%v left", got)
		}
	})
	t.Run("asked for by another node", func(t *testing.T) {
		r := copyRig(t, 2, "AB")
		r.copyIn(5 * time.Minute)
		r.c.Gone(r.now, node('A'))
		r.collect()
		r.now += int64(time.Second)
		r.gets('B', message.Message{Kind: message.Claim, ID: id(9), Key: key, Node: node('B'), Addr: "B"})
		if got := time.Duration(r.sent[message.Ceded].Msg.Parcel.Left); got != 20*time.Minute-time.Second {
			t.Errorf("%v left", got)
		}
	})
	t.Run("snapshot", func(t *testing.T) { // nobody has served it since
		r := copyRig(t, 2, "")
		r.c.Shelve(r.now, node('Z'), &engine.Parcel{Key: key, Body: []byte("body"), Version: 1, Cookie: 1, Minutes: 20, Left: int64(5 * time.Minute)})
		r.collect()
		r.now += int64(time.Second)
		if got := left(r); got != 5*time.Minute-time.Second {
			t.Errorf("%v left", got)
		}
	})
	t.Run("snapshot that is over", func(t *testing.T) {
		r := copyRig(t, 2, "")
		r.c.Shelve(r.now, node('Z'), &engine.Parcel{Key: key, Body: []byte("body"), Version: 1, Cookie: 1, Minutes: 20, Left: int64(time.Second)})
		r.collect()
		r.now += int64(time.Second)
		if e := r.c.shelf[key]; !r.c.expired(r.now, e) {
			t.Error("it lives on")
		}
	})
}

// TestTouchesAreTold: what has been read is told in a moment, also where what is urgent never ceases, and after the link was away; and it takes no more memory than a bound.
func TestTouchesAreTold(t *testing.T) {
	r := copyRig(t, 2, "B")
	r.c.opt.Ack = AckNone
	touches := func() (n int) {
		for _, m := range r.copiesTo('B') {
			if m.Change == message.Touch {
				n++
			}
		}
		r.acts = nil
		return n
	}
	read := r.tells(0, 100)
	r.acknowledges('B')
	for i := range windowUpdates / 8 * 2 {
		r.tells(i+1, 100)
	}
	r.acts = nil
	r.c.Touched(r.now, read, int64(time.Minute))
	r.wait(500 * time.Millisecond)
	if n := touches(); n != 0 {
		t.Errorf("told %d times while much is urgent", n)
	}
	r.wait(time.Second)
	if n := touches(); n == 0 {
		t.Error("not told")
	}
	r.acknowledges('B')
	r.c.Down(r.now, node('B'))
	r.collect()
	r.acts = nil
	r.c.Touched(r.now, read, int64(time.Minute))
	r.c.Up(r.now, node('B'), "B")
	r.collect()
	r.wait(time.Second)
	if touches() == 0 {
		t.Error("not told after the link was away")
	}
	r.acknowledges('B')
	r.c.Down(r.now, node('B'))
	for i := range 20000 {
		k := fmt.Sprint("/app/", i%100)
		r.c.Touched(r.now, k, int64(time.Minute))
	}
	if n := len(r.c.streams[node('B')].touches); n > touchMost+touchRoom {
		t.Errorf("%d bytes of what has been read wait", n)
	}
}
