package netpoll

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// talk is a sequence of requests with a key of its own. It leaves no session behind, so it can be played again, and none of its answers shows a time.
func talk(key string, body int) (requests []byte, answers int) {
	content := pattern(key, body)
	for _, r := range [][]byte{
		putReq(key, content),
		getReq(key),
		acquireReq(key),
		append(longGet("/other", 5), "GET /"...), // a body that looks like a request
		saveReq(key, 2, pattern(key+"+", body)),
		headReq(key),
		getReq(key),
		acquireReq(key),
		releaseReq(key, 3),
		[]byte("GET " + key + " HTTP/1.0\r\ncontent-length:\t0 \r\nEXCLUSIVE: Release\r\nLockCookie: +0000000000000000000003\r\n\r\n"),
		deleteReq(key),
		getReq(key),
	} {
		requests = append(requests, r...)
		answers++
	}
	return requests, answers
}

// TestTalkCutAnywhere delivers a talk in one, two and three pieces to the code that all transports share, the first cut being at every place: the
// answers are the same bytes. See docs/protocol.md §2.4.
func TestTalkCutAnywhere(t *testing.T) {
	s, _ := fakeServer(t, Options{}, engine.Options{})
	play := func(pieces ...[]byte) []byte {
		_, f := fakeConn(t, s, newLane(s, 0))
		for _, p := range pieces {
			f.handle(bytes.Clone(p))
		}
		f.close()
		return f.out
	}
	requests, answers := talk("/a", 20)
	want := play(requests)
	if n := bytes.Count(want, []byte("Cache-Control")); n != answers {
		t.Fatalf("%d answers, want %d: %q", n, answers, want)
	}
	const step = 13
	for i := 0; i <= len(requests); i++ {
		for j := i; j <= len(requests); j += step {
			if got := play(requests[:i], requests[i:j], requests[j:]); !bytes.Equal(got, want) {
				t.Fatalf("cut at %d and %d: %q, want %q", i, j, got, want)
			}
		}
	}
}

// TestTalkInSegments does the same over sockets: byte by byte, cut in two everywhere, and cut at random.
func TestTalkInSegments(t *testing.T) {
	parallel(t)
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport, Loops: 1}, engine.Options{})
		ping := dial(t, s)
		// deliver sends the pieces as segments of their own, as far as TCP lets one say so: on an event loop the other connection's answer shows
		// that the piece before has been looked at.
		deliver := func(pieces [][]byte, want []byte) {
			t.Helper()
			c, err := connect(s)
			check(t, err)
			defer c.close()
			for i, p := range pieces {
				if i > 0 && len(pieces) < 5 {
					_, err := ping.do(getReq("/ping"))
					check(t, err)
				}
				check(t, c.send(p))
			}
			if got := c.read(t, len(want)); !bytes.Equal(got, want) {
				t.Fatalf("cut into pieces of %v bytes: %q, want %q", lengths(pieces), clip(got), clip(want))
			}
		}
		requests, answers := talk("/a", 20)
		want := record(t, s, requests, answers)
		deliver(slices.Collect(slices.Chunk(requests, 1)), want)
		for i := 1; i < len(requests); i++ {
			deliver([][]byte{requests[:i], requests[i:]}, want)
		}

		rnd := random(t)
		for round := range 150 {
			body := []int{1, 100, 4000, wholeBody - 1, wholeBody, wholeBody + 1, 300 << 10}[rnd.IntN(7)]
			requests, answers := talk(fmt.Sprintf("/r%d", round), body)
			want := record(t, s, requests, answers)
			var pieces [][]byte
			for rest := requests; len(rest) > 0; {
				n := min(len(rest), 1+rnd.IntN(1<<rnd.IntN(18)))
				pieces = append(pieces, rest[:n])
				rest = rest[n:]
			}
			deliver(pieces, want)
		}
		if st := e.Stats(); st.Sessions != 0 {
			t.Errorf("%d sessions are left", st.Sessions)
		}
	})
}

// record plays requests in one piece and returns the bytes of the answers.
func record(t *testing.T, s *Server, requests []byte, answers int) []byte {
	t.Helper()
	c, err := connect(s)
	check(t, err)
	defer c.close()
	var all bytes.Buffer
	c.tee = &all
	check(t, c.send(requests))
	for range answers {
		_, err := c.answer()
		check(t, err)
	}
	if len(c.buf) > 0 {
		t.Fatalf("%q behind the last answer", clip(c.buf))
	}
	return all.Bytes()
}

// read reads n bytes.
func (c *client) read(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	_ = c.nc.SetReadDeadline(time.Now().Add(patience))
	if got, err := io.ReadFull(c.nc, b); err != nil {
		t.Fatalf("%v after %d of %d bytes", err, got, n)
	}
	return b
}

func lengths(pieces [][]byte) []int {
	var n []int
	for _, p := range pieces[:min(len(pieces), 20)] {
		n = append(n, len(p))
	}
	return n
}
