package core

import (
	"fmt"
	"testing"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// tells is a save of a session with so many bytes, for which nobody waits.
func (r *rig) tells(i, size int) string {
	k := fmt.Sprint("/app/", i)
	r.c.Changed(r.now, &Change{Key: k, Content: true, Parcel: engine.Parcel{Key: k, Body: make([]byte, size), Version: 1, Cookie: 1}})
	r.collect()
	return k
}

// acknowledges lets a mirror acknowledge all that it has been sent, until nothing waits for it.
func (r *rig) acknowledges(name byte) {
	r.t.Helper()
	for range 1000 {
		st := r.c.streams[node(name)]
		if st.next == st.acked+1 {
			return
		}
		r.gets(name, message.Message{Kind: message.Copied, Stream: st.id, Update: st.sent})
	}
	r.t.Fatal("it never ends")
}

// TestBacklogBound: what waits for a mirror that does not keep up is bounded when nobody waits for it, whether there is another mirror or not, and whether the link is there
// or not. What was left out is told as a whole when there is room again.
func TestBacklogBound(t *testing.T) {
	const size, saves = 100_000, 600
	for _, c := range []struct {
		neighbours string
		linked     bool
	}{{"B", true}, {"B", false}, {"BC", true}} {
		t.Run(fmt.Sprint(c.neighbours, c.linked), func(t *testing.T) {
			r := copyRig(t, 2, c.neighbours)
			r.c.opt.Ack = AckNone
			layout, _ := r.c.Layout()
			if !c.linked {
				r.c.Down(r.now, node('B'))
			}
			var keys []string
			for i := range saves {
				keys = append(keys, r.tells(i, size), r.tells(i, size)) // the second time it is no longer new to the mirror
			}
			backlogs := r.c.Backlogs()
			if len(backlogs) != len(c.neighbours) {
				t.Fatalf("%d streams", len(backlogs))
			}
			for _, b := range backlogs {
				if b.Bytes > r.c.opt.Backlog+2*size {
					t.Errorf("%d bytes wait for %s, and %d may", b.Bytes, letter(b.Node), r.c.opt.Backlog)
				}
			}
			if n := len(r.c.wants); n > saves {
				t.Errorf("%d sessions are known to be short", n)
			}
			if !c.linked {
				r.c.Up(r.now, node('B'), "B")
				r.collect()
			}
			for _, name := range c.neighbours {
				r.acknowledges(byte(name))
			}
			if now, _ := r.c.Layout(); now == layout {
				t.Error("nobody looks for what was left out")
			}
			for _, key := range keys {
				if !r.c.Short(r.now, key) {
					continue
				}
				p := engine.Parcel{Key: key, Body: make([]byte, size), Version: 2, Cookie: 1}
				r.c.Supply(r.now, &p)
				r.collect()
				for _, name := range c.neighbours {
					if r.c.streams[node(byte(name))] != nil {
						r.acknowledges(byte(name))
					}
				}
				if _, cur := r.c.Mirrors(key); len(cur) != 1 {
					t.Fatalf("%s has %d copies", key, len(cur))
				}
			}
		})
	}
}

// TestBacklogEnds: a mirror that keeps up again gets what was left out also if it is never without anything to do.
func TestBacklogEnds(t *testing.T) {
	r := copyRig(t, 2, "B")
	r.c.opt.Ack = AckNone
	for i := range 30 {
		r.tells(i, 100_000)
	}
	st := r.c.streams[node('B')]
	if !st.overflow {
		t.Fatal("nothing was left out")
	}
	layout, _ := r.c.Layout()
	r.gets('B', message.Message{Kind: message.Copied, Stream: st.id, Update: st.sent - 1})
	if now, _ := r.c.Layout(); st.overflow || now == layout {
		t.Error("nobody looks for what was left out")
	}
}
