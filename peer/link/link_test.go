package link

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// securities are the ways in which nodes can recognise each other.
func securities(t *testing.T, f func(t *testing.T, a, b Security)) {
	t.Run("plain", func(t *testing.T) { f(t, Security{Plain: true}, Security{Plain: true}) })
	t.Run("secret", func(t *testing.T) { f(t, Security{Secret: testSecret}, Security{Secret: testSecret}) })
	t.Run("certificates", func(t *testing.T) {
		dir := farm(t, "a", "b")
		f(t, certificates(dir, "a"), certificates(dir, "b"))
	})
}

// TestMessages: what one node sends the other receives, in both directions, with bodies of all sizes.
func TestMessages(t *testing.T) {
	securities(t, func(t *testing.T, sa, sb Security) {
		state := func() (bool, int64) { return true, 12345 }
		a, b := pair(t, Options{Security: sa, Program: "test 1", State: state}, Options{Security: sb})
		sizes := []int{1, 1000, PartSize - 1, PartSize, PartSize + 1, 3 * PartSize, 10*PartSize + 7}
		for _, way := range [][2]*peer{{a, b}, {b, a}} {
			from, to := way[0], way[1]
			want := map[message.ID][]byte{}
			for i, n := range sizes {
				m := transfer(from.node, i, randomBody(n))
				want[m.ID] = m.Parcel.Body
				if drop := from.Send(to.node, "", m); drop != Queued {
					t.Fatal(drop)
				}
				if drop := from.Send(to.node, "", notHere(i)); drop != Queued {
					t.Fatal(drop)
				}
			}
			eventually(t, "all messages are there", func() bool {
				return len(to.got(message.Transfer)) == len(sizes) && len(to.got(message.NotHere)) == len(sizes)
			})
			for _, m := range to.got(message.Transfer) {
				if !bytes.Equal(m.Parcel.Body, want[m.ID]) || m.Total != 0 || m.Addr != from.Advertised() {
					t.Errorf("%d bytes, total %d, from %q", len(m.Parcel.Body), m.Total, m.Addr)
				}
			}
			for i, m := range to.got(message.NotHere) {
				if m.ID != id(i) {
					t.Errorf("message %d has id %x", i, m.ID)
				}
			}
		}
		hello := b.got(message.Hello)
		if len(hello) != 1 || hello[0].Program != "test 1" || !hello[0].Leaving || hello[0].Free != 12345 || hello[0].Addr != a.addr() {
			t.Errorf("%+v", hello)
		}
		for _, p := range []*peer{a, b} {
			if s := p.Stats(); s.Links != 1 || s.Neighbours != 1 || s.QueuedBytes != 0 || s.QueuedMessages != 0 || s.Assemblies != 0 || s.AssemblyBytes != 0 {
				t.Errorf("%+v", s)
			}
		}
		if l := b.Links()[0]; !l.Up || !l.Dialled || l.Node != a.node || l.Addr != a.addr() || l.Program != "test 1" || l.Encrypted == sa.Plain || l.Protocol != Protocol {
			t.Errorf("%+v", l)
		}
	})
}

// TestSendCopies: what was sent may be used again, as long as its body is small.
func TestSendCopies(t *testing.T) {
	a, b := pair(t, Options{}, Options{})
	body := []byte("before")
	m := transfer(a.node, 1, body)
	if drop := a.Send(b.node, "", m); drop != Queued {
		t.Fatal(drop)
	}
	copy(body, "after.")
	m.Key = "changed"
	eventually(t, "it is there", func() bool { return len(b.got(message.Transfer)) == 1 })
	if got := b.got(message.Transfer)[0]; string(got.Parcel.Body) != "before" || got.Key == "changed" {
		t.Errorf("%q %q", got.Parcel.Body, got.Key)
	}
}

// TestMutual: two nodes that list each other have two links, and are one neighbour.
func TestMutual(t *testing.T) {
	a := start(t, Options{})
	b := start(t, Options{Peers: []string{a.addr()}})
	addr := a.addr()
	a.crash() // it comes back with the same address, and a peer
	a2 := start(t, Options{Listen: addr, Peers: []string{b.addr()}})
	eventually(t, "there are two links", func() bool { return a2.Stats().Links == 2 && b.Stats().Links == 2 })
	if s := a2.Stats(); s.Neighbours != 1 {
		t.Errorf("%d neighbours", s.Neighbours)
	}
	if n := a2.count("up " + b.id() + " neighbour"); n != 1 {
		t.Errorf("a was told %d times", n)
	}
	const messages = 1000
	for i := range messages {
		if drop := a2.Send(b.node, "", notHere(i)); drop != Queued {
			t.Fatal(drop)
		}
	}
	eventually(t, "all are there", func() bool { return len(b.got(message.NotHere)) == messages })
	for i, m := range b.got(message.NotHere) {
		if m.ID != id(i) {
			t.Fatalf("message %d has id %x", i, m.ID)
		}
	}
	ups := b.count("up " + a2.id() + " neighbour")
	a2.stop(t)
	eventually(t, "b has noticed", func() bool { return b.count("down "+a2.id()+" neighbour") == 1 && b.Stats().Links == 0 })
	if n := b.count("up "+a2.id()+" neighbour") - ups; n != 1 { // what was on its way over the first that ended may be lost
		t.Errorf("b was told %d times that another link is left: %s", n, b.all())
	}
}

