package netpoll

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// TestBodySizes stores and reads bodies of all sizes at which something changes, in ways that segments can arrive, over each other and with a
// request right behind them.
func TestBodySizes(t *testing.T) {
	parallel(t)
	const maxBody = 10 << 20
	head := len(putHead("/size", wholeBody))
	window := DefaultMaxHead + wholeBody
	sizes := []int{
		1, 1000, wholeBody - 1, wholeBody, wholeBody + 1, // waited for, or taken in
		window - head - 1, window - head, window - head + 1, // fits what is looked at in one piece
		100 << 10, 1 << 20, maxBody - 1, maxBody,
	}
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport, MaxBody: maxBody}, engine.Options{})
		before := e.Stats().Bytes
		c, ping := dial(t, s), dial(t, s)
		for _, n := range sizes {
			for _, way := range []string{"one piece", "head apart", "last byte apart"} {
				body := pattern(fmt.Sprint(way, n), n)
				request := putReq("/size", body)
				cut := map[string]int{"head apart": len(request) - n, "last byte apart": len(request) - 1}[way]
				check(t, c.send(request[:cut]))
				ask(t, ping, getReq("/ping"), wire.StatusNotFound)
				check(t, c.send(append(request[cut:], getReq("/size")...)))
				expect(t, c, wire.StatusOK)
				if a := expect(t, c, wire.StatusOK); !bytes.Equal(a.body, body) {
					t.Fatalf("%d bytes, %s: another body came back", n, way)
				}
			}
		}
		ask(t, c, deleteReq("/size"), wire.StatusOK)
		if st := e.Stats(); st.Bytes != before || s.Stats().IntakeBytes != 0 {
			t.Errorf("%d bytes stay in the account, %d on their way in", st.Bytes-before, s.Stats().IntakeBytes)
		}
	})
}

// TestBodyTooLarge: one byte more than max_body is refused by its announcement.
func TestBodyTooLarge(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport, MaxBody: 1 << 20}, engine.Options{})
		for _, head := range [][]byte{putHead("/big", 1<<20+1), longGet("/big", 1<<20+1)} {
			c := dial(t, s)
			ask(t, c, head, wire.StatusBadRequest)
			check(t, c.closed())
		}
		if n := s.Stats().Malformed[wire.BodyTooLarge.String()]; n != 2 {
			t.Errorf("%d counted, want 2", n)
		}
		if n := e.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
}

// TestBodySkipped: bodies without a meaning are read and thrown away (§4.7), and what stands behind them is the next request.
func TestBodySkipped(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport}, engine.Options{})
		c := dial(t, s)
		for _, verb := range []wire.Verb{wire.Get, wire.Head, wire.Delete} {
			for _, n := range []int{1, wholeBody, wholeBody + 1, 1 << 20} {
				request := wire.AppendRequest(nil, &wire.Request{Verb: verb, Target: []byte("/skip"), Timeout: 20, ContentLength: n})
				request = append(request, bytes.Repeat([]byte("PUT /x "), n/7+1)[:n]...)
				request = append(request, putReq("/skip", []byte("x"))...)
				request = append(request, deleteReq("/skip")...)
				check(t, c.send(request))
				expect(t, c, wire.StatusNotFound)
				expect(t, c, wire.StatusOK)
				expect(t, c, wire.StatusOK)
			}
		}
		if n := e.Stats().Bytes; n != 0 {
			t.Errorf("%d bytes are in the account", n)
		}
	})
}

