package peer

import (
	"net"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// TestSilentAtStart: a node that is told of another one which neither answers nor refuses, as if its machine were frozen, does not say that a session is nowhere before
// that one counts as dead. One that refuses has ended, and is not waited for.
func TestSilentAtStart(t *testing.T) {
	const patience = 400 * time.Millisecond // query_timeout
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	quick := func(o *Options) { o.QueryTimeout = patience }
	static := func(addr net.Addr) func(*Options) {
		return func(o *Options) { quick(o); o.Link.Peers = []string{addr.String()} }
	}
	gossip := func(addr net.Addr) func(*Options) {
		return func(o *Options) {
			gossiping()(o)
			quick(o)
			o.Member.Join = []string{addr.String()}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*Options)
		silent bool
	}{
		{"static, silent", static(mute.Addr()), true},
		{"static, refuses", static(nobody.Addr()), false},
		{"gossip, silent", gossip(mute.Addr()), true},
		{"gossip, refuses", gossip(nobody.Addr()), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := startNodeOf(t, c.change)
			began := time.Now()
			for out, _ := n.do(engine.Get, "k", "", 0); out.Status != engine.NotFound; out, _ = n.do(engine.Get, "k", "", 0) {
				if time.Since(began) > 10*time.Second {
					t.Fatalf("%s still", out.Status)
				}
			}
			if took := time.Since(began); (took > 2*patience-patience/4) != c.silent {
				t.Errorf("404 after %v", took)
			}
		})
	}
}
