package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	peerlink "github.com/farmstate/farmstate/peer/link"
	"github.com/farmstate/farmstate/peer/message"
)

// linkEnd is one of two linked nodes. What it receives goes to on, message by message.
type linkEnd struct {
	*peerlink.Net
	node message.Node
	up   chan struct{}
	on   atomic.Pointer[func(from message.Node, m *message.Message)] // nil: nobody listens
}

func (e *linkEnd) listen(f func(from message.Node, m *message.Message)) { e.on.Store(&f) }

func (e *linkEnd) LinkUp(message.Node, string, message.Purpose) { close(e.up) }
func (e *linkEnd) LinkDown(message.Node, message.Purpose)       {}
func (e *linkEnd) Gone(message.Node, string)                    {}
func (e *linkEnd) Unreachable(message.Node, string)             {}
func (e *linkEnd) Messages(from message.Node, batch []*message.Message) {
	f := e.on.Load()
	if f == nil {
		return
	}
	for _, m := range batch {
		(*f)(from, m)
	}
}

// linked are two nodes with a link over the loopback interface, with TLS or without.
func linked(b *testing.B, plain bool) (from, to *linkEnd) {
	b.Helper()
	start := func(peers ...string) *linkEnd {
		e := &linkEnd{up: make(chan struct{})}
		_, _ = rand.Read(e.node[:]) // never fails
		opt := peerlink.Options{Listen: "127.0.0.1:0", Peers: peers, Node: e.node, Security: peerlink.Security{Plain: plain}}
		if !plain {
			opt.Security.Secret = []byte("a secret for benchmarks")
		}
		n, err := peerlink.Listen(opt, e)
		if err != nil {
			b.Fatal(err)
		}
		e.Net = n
		b.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := n.Close(ctx); err != nil {
				b.Error(err)
			}
		})
		return e
	}
	to = start()
	from = start(to.Addr().String())
	<-to.up
	<-from.up
	return from, to
}

func securityName(plain bool) string {
	if plain {
		return "security=plain"
	}
	return "security=tls"
}

// flood sends m over and over, with a bounded number under way, until the benchmark ends.
func flood(b *testing.B, from, to *linkEnd, m *message.Message) {
	window := min(1024, 32<<20/max(1, len(m.Parcel.Body)))
	credit := make(chan struct{}, window)
	for range window {
		credit <- struct{}{}
	}
	to.listen(func(_ message.Node, got *message.Message) {
		if got.Kind == m.Kind {
			credit <- struct{}{}
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		<-credit
		if drop := from.Send(to.node, "", m); drop != peerlink.Queued {
			b.Fatal(drop)
		}
	}
	for range window { // what is under way belongs to what was measured
		<-credit
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// BenchmarkPeerLinkFlood: how many messages a second one link moves, the sender's and the receiver's work together on this machine.
func BenchmarkPeerLinkFlood(b *testing.B) {
	for _, plain := range []bool{false, true} {
		for _, size := range []int{0, 1 << 10, 64 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/body=%d", securityName(plain), size), func(b *testing.B) {
				from, to := linked(b, plain)
				m := &message.Message{Kind: message.Held, ID: message.ID{1}, Key: "/lm/w3svc/1/root(cahkmvhipclv/qvonqmpskl+q/ajnk=)/z445nnecaiiqye55asxwtm55"}
				if size > 0 {
					m.Kind, m.Node, m.Addr = message.Transfer, from.node, from.Advertised()
					m.Parcel = engine.Parcel{Key: m.Key, Body: makeBody(size), Minutes: 20, Left: int64(20 * time.Minute), Cookie: 1}
					b.SetBytes(int64(size))
				}
				flood(b, from, to, m)
			})
		}
	}
}

// BenchmarkPeerLinkRoundTrip: how long a question and its answer take on an idle link.
func BenchmarkPeerLinkRoundTrip(b *testing.B) {
	for _, plain := range []bool{false, true} {
		b.Run(securityName(plain), func(b *testing.B) {
			from, to := linked(b, plain)
			answer := make(chan struct{}, 1)
			from.listen(func(_ message.Node, m *message.Message) {
				if m.Kind == message.NotHere {
					answer <- struct{}{}
				}
			})
			to.listen(func(n message.Node, m *message.Message) {
				if m.Kind == message.Query {
					to.Send(n, "", &message.Message{Kind: message.NotHere, ID: m.ID})
				}
			})
			query := &message.Message{Kind: message.Query, ID: message.ID{1}, Key: "/lm/w3svc/1/root(x)/z445nnecaiiqye55asxwtm55", Node: from.node, Wait: time.Second}
			b.ReportAllocs()
			for b.Loop() {
				if drop := from.Send(to.node, "", query); drop != peerlink.Queued {
					b.Fatal(drop)
				}
				<-answer
			}
		})
	}
}