// TestZeroLength: Content-Length: 0 means no body, and must not swallow the requests behind it: in gnet, discarding 0 bytes discards everything.
func TestZeroLength(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s, _ := start(t, Options{Transport: transport}, engine.Options{})
		c := dial(t, s)
		var all []byte
		want := []wire.Status{wire.StatusOK}
		all = append(all, putReq("/zero", []byte("x"))...)
		for _, r := range []struct {
			verb string
			want wire.Status
		}{{"GET", wire.StatusOK}, {"HEAD", wire.StatusOK}, {"DELETE", wire.StatusOK}, {"GET", wire.StatusNotFound}, {"HEAD", wire.StatusNotFound}} {
			all = fmt.Appendf(all, "%s /zero HTTP/1.1\r\nContent-Length: 0\r\nTimeout: 0\r\nLockCookie: 0\r\n\r\n", r.verb)
			want = append(want, r.want)
		}
		for range 3 {
			check(t, c.send(all))
			for _, w := range want {
				expect(t, c, w)
			}
		}
		check(t, c.send(append([]byte("PUT /zero HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), getReq("/zero")...)))
		expect(t, c, wire.StatusBadRequest)
		check(t, c.closed())
	})
}

// TestBodyCutOff: a save whose body does not arrive to its end has no effect and gives its memory back.
func TestBodyCutOff(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport}, engine.Options{})
		helper := dial(t, s)
		old := pattern("old", 100<<10)
		ask(t, helper, putReq("/kept", old), wire.StatusOK)
		before := e.Stats().Bytes
		ends := map[string]func(c *client){
			"close":      (*client).close,
			"half-close": func(c *client) { _ = c.nc.CloseWrite() },
			"reset":      (*client).reset,
		}
		count := int64(0)
		for _, key := range []string{"/kept", "/new"} {
			for _, n := range []int{1000, wholeBody, wholeBody + 1, 8 << 20} {
				for how, end := range ends {
					c := dial(t, s)
					check(t, c.send(putReq(key, pattern("new", n))[:len(putHead(key, n))+n/2]))
					if n > wholeBody {
						eventually(t, "the body is on its way in", func() bool { return s.Stats().IntakeBytes > 0 })
					} else {
						ask(t, helper, headReq("/kept"), wire.StatusOK)
					}
					end(c)
					count++
					eventually(t, "the connection is gone: "+how, func() bool { return s.Stats().Connections == 1 })
					if how == "half-close" {
						check(t, c.closed())
					}
					if st := e.Stats(); st.Bytes != before || s.Stats().IntakeBytes != 0 || st.Sessions != 1 {
						t.Fatalf("%s in a body of %d: %d bytes too much in the account, %d on their way in, %d sessions",
							how, n, st.Bytes-before, s.Stats().IntakeBytes, st.Sessions)
					}
				}
			}
		}
		if a := ask(t, helper, getReq("/kept"), wire.StatusOK); !bytes.Equal(a.body, old) {
			t.Error("the session has changed")
		}
		if st := s.Stats(); st.Truncated > count || st.Truncated < count*2/3 || st.Closed["client"] != count {
			t.Errorf("%d truncated, %d closed by the client; want at most %d, %d", st.Truncated, st.Closed["client"], count, count)
		}
	})
}

// TestBodyWithoutMemory: a save for which there is no memory is read to its end and refused; its connection, the session and the lock stay as
// they are. See docs/protocol.md §6.5.
func TestBodyWithoutMemory(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport}, engine.Options{MaxMemory: 4 << 20})
		c := dial(t, s)
		old := pattern("old", 2<<20)
		ask(t, c, putReq("/a", old), wire.StatusOK)
		cookie := ask(t, c, acquireReq("/a"), wire.StatusOK).Cookie
		before := e.Stats().Bytes
		for _, n := range []int{3 << 20, 8 << 20} {
			ask(t, c, saveReq("/a", cookie, make([]byte, n)), wire.StatusBadRequest)
			ask(t, c, putReq("/new", make([]byte, n)), wire.StatusBadRequest)
			ask(t, c, getReq("/new"), wire.StatusNotFound)
			if a := ask(t, c, getReq("/a"), wire.StatusLocked); a.Cookie != cookie {
				t.Errorf("the lock's cookie is %d, was %d", a.Cookie, cookie)
			}
		}
		ask(t, c, releaseReq("/a", cookie), wire.StatusOK)
		if a := ask(t, c, getReq("/a"), wire.StatusOK); !bytes.Equal(a.body, old) {
			t.Error("the session has changed")
		}
		if n := e.Stats().Bytes; n != before {
			t.Errorf("%d bytes too much in the account", n-before)
		}
		ask(t, c, putReq("/a", make([]byte, 1<<20)), wire.StatusOK)
	})
}

// TestBodyAnnounced: who announces a large body and does not send it takes no memory from those who do.
func TestBodyAnnounced(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		const most = 64 << 20
		s, e := start(t, Options{Transport: transport}, engine.Options{MaxMemory: most})
		const many = 200
		for i := range many {
			n := []int{1 << 20, DefaultMaxBody}[i%2]
			check(t, dial(t, s).send(putHead("/announced", n)))
		}
		eventually(t, "the announcements have arrived", func() bool { return s.Stats().Connections == many })
		c := dial(t, s)
		body := pattern("honest", 20<<20)
		ask(t, c, putReq("/honest", body), wire.StatusOK)
		if a := ask(t, c, getReq("/honest"), wire.StatusOK); !bytes.Equal(a.body, body) {
			t.Error("another body came back")
		}
		// Its own share, and a little for each.
		if got, limit := s.Stats().IntakeBytes, s.intakeShare+many*wholeBody; got > limit {
			t.Errorf("announcements take %d bytes, want at most %d", got, limit)
		}
		if st := e.Stats(); st.Bytes > most {
			t.Errorf("%d bytes in the account", st.Bytes)
		}
	})
}
