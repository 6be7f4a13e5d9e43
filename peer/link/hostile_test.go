package link

import (
	"context"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// hostile is a peer that has the secret, and sends what it likes.
type hostile struct {
	net.Conn
	raw  *net.TCPConn
	node message.Node
}

// connect makes a link of a hostile peer to p.
func connect(t testing.TB, p *peer, purpose message.Purpose) *hostile {
	t.Helper()
	h := &hostile{raw: stranger(t, p.addr()), node: newNode()}
	conn, _, err := p.guard.dial(context.Background(), h.raw)
	check(t, err)
	h.Conn = conn
	h.send(t, h.hello(purpose))
	eventually(t, "the hostile peer is linked", func() bool { return p.count("up "+shortNode(h.node)+" "+purpose.String()) == 1 })
	return h
}

func (h *hostile) hello(purpose message.Purpose) string {
	return string(message.Append(nil, &message.Message{Kind: message.Hello, Node: h.node, Protocol: 1, Purpose: purpose, Free: -1}))
}

func (h *hostile) send(t testing.TB, b string) {
	t.Helper()
	_, err := h.Write([]byte(b))
	check(t, err)
}

var zeros = make([]byte, 4<<20)

// piece is one piece of a transfer of so many bytes, with its bytes.
func (h *hostile) piece(n, total, offset, length int) string {
	m := transfer(h.node, n, zeros[:total])
	return string(message.AppendPiece(nil, m, int64(offset), int64(length))) + strings.Repeat("b", length)
}

// TestHostile: each thing that a node may not do ends its link, with its own reason, and nothing else.
func TestHostile(t *testing.T) {
	p := start(t, Options{MaxBody: 1 << 20})
	honest := start(t, Options{Peers: []string{p.addr()}})
	eventually(t, "an honest node is linked", func() bool { return honest.Stats().Links == 1 })
	for _, v := range []struct {
		name string
		send func(h *hostile) string
		want CloseReason
	}{
		{"garbage", func(*hostile) string { return "\x00" }, CloseMalformed},
		{"a browser", func(*hostile) string { return "OPTIONS * HTTP/1.1\r\n\r\n" }, CloseMalformed},
		{"an endless head", func(*hostile) string { return "GET \\PING HTTP/1.1\r\nX: " + strings.Repeat("x", message.MaxHead+1) }, CloseMalformed},
		{"a second hello", func(h *hostile) string { return h.hello(message.Neighbour) }, CloseSecondHello},
		{"another's hello", func(h *hostile) string { return (&hostile{node: newNode()}).hello(message.Neighbour) }, CloseSecondHello},
		{"a large piece", func(h *hostile) string { return h.piece(1, 3<<20, 0, 2<<20)[:1000] }, CloseMalformed},
		{"a gap", func(h *hostile) string { return h.piece(1, 1000, 0, 10) + h.piece(1, 1000, 11, 10) }, CloseBadPart},
		{"a repetition", func(h *hostile) string {
			return h.piece(1, 1000, 0, 10) + h.piece(1, 1000, 10, 10) + h.piece(1, 1000, 10, 10)
		}, CloseBadPart},
		{"a part too long", func(h *hostile) string { return h.piece(1, 1000, 0, 10) + h.piece(1, 1000, 10, 991) }, CloseBadPart},
		{"a move twice", func(h *hostile) string { return h.piece(1, 1000, 0, 10) + h.piece(1, 1000, 0, 10) }, CloseBadPart},
	} {
		t.Run(v.name, func(t *testing.T) {
			h := connect(t, p, message.Neighbour)
			before := p.Stats().Closes[v.want]
			_, _ = h.Write([]byte(v.send(h))) // it may be closed before all is sent
			eventually(t, v.want.String(), func() bool { return p.Stats().Closes[v.want] == before+1 })
			eventually(t, "its link has ended", func() bool { return p.count("down "+shortNode(h.node)+" neighbour") == 1 })
		})
	}
	if s := p.Stats(); s.Assemblies != 0 || s.AssemblyBytes != 0 || s.Links != 1 {
		t.Errorf("%+v", s)
	}
	if honest.count("down "+p.id()+" neighbour") != 0 {
		t.Error(honest.all())
	}
}

// account is memory with an end.
type account struct{ left atomic.Int64 }

func (a *account) reserve(n int) bool {
	if a.left.Add(int64(-n)) >= 0 {
		return true
	}
	a.left.Add(int64(n))
	return false
}
func (a *account) unreserve(n int) { a.left.Add(int64(n)) }

// TestNoRoom: a body for which there is no memory is skipped, and its message says so; what comes behind it is not disturbed. All memory is given back.
func TestNoRoom(t *testing.T) {
	const memory = 400 << 10
	var mem account
	mem.left.Store(memory)
	p := start(t, Options{MaxBody: 1 << 20, MaxAssemblies: maxActive, Reserve: mem.reserve, Unreserve: mem.unreserve})
	h := connect(t, p, message.Neighbour)
	whole := func(n, size int) string { return h.piece(n, size, 0, size) }
	h.send(t, whole(1, 1000)+whole(2, 500<<10)+whole(3, 1000))
	h.send(t, h.piece(4, 2<<20, 0, 10)+h.piece(4, 2<<20, 10, 10)) // above MaxBody
	h.send(t, h.piece(5, 300<<10, 0, 10)+h.piece(6, 300<<10, 0, 10)+h.piece(6, 300<<10, 10, 10)+whole(7, 10))
	eventually(t, "all but the one that is not complete are there", func() bool { return len(p.got(message.Transfer)) == 6 })
	for i, want := range []struct{ id, size int }{{1, 1000}, {2, 0}, {3, 1000}, {4, 0}, {6, 0}, {7, 10}} {
		m := p.got(message.Transfer)[i]
		if m.ID != id(want.id) || len(m.Parcel.Body) != want.size || m.NoRoom != (want.size == 0) {
			t.Errorf("transfer %d: id %x, %d bytes, no room: %v", i, m.ID, len(m.Parcel.Body), m.NoRoom)
		}
	}
	for n := 20; n < 20+2*maxActive; n++ {
		h.send(t, h.piece(n, 1000, 0, 10))
	}
	eventually(t, "more bodies at a time than may be are refused", func() bool { return len(p.got(message.Transfer)) == 6+maxActive+1 })
	if s := p.Stats(); s.Assemblies != maxActive || s.NoRoom != 3+maxActive+1 {
		t.Errorf("%+v", s)
	}
	eventually(t, "what is complete is given back", func() bool { return mem.left.Load() == memory-300<<10-(maxActive-1)*1000 })
	check(t, h.raw.Close())
	eventually(t, "all is given back", func() bool { return mem.left.Load() == memory && p.Stats().Assemblies == 0 })
}

// TestSlowReader: a peer that does not read costs a bounded amount of memory, and is cut off in the end.
func TestSlowReader(t *testing.T) {
	p := start(t, Options{QueueMessages: 1000, QueueBytes: 4 << 20, PingEvery: 200 * time.Millisecond})
	h := connect(t, p, message.Neighbour)
	stop := make(chan struct{})
	var pings sync.WaitGroup
	pings.Go(func() { // it lives, but it does not read
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				_, _ = h.Write(message.Append(nil, &message.Message{Kind: message.Ping}))
			}
		}
	})
	body, large := randomBody(1000), randomBody(10*PartSize)
	full := func(m *message.Message) {
		t.Helper()
		for n := 0; ; n++ {
			switch drop := p.Send(h.node, "", m); {
			case drop == DropQueueFull:
				return
			case drop != Queued || n > 1e6:
				t.Fatalf("message %d: %v", n, drop)
			}
		}
	}
	full(transfer(p.node, 1, body))
	full(transfer(p.node, 2, large))
	full(notHere(1))
	if s := p.Stats(); s.QueuedBytes > 5<<20 {
		t.Errorf("%d bytes are queued", s.QueuedBytes)
	}
	eventually(t, "it is cut off", func() bool { return p.Stats().Closes[CloseStalled] == 1 })
	close(stop)
	pings.Wait()
	if s := p.Stats(); s.Drops[DropQueueFull] == 0 || s.Drops[DropLinkLost] == 0 || s.QueuedBytes != 0 {
		t.Errorf("%+v", s)
	}
}

