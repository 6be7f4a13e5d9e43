package legacy

import (
	"strconv"
	"strings"
	"testing"
)

// TestRawRecording: scenarios P1 to P7 and P13. Every answer of the original's peer port that was recorded is ours too, to the byte.
func TestRawRecording(t *testing.T) {
	bubble(t, func(t *testing.T) {
		blocks := readRecording(t, "peer-port-raw.txt")
		nonce := func() (string, error) { return "NjM5MzA4MTAyNDk4MTU0MjIwOjQyOGZhOTQ=", nil }
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: []Peer{{Addr: "10.0.0.9:42425"}}, newNonce: nonce})
		answered := 0
		for i, b := range blocks {
			if !b.out {
				continue
			}
			x := knock(t, s, "10.0.0.9:5000")
			x.say(strings.ReplaceAll(string(b.b), "\r\n", "\n"))
			if i+1 < len(blocks) && !blocks[i+1].out {
				answered++
				x.want(strings.ReplaceAll(string(blocks[i+1].b), "\r\n", "\n"))
				if x.hungUp() {
					t.Errorf("%s: the connection is closed", b.note)
				}
			} else if got := x.got(); got != "" || !x.hungUp() {
				t.Errorf("%s: want the connection closed without an answer, got %q", b.note, got)
			}
			check(t, x.Close())
		}
		if answered != 17 {
			t.Errorf("%d answers", answered)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if c := s.sessions["/inj/c"]; !c.Locked || c.LockCookie != 5 || c.LockAge != 5 || c.LockDate != 638000000000000000 || string(c.Body) != "locked!" {
			t.Errorf("the locked session arrived as %+v", c)
		}
		if len(s.sessions) != 2 || string(s.sessions["/inj/a"].Body) != "injected" {
			t.Errorf("%d sessions", len(s.sessions))
		}
	})
}

// TestVerdicts: the bytes of every answer to a transfer. See docs/peer-protocol.md §8.4.
func TestVerdicts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: []Peer{{Addr: "10.0.0.9:42425"}}})
		for v, status := range map[Verdict]string{
			Stored: "200 OK", Exists: "412 Precondition Failed", Unavailable: "503 Service Unavailable", Bad: "400 Bad Request",
		} {
			s.mu.Lock()
			s.verdict = &v
			s.mu.Unlock()
			x := knock(t, s, "10.0.0.9:5000")
			x.say(transferText("/a", "body"))
			x.want(answerText(status, idOne))
		}
	})
}

// TestSplitAndCoalesced: what the original loses, a stream does not: a message byte by byte, and many messages in one read.
func TestSplitAndCoalesced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: []Peer{{Addr: "10.0.0.9:42425"}}})
		x := knock(t, s, "10.0.0.9:5000")
		for _, c := range strings.ReplaceAll(ping, "\n", "\r\n") {
			_, err := x.Write([]byte(string(c)))
			check(t, err)
			pass(spacing)
		}
		x.want(pingReply)
		x.say(strings.Repeat(query("/q", "10.0.0.9:1"), 30) + transferText("/a", "body") + ping + query("/r", "10.0.0.9:1"))
		pass(3 * spacing)
		if n := len(s.asked()); n != 31 {
			t.Errorf("%d queries", n)
		}
		got := strings.ReplaceAll(x.got(), "\r\n", "\n") // the handler answers when it likes, so the order is not given
		if got != answerText("200 OK", idOne)+pingReply && got != pingReply+answerText("200 OK", idOne) {
			t.Errorf("answered %q", got)
		}
	})
}

// TestFirstBytes: what was read before the connection was handed over counts.
func TestFirstBytes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: []Peer{{Addr: "10.0.0.9:42425"}}})
		mine, theirs := pipe("10.0.0.9:5000", s.addr)
		first := []byte("GET \\PI")
		s.net.Accept(theirs, first)
		copy(first, "garbage")
		x := &stranger{t: t, fakeConn: mine}
		x.say(strings.TrimPrefix(ping, "GET \\PI"))
		x.want(pingReply)
	})
}

