package fuzz

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/engine"
)

// FuzzConn sends any bytes, cut into any pieces, over a connection that ends in any way. The server must give as many answers as the bytes ask for
// when they are read in one piece, and end the connection where it must; an honest client's session stays as it was, and is answered in between; and when
// the sessions that the bytes have stored are removed, nothing is left in the memory account.
//
// The first byte of how chooses transport and end, the others are the lengths of the pieces.
func FuzzConn(f *testing.F) {
	var servers []*connServer
	for _, transport := range connTransports {
		if s := startConn(f, transport, engine.Options{MaxMemory: 16 << 20}); s != nil {
			servers = append(servers, s)
		}
	}
	all := strings.Join(GoodHeads()[:9], "")
	f.Add([]byte(all), []byte{0})
	f.Add([]byte(all), []byte{1, 0})
	f.Add([]byte(all+all+"PUT /x HTTP/1.1\r\nContent-Length: 100000\r\n\r\nabc"), []byte{2, 200, 1, 3})
	for i, s := range append(GoodHeads(), BadHeads()...) {
		f.Add([]byte(s), []byte{byte(i), byte(i * 7)})
	}
	f.Fuzz(func(t *testing.T, in, how []byte) {
		way := byte(0)
		if len(how) > 0 {
			way, how = how[0], how[1:]
		}
		s := servers[int(way)%len(servers)]
		c, err := s.dial(1)
		if err != nil {
			t.Fatal(err)
		}
		defer c.reset()
		state := []byte("as it was")
		want := readStream(in)
		sent := make(chan error, 1)
		go func() { sent <- send(c, in, how) }()
		for i := range want.answers {
			if _, _, err := c.answer(); err != nil {
				t.Fatalf("answer %d of %d: %v", i+1, want.answers, err)
			}
			if i == want.answers/2 {
				if err := s.honest.page(s.key, state, state); err != nil {
					t.Fatalf("the honest client: %v", err)
				}
			}
		}
		if err := <-sent; err != nil && !want.ends {
			t.Fatal(err)
		}
		switch way / 2 % 3 {
		case 0:
			c.reset()
		case 1:
			c.close()
		case 2:
			if !want.ends {
				_ = c.nc.CloseWrite()
			}
			if err := c.ended(); err != nil {
				t.Fatalf("after %d answers: %v", want.answers, err)
			}
			c.close()
		}
		s.alone(t)
		if err := s.honest.page(s.key, state, state); err != nil {
			t.Fatalf("the honest client: %v", err)
		}
		s.forget(t, want.keys)
	})
}

// send sends in pieces of these lengths plus one, over and over.
func send(c *connClient, in, lengths []byte) error {
	if len(lengths) == 0 {
		lengths = []byte{255}
	}
	for i := 0; len(in) > 0; i++ {
		n := min(len(in), 1+int(lengths[i%len(lengths)]))
		if n == 256 {
			n = len(in)
		}
		if _, err := c.nc.Write(in[:n]); err != nil {
			return fmt.Errorf("sending: %w", err)
		}
		in = in[n:]
	}
	return nil
}
