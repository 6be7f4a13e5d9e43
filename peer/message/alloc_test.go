//go:build !race

package message_test

import (
	"testing"

	"github.com/farmstate/farmstate/peer/message"
)

// TestAllocations: what is read allocates its texts and nothing else, what is written nothing.
func TestAllocations(t *testing.T) {
	want := map[message.Kind]float64{
		message.Hello: 2, message.Ping: 2, message.Query: 3, message.Transfer: 3, // address, program, key, spelling, lists
		message.NotHere: 2, message.Around: 1,
		message.Held: 1, message.Refused: 1, message.Commit: 1, message.Abort: 1, // the key
		message.Copy: 1, message.Copied: 1, message.Claim: 2, message.Ceded: 1, // the key, an address, a list
	}
	var (
		m   message.Message
		buf = make([]byte, 0, 1024)
	)
	for _, g := range goldens {
		in := []byte(g.head)
		if n := testing.AllocsPerRun(100, func() { message.Parse(in, &usual, &m) }); n > want[g.m.Kind] {
			t.Errorf("Parse %s allocates %v times, want %v", g.name, n, want[g.m.Kind])
		}
		if n := testing.AllocsPerRun(100, func() { buf = message.Append(buf[:0], &g.m) }); n != 0 {
			t.Errorf("Append %s allocates %v times", g.name, n)
		}
		if n := testing.AllocsPerRun(100, func() { message.Parse(in[:len(in)-1], &usual, &m) }); n != 0 {
			t.Errorf("Parse of an unfinished %s allocates %v times", g.name, n)
		}
	}
	whole := find("transfer").m
	for _, offset := range []int64{0, 3} {
		if n := testing.AllocsPerRun(100, func() { buf = message.AppendPiece(buf[:0], &whole, offset, 2) }); n != 0 {
			t.Errorf("AppendPiece at %d allocates %v times", offset, n)
		}
	}
}
