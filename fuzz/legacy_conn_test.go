package fuzz

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farmstate/farmstate/peer/legacy"
)

// legacyNode answers what comes, by turns.
type legacyNode struct{ turn atomic.Int32 }

func (n *legacyNode) OriginalUp(int)                  {}
func (n *legacyNode) OriginalDown(int)                {}
func (n *legacyNode) OriginalQuery(int, legacy.Query) {}
func (n *legacyNode) OriginalTransfer(_ int, _ legacy.Transfer, answer func(legacy.Verdict)) {
	answer(legacy.Verdict(n.turn.Add(1) % 4))
}

// legacyConn is the node's end of a connection on which an original has said all that it has to say.
type legacyConn struct {
	in     *legacyCuts
	out    bytes.Buffer // the writer's until closed
	closed chan struct{}
	once   atomic.Bool
}

func (c *legacyConn) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if err != nil {
		return 0, io.EOF
	}
	return n, nil
}

func (c *legacyConn) Write(p []byte) (int, error) {
	if c.once.Load() {
		return 0, net.ErrClosed
	}
	return c.out.Write(p)
}

func (c *legacyConn) Close() error {
	if c.once.CompareAndSwap(false, true) {
		close(c.closed)
	}
	return nil
}

func (c *legacyConn) LocalAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 42425}
}
func (c *legacyConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 5000}
}
func (c *legacyConn) SetDeadline(time.Time) error      { return nil }
func (c *legacyConn) SetReadDeadline(time.Time) error  { return nil }
func (c *legacyConn) SetWriteDeadline(time.Time) error { return nil }

// FuzzLegacyConn checks that whatever comes on the peer port from the address of an original, the connection ends when the stream does, the memory
// that was reserved for bodies is given back, nothing is left over when the node stops, and what was answered are messages that we can read.
func FuzzLegacyConn(f *testing.F) {
	var all string
	for _, m := range legacyMessages() {
		f.Add([]byte(m), []byte{3}, uint8(0))
		all += m
	}
	for mode := range uint8(8) {
		f.Add([]byte(all), []byte{255, 0}, mode)
	}
	f.Fuzz(func(t *testing.T, in, cuts []byte, mode uint8) {
		var reserved atomic.Int64
		none := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody is there") }
		n, err := legacy.New(legacy.Options{
			Peers: []legacy.Peer{{Addr: "10.0.0.9:42425", Authenticate: mode&1 != 0, Encrypt: mode&2 != 0, Password: "Cello"}},
			Dial:  none, MachineName: "vm", MaxBody: 1 << 12,
			Reserve:   func(n int) bool { reserved.Add(int64(n)); return true },
			Unreserve: func(n int) { reserved.Add(-int64(n)) },
		}, new(legacyNode))
		if err != nil {
			t.Fatal(err)
		}
		c := &legacyConn{in: &legacyCuts{in: in, cuts: cuts}, closed: make(chan struct{})}
		n.Accept(c, in[:0])
		select {
		case <-c.closed:
		case <-time.After(10 * time.Second):
			t.Fatal("the stream has ended, and the connection stays")
		}
		n.Close()
		if r := reserved.Load(); r != 0 {
			t.Fatalf("%d bytes are still reserved", r)
		}
		if heads, _, err := readLegacy(t, c.out.Bytes(), nil); !errors.Is(err, errLegacyEnd) {
			t.Fatalf("answered %q: %d messages, then %v", c.out.Bytes(), len(heads), err)
		}
		if st := n.Stats(); st.Connections != 0 || st.Deliveries != 0 {
			t.Fatalf("%+v", st)
		}
	})
}
