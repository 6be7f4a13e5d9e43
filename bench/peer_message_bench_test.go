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

// copyMessages are what is told of a save, of a grant or a release, and of a removal; and their acknowledgement.
func copyMessages() []message.Message {
	var (
		key    = string(appendKey(nil, 1))
		stream = message.ID{1, 2, 3}
		saved  = engine.Parcel{Minutes: 20, Left: int64(20 * time.Minute), Version: 3, Cookie: 7, Locked: true, LockAge: int64(time.Second)}
		all    = []message.Message{
			{Kind: message.Copy, Stream: stream, Update: 123456, Heard: 123450, Change: message.Content, Key: key, Gen: 1, Parcel: saved},
			{Kind: message.Copy, Stream: stream, Update: 123456, Heard: 123450, Change: message.State, Key: key, Gen: 1, Parcel: saved},
			{Kind: message.Copy, Stream: stream, Update: 123456, Heard: 123450, Change: message.Drop, Key: key, Gen: 1},
			{Kind: message.Copied, Stream: stream, Update: 123456},
		}
	)
	all[0].Parcel.Body = makeBody(1 << 10)
	return all
}

// copyName tells the messages of copyMessages apart.
func copyName(m *message.Message) string {
	if m.Kind == message.Copy {
		return m.Change.String()
	}
	return m.Kind.String()
}

// BenchmarkAppendCopy answers what it costs to write an update of a copy, without its body: one is sent for each save.
func BenchmarkAppendCopy(b *testing.B) {
	for _, m := range copyMessages() {
		b.Run("change="+copyName(&m), func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = message.Append(dst[:0], &m)
			}
			b.ReportMetric(float64(len(dst)), "B/head")
		})
	}
}

// BenchmarkParseCopy answers what it costs to read one.
func BenchmarkParseCopy(b *testing.B) {
	lim := message.Limits{MaxHead: message.MaxHead, MaxBody: 64 << 20}
	for _, m := range copyMessages() {
		head := message.Append(nil, &m)
		b.Run("change="+copyName(&m), func(b *testing.B) {
			b.ReportAllocs()
			var back message.Message
			for b.Loop() {
				if n, _, f := message.Parse(head, &lim, &back); n != len(head) {
					b.Fatal(f)
				}
			}
		})
	}
}