// TestStrangers: connections of nobody's address are closed, and one address has a bounded number.
func TestStrangers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: []Peer{{Addr: "10.0.0.9:42425"}}, MaxConns: 3})
		if !knock(t, s, "10.0.0.8:5000").hungUp() {
			t.Error("a stranger is let in")
		}
		var all []*stranger
		for range 3 {
			all = append(all, knock(t, s, "10.0.0.9:5000"))
		}
		if !knock(t, s, "10.0.0.9:5000").hungUp() || all[2].hungUp() {
			t.Error("the limit is not 3")
		}
		check(t, all[0].Close())
		pass(0)
		if knock(t, s, "10.0.0.9:5000").hungUp() {
			t.Error("the place of one that has ended is not free")
		}
		if st := s.net.Stats(); st.Closed["stranger"] != 1 || st.Closed["too_many"] != 1 || st.Closed["eof"] != 1 || st.Connections != 3 {
			t.Errorf("%+v", st)
		}
	})
}

// TestNoMemory: a session for which there is no room is refused so that the original keeps it, and so is one that is too large; the connection
// goes on. One that is larger than an original can send ends it.
func TestNoMemory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: []Peer{{Addr: "10.0.0.9:42425"}}, MaxBody: 10})
		x := knock(t, s, "10.0.0.9:5000")
		x.say(transferText("/large", "12345678901"))
		x.want(answerText("503 Service Unavailable", idOne))
		s.mu.Lock()
		s.full = true
		s.mu.Unlock()
		pass(spacing)
		x.say(transferText("/a", "1"))
		x.want(answerText("503 Service Unavailable", idOne))
		pass(spacing)
		x.say(transferText("/empty", ""))
		x.want(answerText("200 OK", idOne))
		x.say("PUT /x HTTP/1.1\nHost: h\nExclusive: transfer\nContent-Length: 20971521\n\n")
		if !x.hungUp() {
			t.Error("a body of 20971521 bytes is taken")
		}
		if st := s.net.Stats(); st.Received["no_memory"] != 2 || st.Received["stored"] != 1 || st.Closed["malformed"] != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// TestAnswerLost: an answer that comes after the end of the connection is counted, and the memory is given back all the same.
func TestAnswerLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: []Peer{{Addr: "10.0.0.9:42425"}}})
		s.hold = true
		x := knock(t, s, "10.0.0.9:5000")
		x.say(transferText("/a", "body") + "PUT /b HTTP/1.1\nHost: h\nX-ID: " + hexID + "\nExclusive: transfer\nLast-Modified: 1\nContent-Length: 9\n\nhal")
		pass(0)
		check(t, x.Close())
		pass(0)
		s.held[0](Stored)
		s.held[0](Stored) // once too often, which must not matter
		if st := s.net.Stats(); st.Dropped["answer_lost"] != 1 || st.Received["stored"] != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// TestManyTransfers: transfers behind one another on one link are all answered, one write each, and no more than a bounded number is under way.
func TestManyTransfers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: []Peer{{Addr: "10.0.0.9:42425"}}})
		s.hold = true
		x := knock(t, s, "10.0.0.9:5000")
		for i := range 100 {
			x.say(transferText("/a"+strconv.Itoa(i), "body"))
		}
		pass(0)
		if s.transfers != maxUnanswered {
			t.Errorf("%d transfers are under way", s.transfers)
		}
		for done := range 100 {
			s.mu.Lock()
			answer := s.held[done]
			s.mu.Unlock()
			answer(Stored)
			pass(spacing)
		}
		if n := strings.Count(x.got(), "200 OK"); n != 100 {
			t.Errorf("%d answers", n)
		}
		x.in.mu.Lock()
		defer x.in.mu.Unlock()
		for i := 1; i < len(x.in.at); i++ {
			if gap := x.in.at[i].Sub(x.in.at[i-1]); gap < spacing {
				t.Errorf("two answers within %v", gap)
			}
		}
	})
}
