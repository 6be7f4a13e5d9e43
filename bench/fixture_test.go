package bench

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// app is the application part of a real client's key. See docs/protocol.md §3.8.
const app = "/LM/W3SVC/1/ROOT(cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=)/"

const idAlphabet = "abcdefghijklmnopqrstuvwxyz012345"

// appendKey appends the key of session i: 24 characters of id, as ASP.NET makes them.
func appendKey(dst []byte, i int) []byte {
	dst = append(dst, app...)
	x := uint64(i) * 0x9e3779b97f4a7c15
	for n := range 24 {
		if n == 12 {
			x = uint64(i) ^ 0xbf58476d1ce4e5b9
		}
		dst = append(dst, idAlphabet[x&31])
		x >>= 5
	}
	return dst
}

// taker is a caller that copies the content, as a connection does.
type taker struct{ buf []byte }

func (c *taker) Park(*engine.Ticket) { panic("bench: a ticket was parked") }
func (c *taker) Answer(t *engine.Ticket, _ int) bool {
	c.buf = append(c.buf[:0], t.Out.Body...)
	return true
}

// store is an engine filled with sessions, and one request on its way to it.
type store struct {
	*engine.Engine
	t   engine.Ticket
	now engine.Time
	key []byte
}

// newStore makes an engine with n sessions of size bytes.
func newStore(tb testing.TB, n, size int) *store {
	tb.Helper()
	e, err := engine.New(engine.Options{Seed: 1}, engine.Time{})
	if err != nil {
		tb.Fatal(err)
	}
	s := &store{Engine: e}
	s.t.Caller = new(taker)
	body := makeBody(size)
	for i := range n {
		s.use(i)
		binary.LittleEndian.PutUint64(body, uint64(i))
		s.save(body)
	}
	if got := e.Stats().Sessions; got != int64(n) {
		tb.Fatalf("%d sessions, want %d", got, n)
	}
	return s
}

// makeBody returns size bytes that do not compress to nothing. size is at least 8.
func makeBody(size int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(size)))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// use makes session i the one that the following calls are about.
func (s *store) use(i int) {
	s.key = appendKey(s.key[:0], i)
	s.t.Key, s.t.Hash = s.key, s.Hash(s.key)
}

func (s *store) do(op engine.Op) engine.Status {
	s.t.Op = op
	s.Do(s.now, 0, &s.t)
	return s.t.Out.Status
}

func (s *store) save(body []byte) engine.Status {
	s.t.Body, s.t.Minutes = body, 20
	return s.do(engine.Set)
}

// lock acquires, and keeps the cookie for what follows.
func (s *store) lock() engine.Status {
	st := s.do(engine.Acquire)
	s.t.HasCookie, s.t.Cookie = true, s.t.Out.Cookie
	return st
}

// pattern picks the session of the next request.
type pattern struct {
	name string
	next func() int
}

// patterns of access to n sessions: the same one, in a random order that defeats caches, and a skewed one as users' activity is.
func patterns(n int) []pattern {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	z := rand.NewZipf(r, 1.1, 8, uint64(n-1))
	return []pattern{
		{"same", func() int { return 0 }},
		{"random", func() int { return r.IntN(n) }},
		{"zipf", func() int { return int(z.Uint64()) }},
	}
}

// putHead is the header block of a real client's save of size bytes.
func putHead(size int) []byte {
	return wire.AppendRequest(nil, &wire.Request{
		Verb: wire.Put, Target: wire.AppendTarget(nil, appendKey(nil, 1)), ContentLength: size, Timeout: 20, HasCookie: true, Cookie: 2,
	})
}

func getHead(x wire.Exclusive) []byte {
	return wire.AppendRequest(nil, &wire.Request{Verb: wire.Get, Target: wire.AppendTarget(nil, appendKey(nil, 1)), Exclusive: x, Timeout: 20})
}

func must(tb testing.TB, got, want engine.Status) {
	if got != want {
		tb.Helper()
		tb.Fatalf("status %v, want %v", got, want)
	}
}

func sizeName(n int) string {
	if n >= 1<<10 {
		return fmt.Sprintf("%dKB", n>>10)
	}
	return fmt.Sprintf("%dB", n)
}

const second = int64(time.Second)
