package fuzz

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/link"
	"github.com/farmstate/farmstate/peer/message"
)

// linkPatience is how long a link may take for what it has to do at once.
const linkPatience = 10 * time.Second

// linkNode is a node that notes what does not belong to it, and answers queries.
type linkNode struct {
	*link.Net
	id       message.Node
	reserved atomic.Int64
	answers  chan message.ID

	mu    sync.Mutex
	known map[message.Node]bool // who may be heard
	wrong string
}

func startLinkNode(f *testing.F, id byte, security link.Security, peers ...string) *linkNode {
	n := &linkNode{id: message.Node{id}, answers: make(chan message.ID, 16), known: map[message.Node]bool{}}
	net, err := link.Listen(link.Options{
		Listen: "127.0.0.1:0", Peers: peers, Node: n.id, Security: security, MaxBody: 1 << 20,
		Reserve: func(b int) bool {
			if n.reserved.Add(int64(b)) <= 4<<20 {
				return true
			}
			n.reserved.Add(int64(-b))
			return false
		},
		Unreserve: func(b int) { n.reserved.Add(int64(-b)) },
	}, n)
	if err != nil {
		f.Fatal(err)
	}
	n.Net = net
	f.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), linkPatience)
		defer cancel()
		if err := net.Close(ctx); err != nil {
			f.Error(err)
		}
	})
	return n
}

func (n *linkNode) note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wrong == "" {
		n.wrong = fmt.Sprintf(format, args...)
	}
}

func (n *linkNode) LinkUp(id message.Node, _ string, _ message.Purpose) { n.hear(id) }
func (n *linkNode) LinkDown(id message.Node, _ message.Purpose)         { n.hear(id) }
func (n *linkNode) Gone(id message.Node, _ string)                      { n.note("%x is gone", id) }
func (n *linkNode) Unreachable(id message.Node, _ string)               { n.note("%x is unreachable", id) }

func (n *linkNode) hear(id message.Node) {
	n.mu.Lock()
	known := n.known[id]
	n.mu.Unlock()
	if !known {
		n.note("something was said in the name of %x", id)
	}
}

func (n *linkNode) know(id message.Node, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[id] = known
}

func (n *linkNode) Messages(from message.Node, batch []*message.Message) {
	n.hear(from)
	for _, m := range batch {
		switch {
		case m.Kind == message.Part, m.Kind == message.Hello && m.Node != from, m.Total != 0:
			n.note("a message that is the links' own business: %+v", m)
		case m.Kind == message.Transfer && (len(m.Parcel.Body) == 0) != m.NoRoom:
			n.note("%d bytes, no room: %v", len(m.Parcel.Body), m.NoRoom)
		case m.Kind == message.Query:
			n.Send(from, "", &message.Message{Kind: message.NotHere, ID: m.ID})
		case m.Kind == message.NotHere:
			select {
			case n.answers <- m.ID:
			default:
			}
		}
	}
}

func linkEventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(100 * time.Microsecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(linkPatience); !ok(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// FuzzPeerLink: whatever a stranger sends to the peer port, or a node that has introduced itself, and however it is cut: another node's link goes on, nothing is heard in
// anybody else's name, and when the connection has ended no memory is kept for it. A stranger that does not introduce itself is not heard at all.
//
// way%3 is 0 for a stranger where links are encrypted, 1 for one where they are plain, 2 for a node. cut is the length of the pieces.
func FuzzPeerLink(f *testing.F) {
	encrypted := link.Security{Secret: []byte("a secret for fuzzing")}
	plain := link.Security{Plain: true}
	var victims, honest [2]*linkNode
	for i, security := range []link.Security{encrypted, plain} {
		victims[i] = startLinkNode(f, byte(0xe0+i), security)
		victims[i].know(message.Node{byte(0xf0 + i)}, true)
		honest[i] = startLinkNode(f, byte(0xf0+i), security, victims[i].Addr().String())
		honest[i].know(victims[i].id, true)
		linkEventually(f, "the honest node is linked", func() bool { return victims[i].Stats().Links == 1 && honest[i].Stats().Links == 1 })
	}
	evil := message.Node{0x66}
	hello := message.Append(nil, &message.Message{Kind: message.Hello, Node: evil, Protocol: 1, Purpose: message.Neighbour})
	for _, seed := range linkSeeds(hello) {
		for way := range byte(3) {
			f.Add(seed, way, uint16(len(seed)/2))
		}
	}
	round := byte(0)
	f.Fuzz(func(t *testing.T, in []byte, way byte, cut uint16) {
		i := min(1, way%3)
		victim, good := victims[i], honest[i]
		mayIntroduce := way%3 == 2
		if way%3 == 1 { // it may happen to introduce itself, as anybody
			var m message.Message
			_, _, fault := message.Parse(in, &message.Limits{MaxHead: 4 << 10, MaxBody: 1 << 30}, &m)
			if fault == message.OK && m.Kind == message.Hello {
				evil, mayIntroduce = m.Node, m.Node != victim.id && m.Node != good.id
			}
			if m.Node == victim.id || m.Node == good.id {
				t.Skip("plain links believe what a name says")
			}
		} else {
			evil = message.Node{0x66}
		}
		victim.know(evil, mayIntroduce)
		before := victim.Stats()
		nc, err := net.Dial("tcp", victim.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(linkPatience))
		if way%3 == 2 {
			in = append(bytes.Clone(hello), in...)
		}
		for piece := int(cut) + 1; len(in) > 0; {
			n := min(piece, len(in))
			if _, err := nc.Write(in[:n]); err != nil {
				break // it has had enough
			}
			in = in[n:]
		}
		round++
		id := message.ID{0: round, 15: 1}
		if drop := good.Send(victim.id, "", &message.Message{Kind: message.Query, ID: id, Key: "/x", Node: good.id}); drop != link.Queued {
			t.Fatalf("the honest node: %v", drop)
		}
		timeout := time.After(linkPatience)
		for answered := false; !answered; {
			select {
			case got := <-good.answers:
				answered = got == id
			case <-timeout:
				t.Fatal("the honest node gets no answer")
			}
		}
		_ = nc.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the connection is not closed")
		}
		linkEventually(t, "the connection has ended", func() bool {
			s := victim.Stats()
			return s.Handshakes == 0 && s.Links == 1 && s.Accepted == before.Accepted+1
		})
		if s := victim.Stats(); victim.reserved.Load() != 0 || s.Assemblies != 0 || s.AssemblyBytes != 0 || s.Dialled != before.Dialled {
			t.Errorf("%d bytes reserved, %+v", victim.reserved.Load(), s)
		}
		for _, n := range []*linkNode{victim, good} {
			n.mu.Lock()
			if n.wrong != "" {
				t.Error(n.wrong)
			}
			n.mu.Unlock()
		}
	})
}

// linkSeeds are what peers and strangers may send.
func linkSeeds(hello []byte) [][]byte {
	move := &message.Message{
		Kind: message.Transfer, ID: message.ID{1}, Key: "/x", Node: message.Node{0x66}, Gen: 1,
		Parcel: engine.Parcel{Key: "/x", Body: bytes.Repeat([]byte("b"), 100), Minutes: 20, Cookie: 1},
	}
	update := &message.Message{
		Kind: message.Copy, ID: message.ID{4}, Stream: message.ID{5}, Update: 1, Change: message.Content, Key: "/x", Gen: 1, Parcel: move.Parcel,
	}
	pieceOf := func(m *message.Message, offset, n int64) []byte {
		return append(message.AppendPiece(nil, m, offset, n), m.Parcel.Body[offset:offset+n]...)
	}
	piece := func(offset, n int64) []byte { return pieceOf(move, offset, n) }
	copied := func(offset, n int64) []byte { return pieceOf(update, offset, n) }
	ping := message.Append(nil, &message.Message{Kind: message.Ping})
	query := message.Append(nil, &message.Message{Kind: message.Query, ID: message.ID{2}, Key: "/y", Node: message.Node{0x66}})
	huge := &message.Message{Kind: message.Transfer, ID: message.ID{3}, Key: "/z", Node: message.Node{0x66}, Parcel: engine.Parcel{Body: make([]byte, 1<<20), Cookie: 1}}
	return [][]byte{
		nil, hello, append(bytes.Clone(hello), ping...), append(bytes.Clone(ping), query...),
		bytes.Join([][]byte{piece(0, 100), ping, piece(0, 10), query, piece(10, 50), piece(60, 40)}, nil),
		bytes.Join([][]byte{copied(0, 100), copied(0, 10), piece(0, 10), copied(10, 90), piece(10, 90)}, nil),
		bytes.Join([][]byte{piece(0, 10), piece(11, 10)}, nil), bytes.Join([][]byte{piece(0, 10), piece(0, 10)}, nil),
		bytes.Join([][]byte{message.AppendPiece(nil, huge, 0, 1000), make([]byte, 500)}, nil),
		[]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), []byte("GET \\PING HTTP/1.1\r\nHost: x\r\n\r\n"), []byte("GET / HTTP/1.1\r\n\r\n"),
	}
}
