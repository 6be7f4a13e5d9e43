package link

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

var seedFlag = flag.Uint64("link.seed", 0, "replay the random tests with this seed; 0 picks one")

// offline is a net without a listener, in a network where dial does what it likes. The caller calls stop in the end.
func offline(dial func(context.Context, string) (net.Conn, error), peers ...string) (n *Net, stop func()) {
	ctx, cancel := contextWithStop()
	n = &Net{h: &recorder{}, guard: plainGuard{}, ctx: ctx, cancel: cancel, targets: map[string]*target{}}
	n.opt.Insecure, n.opt.Peers = true, peers
	n.opt.setDefaults()
	n.opt.jitter = func() float64 { return 1 }
	n.opt.dial = dial
	for _, addr := range peers {
		n.dialLocked(n.newTarget(addr, true))
	}
	return n, func() { cancel(); n.tasks.Wait() }
}

// TestJoin: what was joined is dialled like a configured peer, once, until it is left; what is configured is not touched by either.
func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		dialled := map[string]int{}
		refuse := refuseAll(func() {})
		n, stop := offline(func(ctx context.Context, addr string) (net.Conn, error) {
			mu.Lock()
			dialled[addr]++
			mu.Unlock()
			return refuse(ctx, addr)
		}, "fixed:1")
		defer stop()
		// within returns how often an address is dialled in a time.
		within := func(d time.Duration, addr string) int {
			mu.Lock()
			clear(dialled)
			mu.Unlock()
			time.Sleep(d)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return dialled[addr]
		}
		const minute = time.Minute + time.Millisecond
		if got := within(minute, "fixed:1"); got != 18 {
			t.Fatalf("a configured peer was dialled %d times, want 18", got)
		}
		for range 3 {
			n.Join("fixed:1")
			n.Join("joined:1")
		}
		if got := within(minute, "joined:1"); got != 18 {
			t.Errorf("what was joined was dialled %d times, want 18", got)
		}
		n.Leave("fixed:1")
		n.Leave("joined:1")
		n.Leave("joined:1")
		n.Leave("nobody:1")
		if got := within(minute, "joined:1"); got != 0 {
			t.Errorf("what was left was dialled %d times", got)
		}
		if len(n.targets) != 1 {
			t.Errorf("%d addresses are kept, want 1", len(n.targets))
		}
		if got := within(minute, "fixed:1"); got != 12 {
			t.Errorf("a configured peer that was left was dialled %d times, want 12", got)
		}
		n.Join("joined:1")
		if got := within(minute, "joined:1"); got != 18 {
			t.Errorf("what was joined again was dialled %d times, want 18", got)
		}
	})
}

// TestLeaveWhileDialling: leaving does not wait for an address that does not answer, and joining again dials it at once.
func TestLeaveWhileDialling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int64
		n, stop := offline(func(ctx context.Context, _ string) (net.Conn, error) {
			dials.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		defer stop()
		n.Join("mute:1")
		synctest.Wait()
		n.Leave("mute:1")
		n.Join("mute:1")
		synctest.Wait()
		if dials.Load() != 2 || len(n.targets) != 1 {
			t.Errorf("dialled %d times, %d addresses", dials.Load(), len(n.targets))
		}
		n.Leave("mute:1")
		synctest.Wait()
		if len(n.targets) != 0 {
			t.Error("it is still being dialled")
		}
	})
}

// TestLeaveInHandshake: a connection that is complete only after its address was left becomes no link.
func TestLeaveInHandshake(t *testing.T) {
	a := start(t, Options{Security: Security{Plain: true}})
	var b *peer
	left := make(chan struct{})
	b = start(t, Options{Security: Security{Plain: true}, dial: func(ctx context.Context, addr string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		b.Leave(addr)
		close(left)
		return nc, err
	}})
	b.Join(a.addr())
	<-left
	eventually(t, "it is forgotten", func() bool {
		b.Net.mu.Lock()
		defer b.Net.mu.Unlock()
		return len(b.targets) == 0
	})
	if s := b.Stats(); s.Opened != 0 || s.Dialled != 1 {
		t.Errorf("%+v", s)
	}
}

