package hostile

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/link"
	"github.com/farmstate/farmstate/peer/message"
)

// arena is a farm of two, one of which is attacked, with users whose sessions the hostile node has not asked for.
type arena struct {
	tb            testing.TB
	victim, other *node
	canary        *canary
	closed        string // an address that refuses connections
	cookie        uint32 // of the quiet lock
	saves         int
	bytes         int64 // of the victim's engine, when nothing is going on
	rounds        int
}

const (
	quietLocked = "/quiet(1)/locked"
	quietSaved  = "/quiet(1)/saved"
	quietLarge  = "/quiet(1)/large"
	quietBody   = "what the user has put into the cart"
)

var largeBody = strings.Repeat("a large session ", 8<<10) // 128 KiB

func newArena(tb testing.TB) *arena {
	tb.Helper()
	a := &arena{victim: startNode(tb), canary: startCanary(tb)}
	a.other = startNode(tb, a.victim.addr())
	gone := startCanary(tb)
	a.closed = gone.Addr().String()
	gone.stop()
	eventually(tb, func() string {
		if n := a.victim.farm.Stats().Links.Neighbours; n != 1 {
			return fmt.Sprintf("the victim has %d neighbours, want the honest one", n)
		}
		return ""
	})
	for _, k := range []string{quietLocked, quietSaved, quietLarge} {
		body := quietBody
		if k == quietLarge {
			body = largeBody
		}
		if out, _, _ := a.victim.do(tb, engine.Set, k, body, 0); out.Status != engine.OK {
			tb.Fatalf("a new session before the attack: %v", out.Status)
		}
	}
	out, _, _ := a.victim.do(tb, engine.Acquire, quietLocked, "", 0)
	a.cookie = out.Cookie
	a.settle(tb)
	a.bytes = a.victim.engine.Stats().Bytes
	return a
}

func (a *arena) close() {
	a.other.close()
	a.victim.close()
	a.canary.stop()
}

func newNode() message.Node { return message.Node(newID()) }

func newID() (id message.ID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// attack lets a hostile node do what it likes, looks after the users meanwhile and afterwards, and that nothing is left behind.
func (a *arena) attack(tb testing.TB, do func(e *evil)) {
	tb.Helper()
	a.rounds++
	a.tb = tb
	dialled := a.victim.farm.Stats().Links.Dialled
	e := startEvil(tb, newNode(), a.victim)
	defer e.stop()
	do(e)
	a.users(tb)
	e.stop()
	a.users(tb)
	a.settle(tb)
	a.users(tb)
	if got := a.victim.engine.Stats().Bytes; got != a.bytes {
		tb.Errorf("the engine has %d bytes after the attack, %d before", got, a.bytes)
	}
	if n := a.other.farm.Stats().Links.Closes[link.CloseMalformed]; n > 0 {
		tb.Errorf("the victim has passed on what is no message, %d times", n)
	}
	if n := a.victim.farm.Stats().Links.Dialled - dialled; n > 2000 {
		tb.Errorf("the node was made to dial %d times", n)
	}
}

// users are those whose sessions nobody has asked for.
func (a *arena) users(tb testing.TB) {
	tb.Helper()
	inTime := func(what string, took, most time.Duration) {
		tb.Helper()
		if took > most {
			tb.Errorf("%s took %v", what, took)
		}
	}
	out, _, took := a.victim.do(tb, engine.Get, quietLocked, "", 0)
	if out.Status != engine.Locked || out.Cookie != a.cookie {
		tb.Errorf("the locked session: %v, cookie %d, want locked, %d", out.Status, out.Cookie, a.cookie)
	}
	inTime("a read of a locked session", took, 2*time.Second)
	out, body, took := a.victim.do(tb, engine.Get, quietLarge, "", 0)
	if out.Status != engine.OK || body != largeBody {
		tb.Errorf("the large session: %v, %d bytes", out.Status, len(body))
	}
	inTime("a read", took, 2*time.Second)
	a.saves++
	text := fmt.Sprintf("%-40d", a.saves)
	out, _, took = a.victim.do(tb, engine.Set, quietSaved, text, 0)
	if out.Status != engine.OK {
		tb.Errorf("a save: %v", out.Status)
	}
	inTime("a save", took, 2*time.Second)
	if out, body, _ = a.victim.do(tb, engine.Get, quietSaved, "", 0); out.Status != engine.OK || body != text {
		tb.Errorf("what was saved: %v %q", out.Status, body)
	}
	// A new one may be told to come again, if the hostile node lies about it, but not be left waiting.
	key := fmt.Sprintf("/quiet(1)/new%d", a.saves)
	out, _, took = a.victim.do(tb, engine.Set, key, "x", 0)
	inTime("a new session", took, queryTimeout+2*time.Second)
	if out.Status == engine.OK {
		if out, _, _ := a.victim.do(tb, engine.Remove, key, "", 0); out.Status != engine.OK {
			tb.Errorf("the removal of a new session: %v", out.Status)
		}
	}
}

// settle lets the time pass that the node remembers anything for, removes the sessions that were planted, and checks that nothing is left.
func (a *arena) settle(tb testing.TB) {
	tb.Helper()
	eventually(tb, func() string {
		a.victim.pass(10 * time.Second)
		a.other.pass(10 * time.Second)
		for _, n := range []*node{a.victim, a.other} {
			a.clean(n)
		}
		g, l, s := a.victim.farm.Stats().Gauges, a.victim.farm.Stats().Links, a.victim.engine.Stats()
		switch {
		case g.Searching+g.Moving+g.Holding+g.Asking+g.Remembered+g.Items > 0:
			return fmt.Sprintf("the core remembers %+v", g)
		case l.Neighbours != 1 || l.Links > 1 || l.Dialling > 0 || l.Handshakes > 0 || l.Assemblies > 0 || l.AssemblyBytes > 0:
			return fmt.Sprintf("links: %+v", l)
		case s.Sessions != 3:
			return fmt.Sprintf("%d sessions, want the quiet users'", s.Sessions)
		case a.bytes > 0 && s.Bytes != a.bytes:
			return fmt.Sprintf("the engine has %d bytes, want %d", s.Bytes, a.bytes)
		}
		return ""
	})
}

// clean removes the sessions that were planted at a node.
func (a *arena) clean(n *node) {
	for shard := range engine.NumShards {
		var planted []string
		n.engine.Keys(shard, func(k string) {
			if !strings.HasPrefix(k, "/quiet(1)/") {
				planted = append(planted, k)
			}
		})
		for _, k := range planted {
			n.remove(k)
		}
	}
}

// remove takes away a session that was planted, whatever its lock.
func (n *node) remove(key string) {
	cookie := uint32(0)
	for range 2 {
		r := &request{done: make(chan struct{})}
		r.ticket = engine.Ticket{Op: engine.Remove, Key: []byte(key), Cookie: cookie, HasCookie: cookie != 0, Caller: r}
		r.ticket.Hash = n.engine.Hash(r.ticket.Key)
		n.engine.Do(n.now(), engine.NoLane, &r.ticket)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		select {
		case <-r.done:
		case <-ctx.Done():
		}
		cancel()
		if r.ticket.Out.Status != engine.Locked {
			return
		}
		cookie = r.ticket.Out.Cookie
	}
}