// TestTooLarge: what no node takes is not sent.
func TestTooLarge(t *testing.T) {
	a, b := pair(t, Options{}, Options{})
	m := notHere(1)
	m.Key = strings.Repeat("k", message.MaxKey+1)
	if drop := a.Send(b.node, "", m); drop != DropTooLarge {
		t.Errorf("got %v", drop)
	}
}

// TestQueriesPassBodies: a question does not wait for a large body that is on its way. How fast the machine is shows in how long a body takes.
func TestQueriesPassBodies(t *testing.T) {
	if testing.Short() {
		t.Skip("it moves 256 MiB")
	}
	a, b := pair(t, Options{}, Options{})
	answers := make(chan struct{}, 1)
	b.recorder.mu.Lock()
	b.onMsg = func(from message.Node, m *message.Message) {
		if m.Kind == message.Query {
			b.Send(from, "", &message.Message{Kind: message.NotHere, ID: m.ID})
		}
	}
	b.recorder.mu.Unlock()
	a.recorder.mu.Lock()
	a.onMsg = func(_ message.Node, m *message.Message) {
		if m.Kind == message.NotHere {
			answers <- struct{}{}
		}
	}
	a.recorder.mu.Unlock()
	query := &message.Message{Kind: message.Query, ID: id(1), Key: "/x", Node: a.node, Wait: time.Second}
	trip := func() time.Duration {
		began := time.Now()
		if drop := a.Send(b.node, "", query); drop != Queued {
			t.Fatal(drop)
		}
		<-answers
		return time.Since(began)
	}
	quiet := time.Duration(0)
	for range 100 {
		quiet = max(quiet, trip())
	}
	body := make([]byte, 32<<20)
	var worst, sum time.Duration
	trips := 0
	const bodies = 8
	began := time.Now()
	for i := range bodies {
		if drop := a.Send(b.node, "", transfer(a.node, i, body)); drop != Queued {
			t.Fatal(drop)
		}
		for waiting := 1; waiting > 0; {
			d := trip()
			worst, sum, trips = max(worst, d), sum+d, trips+1
			waiting, _ = a.Stats().QueuedMessages, 0
		}
	}
	each, mean := time.Since(began)/bodies, sum/time.Duration(trips)
	t.Logf("worst without: %v; with bodies, of %v each: %d trips, mean %v, worst %v", quiet, each, trips, mean, worst)
	if mean > each/8 || worst > time.Second {
		t.Errorf("a question took %v, at worst %v, while a body took %v", mean, worst, each)
	}
}

