package peer

import (
	"context"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/link"
	"github.com/farmstate/farmstate/peer/member"
)

// gossiping makes a node of a test find others by gossip, at the addresses of those that are given.
func gossiping(others ...*testNode) func(*Options) {
	mo := &member.Options{
		Listen: "127.0.0.1:0", Secret: []byte("a secret of the tests"),
		ProbeInterval: 200 * time.Millisecond, GossipInterval: 20 * time.Millisecond, RejoinInterval: 200 * time.Millisecond,
	}
	for _, n := range others {
		mo.Join = append(mo.Join, n.farm.GossipAddr().String())
	}
	return func(o *Options) { o.Member, o.Name = mo, "a machine" }
}

// until waits until a condition holds.
func until(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("waited in vain for %s", what)
		}
	}
}

// fellowsOf is what the driver of a node knows of the others.
func (n *testNode) fellowsOf() (alive, dialled int) {
	n.farm.tell(func() {
		for _, w := range n.farm.fellows {
			if w.alive {
				alive++
			}
			if w.dialled != "" {
				dialled++
			}
		}
	})
	return alive, dialled
}

// TestMembers: nodes that know one address are all linked, once for each pair, and find each other's sessions; a node that leaves or dies is dialled no more.
func TestMembers(t *testing.T) {
	a := startNodeOf(t, gossiping())
	b := startNodeOf(t, gossiping(a))
	c := startNodeOf(t, gossiping(a))
	all := []*testNode{a, b, c}
	a.farm.SetStateAddr("127.0.0.1:42424")
	for _, n := range all {
		until(t, "links to all others", func() bool { return n.farm.Stats().Links.Neighbours == 2 })
	}
	pairs := 0
	for _, n := range all {
		until(t, "two fellows", func() bool { alive, _ := n.fellowsOf(); return alive == 2 }) // links may come before gossip does
		_, dialled := n.fellowsOf()
		pairs += dialled
	}
	if pairs != 3 {
		t.Errorf("%d pairs are dialled, want 3: one dials the other", pairs)
	}
	const key = "/LM/W3SVC/1/ROOT(hash)/session1"
	if out, _ := b.do(engine.Set, key, "content", 0); out.Status != engine.OK {
		t.Fatalf("%+v", out)
	}
	if out, body := c.do(engine.Get, key, "", 0); out.Status != engine.OK || body != "content" {
		t.Errorf("%+v %q", out, body)
	}
	until(t, "the address of the state port", func() bool {
		s := b.farm.Status().Gossip
		for _, m := range s.Members {
			if m.Web == "127.0.0.1:42424" && m.State == "alive" && m.Linked && m.Name == "a machine" {
				return true
			}
		}
		return false
	})
	a.farm.StartDrain()
	until(t, "word that a node hands its sessions over", func() bool { return c.farm.Stats().Gossip.Members["leaving"] == 1 })
	a.farm.StopDrain()
	until(t, "word that it does not", func() bool { return c.farm.Stats().Gossip.Members["leaving"] == 0 })

	b.close() // with a word
	_ = c.farm.group.Close()
	_ = c.farm.links.Close(context.Background()) // without one
	until(t, "the end of both", func() bool {
		alive, dialled := a.fellowsOf()
		return alive == 0 && dialled == 0 && len(a.farm.fellows) == 0
	})
}

// TestLinkOutlives: a node that gossip takes for dead, while there is a link to it, is not, and is once the link has gone.
func TestLinkOutlives(t *testing.T) {
	a := startNodeOf(t, gossiping())
	b := startNodeOf(t, gossiping(a))
	until(t, "a link", func() bool { return a.farm.Stats().Links.Neighbours == 1 })
	_ = b.farm.group.Close()
	until(t, "the verdict", func() bool { return a.farm.Stats().Gossip.Members["dead"] == 1 })
	alive, fellows := 0, 0
	until(t, "the driver to hear it", func() bool {
		alive, _ = a.fellowsOf()
		return alive == 0
	})
	a.farm.tell(func() { fellows = len(a.farm.fellows) })
	if fellows != 1 || a.farm.Stats().Links.Neighbours != 1 {
		t.Errorf("%d fellows, %d neighbours", fellows, a.farm.Stats().Links.Neighbours)
	}
	_ = b.farm.links.Close(context.Background())
	until(t, "the verdict to count", func() bool {
		a.farm.tell(func() { fellows = len(a.farm.fellows) })
		return fellows == 0
	})
}

// TestGossipTaken: without its gossip port a farm does not start.
func TestGossipTaken(t *testing.T) {
	a := startNodeOf(t, gossiping())
	o := Options{Engine: a.engine, Now: a.now, QueryTimeout: time.Second, Link: link.Options{Security: link.Security{Plain: true}}, Member: &member.Options{Listen: a.farm.GossipAddr().String()}}
	if f, err := New(o); err == nil {
		f.Close(t.Context())
		t.Error("the port was shared")
	}
}