// TestRing: three nodes that are started at once, each with another as its peer, are linked within a second.
func TestRing(t *testing.T) {
	var addrs []string
	for range 3 { // free ports, for a moment
		p := start(t, Options{})
		addrs = append(addrs, p.addr())
		p.crash()
	}
	began := time.Now()
	var ring []*peer
	for i, addr := range addrs {
		ring = append(ring, start(t, Options{Listen: addr, Peers: []string{addrs[(i+1)%3]}}))
	}
	eventually(t, "the ring is complete", func() bool {
		for _, p := range ring {
			if p.Stats().Neighbours != 2 {
				return false
			}
		}
		return true
	})
	t.Logf("after %v", time.Since(began))
	if d := time.Since(began); d > 5*time.Second { // it should be one; machines that test may be busy
		t.Errorf("it took %v", d)
	}
}

// TestDelivery: without a link one is dialled, once, for all messages; answers come back over it; it is closed when it has been idle.
func TestDelivery(t *testing.T) {
	a := start(t, Options{PingEvery: 100 * time.Millisecond})
	b := start(t, Options{PingEvery: 100 * time.Millisecond, IdleDelivery: 200 * time.Millisecond})
	large := randomBody(5 * PartSize)
	for i := range 100 {
		if drop := b.Send(a.node, a.addr(), transfer(b.node, i, []byte(fmt.Sprint(i)))); drop != Queued {
			t.Fatal(drop)
		}
	}
	if drop := b.Send(a.node, a.addr(), transfer(b.node, 100, large)); drop != Queued {
		t.Fatal(drop)
	}
	eventually(t, "all are there", func() bool { return len(a.got(message.Transfer)) == 101 })
	for i, m := range a.got(message.Transfer) {
		if m.ID != id(i) || m.Addr != b.addr() {
			t.Errorf("message %d has id %x, from %q", i, m.ID, m.Addr)
		}
	}
	if drop := a.Send(b.node, "", notHere(1)); drop != Queued {
		t.Fatal(drop)
	}
	eventually(t, "the answer is there", func() bool { return len(b.got(message.NotHere)) == 1 })
	eventually(t, "it is closed", func() bool {
		return a.count("down "+b.id()+" delivery") == 1 && b.count("down "+a.id()+" delivery") == 1
	})
	if s := b.Stats(); s.Dialled != 1 || s.Closes[CloseIdle] != 1 || s.Links != 0 {
		t.Errorf("%+v", s)
	}
	if drop := a.Send(b.node, "", notHere(1)); drop != DropNoLink {
		t.Errorf("got %v", drop)
	}
	if drop := a.Send(a.node, a.addr(), notHere(1)); drop != DropSelf {
		t.Errorf("got %v", drop)
	}
}

// TestGone: that a process has ended is certain when its address refuses, or when another answers there.
func TestGone(t *testing.T) {
	alone := "127.0.0.1:0"
	if runtime.GOOS == "linux" { // elsewhere there is one loopback address, whose ports other tests may get in the meantime
		alone = "127.0.0.77:0"
	}
	a := start(t, Options{Listen: alone})
	b := start(t, Options{Peers: []string{a.addr()}})
	eventually(t, "they are linked", func() bool { return b.Stats().Links == 1 })
	addr := a.addr()
	a.crash()
	eventually(t, "b knows", func() bool { return b.count("gone "+a.id()) == 1 })
	eventually(t, "it was not before the link's end", func() bool { return b.count("down "+a.id()+" neighbour") == 1 })
	eventually(t, "b tries again", func() bool { return b.Stats().Dialled > 3 })
	if n := b.count("gone " + a.id()); n != 1 {
		t.Errorf("b was told %d times", n)
	}
	// A delivery to it is refused.
	c := start(t, Options{})
	if drop := c.Send(a.node, addr, notHere(1)); drop != Queued {
		t.Fatal(drop)
	}
	eventually(t, "c knows", func() bool { return c.count("gone "+a.id()) == 1 })
	if s := c.Stats(); s.Drops[DropDialFailed] != 1 || s.Dialling != 0 {
		t.Errorf("%+v", s)
	}
	// Another has its address.
	a2 := start(t, Options{Listen: addr})
	if drop := c.Send(a.node, addr, notHere(1)); drop != Queued {
		t.Fatal(drop)
	}
	eventually(t, "c knows once more", func() bool { return c.count("gone "+a.id()) == 2 })
	if s := c.Stats(); s.Drops[DropWrongNode] != 1 {
		t.Errorf("%+v", s)
	}
	eventually(t, "b is linked again", func() bool { return b.count("up "+a2.id()+" neighbour") == 1 })
	a2.crash()
	a3 := start(t, Options{Listen: addr})
	eventually(t, "b is linked to the third", func() bool { return b.count("up "+a3.id()+" neighbour") == 1 })
	eventually(t, "and knows of the second's end", func() bool { return b.count("gone "+a2.id()) == 1 })
	// One's own address is another's, too.
	if drop := a3.Send(a.node, addr, notHere(1)); drop != Queued {
		t.Fatal(drop)
	}
	eventually(t, "a3 knows", func() bool { return a3.count("gone "+a.id()) == 1 })
}