// TestCuts: how the bytes of messages are cut makes no difference.
func TestCuts(t *testing.T) {
	p := start(t, Options{})
	h := connect(t, p, message.Neighbour)
	var all strings.Builder
	for i := range 3 {
		all.Write(message.Append(nil, notHere(i)))
		all.WriteString(h.piece(i, 30, 0, 10) + h.piece(i, 30, 10, 1) + h.piece(i, 30, 11, 19) + h.piece(9, 5, 0, 5) + h.piece(10, 5, 1, 1))
	}
	for i := range all.Len() {
		h.send(t, all.String()[i:i+1])
	}
	eventually(t, "all are there", func() bool { return len(p.got(message.Transfer)) == 6 && len(p.got(message.NotHere)) == 3 })
}

// TestEnds: links that end in the middle of everything leave nothing behind.
func TestEnds(t *testing.T) {
	var mem account
	mem.left.Store(1 << 30)
	p := start(t, Options{Reserve: mem.reserve, Unreserve: mem.unreserve})
	var all sync.WaitGroup
	for i := range 20 {
		h := connect(t, p, message.Purpose(1+i%2))
		all.Go(func() {
			for n := range 10 + i {
				p.Send(h.node, "", transfer(p.node, n, make([]byte, n*20000+1)))
				_, _ = h.Write([]byte(h.piece(n, 100000+n, 0, 30000)))
			}
			if i%3 == 0 {
				_ = h.raw.SetLinger(0)
			}
			_ = h.raw.Close()
		})
	}
	all.Wait()
	eventually(t, "all links have ended", func() bool { return p.Stats().Links == 0 })
	if mem.left.Load() != 1<<30 {
		t.Errorf("%d bytes are missing", 1<<30-mem.left.Load())
	}
	if s := p.Stats(); s.Assemblies != 0 || s.AssemblyBytes != 0 || s.QueuedBytes != 0 || s.QueuedMessages != 0 {
		t.Errorf("%+v", s)
	}
}

// TestMemory: a hostile peer that begins as much as it can and completes nothing costs what was reserved for it, and no more.
func TestMemory(t *testing.T) {
	p := start(t, Options{MaxBody: 1 << 20})
	h := connect(t, p, message.Neighbour)
	before := heap()
	for n := range 20000 {
		h.send(t, h.piece(n, 1<<20, 0, 1))
	}
	eventually(t, "all is read", func() bool { return p.Stats().NoRoom == 20000-DefaultMaxAssemblies })
	p.recorder.mu.Lock()
	p.recorder.messages = nil
	p.recorder.mu.Unlock()
	if grown := heap() - before; grown > (DefaultMaxAssemblies+4)<<20 {
		t.Errorf("%d MiB more", grown>>20)
	}
}

func heap() int64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
