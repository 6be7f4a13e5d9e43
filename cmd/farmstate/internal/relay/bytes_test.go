package relay

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// oneServer listens, and hands out one connection after the other.
func oneServer(t *testing.T) (addr string, conn func() *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String(), func() *net.TCPConn {
		t.Helper()
		_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		return c.(*net.TCPConn)
	}
}

// someBytes are requests, answers and what is neither, in a random order.
func someBytes(rnd *rand.Rand, d Direction) []byte {
	var b []byte
	for range rnd.IntN(20) {
		body := make([]byte, rnd.IntN(1<<rnd.IntN(16)))
		for i := range body {
			body[i] = byte(rnd.Uint32())
		}
		length := strconv.Itoa(len(body))
		switch {
		case rnd.IntN(30) == 0:
			b = append(b, body...) // nothing is understood from here on
		case d == Answers:
			b = append(b, "200 OK\r\nX-Odd:   spaces \r\nlockcookie: 007\r\nContent-Length: "+length+"\r\n\r\n"...)
			b = append(b, body...)
		case len(body) == 0 || rnd.IntN(2) == 0:
			b = append(b, acquire(strconv.Itoa(rnd.IntN(1000)))...)
		default:
			b = append(b, "PUT a%2fb HTTP/1.0\r\ncontent-length:"+length+"\r\n\r\n"...)
			b = append(b, body...)
		}
	}
	if rnd.IntN(3) == 0 {
		b = append(b, map[Direction]string{Requests: "GET unfinis", Answers: "200 OK\r\nUnfin"}[d]...)
	}
	return b
}

// sendPieces writes b in random pieces and ends the stream.
func sendPieces(c *net.TCPConn, b []byte, seed uint64) error {
	rnd := rand.New(rand.NewPCG(seed, 1))
	for len(b) > 0 {
		n := min(len(b), 1+rnd.IntN(1<<rnd.IntN(14)))
		if _, err := c.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return c.CloseWrite()
}

// TestBytes: whatever is sent, in whatever pieces, is what arrives, both ways, and each side may end before the other.
func TestBytes(t *testing.T) {
	t.Parallel()
	rnd := random(t)
	for _, opt := range []Options{
		{},
		{Rules: []*Rule{mustRule(t, "drop-header=No-Such-Header"), mustRule(t, "answer:drop-header=No-Such-Header")}},
	} {
		for range 30 {
			addr, conn := oneServer(t)
			_, rec := recording(t)
			opt.Recorder = rec
			opt.Display = NewDisplay(io.Discard, DisplayOptions{Whole: true, Bytes: true})
			r := start(t, opt, addr)
			requests := append([]byte(get("first")), someBytes(rnd, Requests)...)
			answers := someBytes(rnd, Answers)
			c := dial(t, r.addr)
			var all sync.WaitGroup
			check := func(err error) {
				if err != nil {
					t.Error(err)
				}
			}
			one, two := rnd.Uint64(), rnd.Uint64()
			all.Go(func() { check(sendPieces(c.TCPConn, requests, one)) })
			s := conn()
			all.Go(func() { check(sendPieces(s, answers, two)) })
			var gotRequests, gotAnswers []byte
			var rerr, aerr error
			all.Go(func() { gotRequests, rerr = io.ReadAll(s) })
			all.Go(func() { gotAnswers, aerr = io.ReadAll(c) })
			all.Wait()
			check(rerr)
			check(aerr)
			if !bytes.Equal(gotRequests, requests) {
				t.Errorf("%d bytes of requests became %d, other ones from byte %d", len(requests), len(gotRequests), firstDifference(requests, gotRequests))
			}
			if !bytes.Equal(gotAnswers, answers) {
				t.Errorf("%d bytes of answers became %d, other ones from byte %d", len(answers), len(gotAnswers), firstDifference(answers, gotAnswers))
			}
			if err := r.end(); err != nil || t.Failed() {
				t.Fatal(err)
			}
		}
	}
}

// TestNotHeldBack: bytes go on before the message that they belong to is whole.
func TestNotHeldBack(t *testing.T) {
	t.Parallel()
	addr, conn := oneServer(t)
	c := dial(t, start(t, Options{}, addr).addr)
	c.send("PU")
	s := conn()
	piece := func(from io.Reader, want string) {
		t.Helper()
		b := make([]byte, len(want))
		if _, err := io.ReadFull(from, b); err != nil || string(b) != want {
			t.Errorf("%q, %v; want %q", b, err, want)
		}
	}
	piece(s, "PU")
	c.send("T a HTTP/1.1\r\nContent-Length: 3\r\n\r\nx")
	piece(s, "T a HTTP/1.1\r\nContent-Length: 3\r\n\r\nx")
	_, _ = io.WriteString(s, "200 O")
	piece(c, "200 O")
	_, _ = io.WriteString(s, "K\r\nContent-Length: 2\r\n\r\nx")
	piece(c, "K\r\nContent-Length: 2\r\n\r\nx")
}

// TestHalfClose: a server that has ended its side is still told what the client says, and the other way round.
func TestHalfClose(t *testing.T) {
	t.Parallel()
	for _, clientFirst := range []bool{false, true} {
		addr, conn := oneServer(t)
		c := dial(t, start(t, Options{}, addr).addr)
		c.send(get(plainID))
		s := conn()
		first, second := s, c.TCPConn
		if clientFirst {
			first, second = second, first
		}
		_ = first.CloseWrite()
		if b, err := io.ReadAll(second); err != nil || clientFirst && string(b) != get(plainID) {
			t.Errorf("%q, %v", b, err)
		}
		_, _ = io.WriteString(second, "later")
		_ = second.CloseWrite()
		if b, err := io.ReadAll(first); err != nil || !strings.HasSuffix(string(b), "later") {
			t.Errorf("%q, %v", b, err)
		}
	}
}

// TestReset: a side that is reset resets the other.
func TestReset(t *testing.T) {
	t.Parallel()
	addr, conn := oneServer(t)
	c := dial(t, start(t, Options{}, addr).addr)
	c.send(get(plainID))
	s := conn()
	if _, err := io.ReadFull(s, make([]byte, len(get(plainID)))); err != nil { // the relay is connected
		t.Fatal(err)
	}
	_ = s.SetLinger(0)
	_ = s.Close()
	if _, err := c.in.ReadByte(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}