// TestUnreachable: an address that neither refuses nor answers proves nothing.
func TestUnreachable(t *testing.T) {
	a := start(t, Options{HandshakeTimeout: 50 * time.Millisecond})
	mute := start(t, Options{Security: Security{Secret: []byte("another secret of enough bytes")}})
	nobody := newNode()
	if drop := a.Send(nobody, mute.addr(), notHere(1)); drop != Queued {
		t.Fatal(drop)
	}
	eventually(t, "it is given up", func() bool { return a.count("unreachable "+shortNode(nobody)) == 1 })
	if s := a.Stats(); s.Drops[DropDialFailed] != 1 || a.count("gone "+shortNode(nobody)) != 0 {
		t.Errorf("%+v", s)
	}
}

// TestSelf: a node that is its own peer says so, once, and does not go on about it.
func TestSelf(t *testing.T) {
	p := start(t, Options{})
	addr := p.addr()
	p.crash()
	p = start(t, Options{Listen: addr, Peers: []string{addr}})
	eventually(t, "it has met itself on both sides", func() bool { return p.Stats().Closes[CloseSelf] == 2 })
	if s := p.Stats(); s.Links != 0 || !bytes.Contains([]byte(p.log.String()), []byte("peer_self")) {
		t.Errorf("%+v\n%s", s, p.log)
	}
}

// TestKick: a changed state is told at once.
func TestKick(t *testing.T) {
	a, b := pair(t, Options{PingEvery: time.Minute, State: func() (bool, int64) { return true, 7 }}, Options{PingEvery: time.Minute})
	a.Kick()
	eventually(t, "b has heard", func() bool { return len(b.got(message.Ping)) == 1 })
	if m := b.got(message.Ping)[0]; !m.Leaving || m.Free != 7 {
		t.Errorf("%+v", m)
	}
}

// TestSilence: a link on which nothing comes is closed; one that lives is not.
func TestSilence(t *testing.T) {
	a, b := pair(t, Options{PingEvery: 100 * time.Millisecond}, Options{PingEvery: 100 * time.Millisecond})
	eventually(t, "pings go both ways", func() bool { return len(a.got(message.Ping)) > 5 && len(b.got(message.Ping)) > 5 })
	if a.Stats().Links != 1 {
		t.Error("the link has ended")
	}
	c, d := pair(t, Options{PingEvery: 20 * time.Millisecond}, Options{PingEvery: time.Minute})
	eventually(t, "the silent one is cut off", func() bool { return c.Stats().Closes[CloseSilent] > 0 })
	eventually(t, "it notices", func() bool { return d.Stats().Closes[CloseRemote] > 0 })
}

// TestCloseYoung: a link that has just been made is finished like any other, with what was queued on it.
func TestCloseYoung(t *testing.T) {
	for _, dials := range []bool{false, true} {
		b := start(t, Options{})
		a := start(t, Options{Listen: "none"})
		from, to := a, b
		if !dials {
			from, to = b, a
		}
		closed := make(chan error, 1)
		from.onUp = func() {
			if drop := from.Send(to.node, "", notHere(1)); drop != Queued {
				t.Error(drop)
			}
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				closed <- from.Close(ctx)
			}()
			eventually(t, "it is being closed", func() bool {
				from.Net.mu.Lock()
				defer from.Net.mu.Unlock()
				return from.closing
			})
		}
		a.Join(b.addr())
		check(t, <-closed)
		eventually(t, "the message is there", func() bool { return len(to.got(message.NotHere)) == 1 })
	}
}

// TestCloseFlushes: what was queued before the end arrives.
func TestCloseFlushes(t *testing.T) {
	securities(t, func(t *testing.T, sa, sb Security) {
		a, b := pair(t, Options{Security: sa}, Options{Security: sb})
		body := randomBody(20 * PartSize)
		for i := range 10 {
			if drop := a.Send(b.node, "", transfer(a.node, i, body)); drop != Queued {
				t.Fatal(drop)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		check(t, a.Close(ctx))
		eventually(t, "all are there", func() bool { return len(b.got(message.Transfer)) == 10 })
		if drop := a.Send(b.node, b.addr(), notHere(1)); drop != DropShutdown {
			t.Errorf("got %v", drop)
		}
		if s := a.Stats(); s.Closes[CloseShutdown] != 1 || s.Drops[DropLinkLost] != 0 {
			t.Errorf("%+v", s)
		}
	})
}