// TestLeaveKeepsLink: a link outlives the leaving; joining again makes no second one; when it ends after the leaving, it stays so.
func TestLeaveKeepsLink(t *testing.T) {
	securities(t, func(t *testing.T, sa, sb Security) {
		a, b := start(t, Options{Security: sa}), start(t, Options{Security: sb})
		b.Join(a.addr())
		eventually(t, "they are linked", func() bool { return a.Stats().Neighbours == 1 && b.Stats().Neighbours == 1 })
		b.Leave(a.addr())
		b.Join(a.addr())
		b.Leave(a.addr())
		for i := range 10 {
			if drop := b.Send(a.node, "", notHere(i)); drop != Queued {
				t.Fatal(drop)
			}
		}
		eventually(t, "it carries messages", func() bool { return len(a.got(message.NotHere)) == 10 })
		addr := a.addr()
		a.crash()
		eventually(t, "the link has ended", func() bool { return b.count("down "+a.id()+" neighbour") == 1 })
		eventually(t, "its address is forgotten", func() bool {
			b.Net.mu.Lock()
			defer b.Net.mu.Unlock()
			return len(b.targets) == 0
		})
		if s := b.Stats(); s.Dialled != 1 {
			t.Errorf("dialled %d times", s.Dialled)
		}
		a2 := start(t, Options{Listen: addr, Security: sa})
		b.Join(addr)
		eventually(t, "they are linked again", func() bool { return b.count("up "+a2.id()+" neighbour") == 1 })
	})
}

// TestJoinRefused: what Options.Peers may not have cannot be joined either, and there is an end to what is.
func TestJoinRefused(t *testing.T) {
	p := start(t, Options{Security: Security{Plain: true}, MaxLinks: 2})
	p.Join("192.0.2.1:1")
	if s := p.Stats(); s.Dialled != 0 || s.Closes[ClosePlain] != 1 {
		t.Errorf("%+v", s)
	}
	q := start(t, Options{MaxLinks: 2, dial: refuseAll(func() {})})
	for i := range 4 {
		q.Join(fmt.Sprintf("192.0.2.1:%d", i+1))
	}
	if s := q.Stats(); s.Closes[CloseTooManyLinks] != 2 || len(q.targets) != 2 {
		t.Errorf("%+v, %d addresses", s, len(q.targets))
	}
	q.stop(t)
	q.Join("192.0.2.1:9")
	q.Leave("192.0.2.1:1")
	if len(q.targets) != 0 {
		t.Errorf("%d addresses are left", len(q.targets))
	}
}

// TestJoinBoth: two nodes that join each other at the same time are one neighbour, and what one sends the other arrives in order.
func TestJoinBoth(t *testing.T) {
	a, b := start(t, Options{}), start(t, Options{})
	a.Join(b.addr())
	b.Join(a.addr())
	const messages = 3000
	eventually(t, "they are linked", func() bool { return a.Stats().Neighbours == 1 && b.Stats().Neighbours == 1 })
	for i := range messages { // while the second link comes
		for _, way := range [][2]*peer{{a, b}, {b, a}} {
			if drop := way[0].Send(way[1].node, "", notHere(i)); drop != Queued {
				t.Fatal(drop)
			}
		}
	}
	eventually(t, "there are two links", func() bool { return a.Stats().Links == 2 && b.Stats().Links == 2 })
	for _, to := range []*peer{a, b} {
		eventually(t, "all are there", func() bool { return len(to.got(message.NotHere)) == messages })
		for i, m := range to.got(message.NotHere) {
			if m.ID != id(i) {
				t.Fatalf("message %d has id %x", i, m.ID)
			}
		}
	}
	for _, way := range [][2]*peer{{a, b}, {b, a}} {
		if n := way[0].count("up " + way[1].id() + " neighbour"); n != 1 {
			t.Errorf("told %d times", n)
		}
	}
}

// TestJoinAndLeave: whatever is joined and left by several at once, in the end it is as was said last, and nothing is left behind.
func TestJoinAndLeave(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-link.seed=%d", seed)
	hub := start(t, Options{})
	var others []*peer
	for range 3 {
		others = append(others, start(t, Options{}))
	}
	var all sync.WaitGroup
	for i, p := range others { // one goroutine for each address: what was said last is known
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for range 200 {
				if r.IntN(2) == 0 {
					hub.Join(p.addr())
				} else {
					hub.Leave(p.addr())
				}
			}
			hub.Join(p.addr())
		})
	}
	all.Wait()
	eventually(t, "each is linked", func() bool { return hub.Stats().Neighbours == len(others) })
	for _, p := range others {
		hub.Leave(p.addr())
		p.stop(t)
	}
	eventually(t, "all is forgotten", func() bool {
		hub.Net.mu.Lock()
		defer hub.Net.mu.Unlock()
		return len(hub.targets) == 0 && len(hub.nodes) == 0
	})
}
