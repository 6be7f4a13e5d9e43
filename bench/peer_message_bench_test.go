package bench

import (
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// peerMessages are those of one move, and of a query that finds nothing.
func peerMessages() []message.Message {
	var (
		key  = string(appendKey(nil, 1))
		id   = message.ID{1, 2, 3}
		node = message.Node{4, 5, 6}
		addr = "10.0.0.2:42425"
	)
	return []message.Message{
		{Kind: message.Query, Key: key, ID: id, Node: node, Addr: addr, Hops: 5, Rank: 1, Wait: 2500 * time.Millisecond},
		{Kind: message.NotHere, ID: id},
		{Kind: message.Found, ID: id},
		{Kind: message.Transfer, Key: key, ID: id, Query: id, Node: node, Addr: addr, Gen: 1, Parcel: engine.Parcel{
			Body: makeBody(1 << 10), Minutes: 20, Left: int64(20 * time.Minute), Version: 3, Cookie: 7, Locked: true, LockAge: int64(time.Second),
		}},
		{Kind: message.Held, Key: key, ID: id, Gen: 1},
		{Kind: message.Commit, Key: key, ID: id, Gen: 1},
	}
}

// BenchmarkPeerMessage answers what a message between nodes costs to read and to write, without its body.
func BenchmarkPeerMessage(b *testing.B) {
	lim := message.Limits{MaxHead: message.MaxHead, MaxBody: 64 << 20}
	for _, m := range peerMessages() {
		head := message.Append(nil, &m)
		b.Run("op=parse/kind="+m.Kind.String(), func(b *testing.B) {
			b.ReportAllocs()
			var back message.Message
			for b.Loop() {
				if n, _, f := message.Parse(head, &lim, &back); n != len(head) {
					b.Fatal(f)
				}
			}
		})
		b.Run("op=append/kind="+m.Kind.String(), func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = message.Append(dst[:0], &m)
			}
		})
	}
}
