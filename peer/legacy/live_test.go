package legacy

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// acceptor is the far side of connections that a Net dials, in the hands of the test.
type acceptor struct {
	t   *testing.T
	mu  sync.Mutex
	all []*stranger
}

func listen(t *testing.T, f *fabric, addr string) *acceptor {
	a := &acceptor{t: t}
	f.listen(addr, func(nc net.Conn) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.all = append(a.all, &stranger{t: t, fakeConn: nc.(*fakeConn)})
	})
	t.Cleanup(func() {
		for _, x := range a.conns() {
			check(t, x.Close())
		}
	})
	return a
}

func (a *acceptor) conns() []*stranger {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all)
}

// last returns the latest connection.
func (a *acceptor) last() *stranger {
	a.t.Helper()
	all := a.conns()
	if len(all) == 0 {
		a.t.Fatal("nobody has dialled")
	}
	return all[len(all)-1]
}

const nineOriginal = "10.0.0.9:42425"

func plainPeer() []Peer { return []Peer{{Addr: nineOriginal}} }

// TestDialledLink: PING at once, live when it is answered, PING every 10 s, an answer to each PING. See docs/peer-protocol.md §8.1.
func TestDialledLink(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFabric()
		a := listen(t, f, nineOriginal)
		s := startSite(t, f, "10.0.0.1:42425", Options{Peers: plainPeer()})
		pass(0)
		x := a.last()
		own := strings.Replace(ping, "127.0.0.1", x.remote.String(), 1)
		x.want(own)
		if s.live() {
			t.Error("live before the PING is answered")
		}
		x.say(pingReply)
		pass(0)
		if !s.live() || !slices.Equal(s.heard(), []string{"up"}) {
			t.Errorf("live %v, told %q", s.live(), s.heard())
		}
		for range 5 {
			pass(pingEvery - time.Millisecond)
			x.want("")
			pass(time.Millisecond)
			x.want(own)
			x.say(pingReply)
		}
		pass(spacing)
		x.say(ping)
		x.want(pingReply)
		check(t, x.Close())
		pass(0)
		if s.live() || !slices.Equal(s.heard(), []string{"up", "down"}) {
			t.Errorf("after the end of the stream: live %v, told %q", s.live(), s.heard())
		}
	})
}

// TestAcceptedLink: live with the first PING and not before; we send PING too; silence of 30 s ends it.
func TestAcceptedLink(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: plainPeer()})
		x := knock(t, s, "10.0.0.9:5000")
		x.say(query("/a", "10.0.0.9:42425"))
		pass(time.Second)
		if s.live() || len(s.asked()) != 1 {
			t.Error("live without a PING, or the query is not taken")
		}
		x.say("GET /a HTTP/1.1\nHost: h\n\n")
		x.want(badPort)
		x.say(pingReply)
		pass(spacing)
		if s.live() || x.hungUp() {
			t.Error("live by an answer to a PING that we have not sent, or closed")
		}
		x.say(ping)
		x.want(pingReply)
		if !s.live() {
			t.Error("not live after a PING")
		}
		pass(pingEvery)
		x.want(strings.Replace(ping, "127.0.0.1", s.addr, 1))
		pass(silence - pingEvery - time.Millisecond)
		if !s.live() {
			t.Error("closed early")
		}
		pass(time.Millisecond)
		if !x.hungUp() || s.live() || s.net.Stats().Closed["silent"] != 1 {
			t.Error("not closed after 30 s of silence")
		}
		if !slices.Equal(s.heard(), []string{"up", "down"}) {
			t.Errorf("told %q", s.heard())
		}
	})
}

// TestTimes: the other tests use the names.
func TestTimes(t *testing.T) {
	if pingEvery != 10*time.Second || silence != 30*time.Second || reuse != 13*time.Second || authTimeout != 15*time.Second || spacing < 15*time.Millisecond {
		t.Error("a time of the original's protocol is another one")
	}
}

// TestUpOnce: two links to one original are one original that is up.
func TestUpOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFabric()
		a := listen(t, f, nineOriginal)
		s := startSite(t, f, "10.0.0.1:42425", Options{Peers: plainPeer()})
		pass(0)
		a.last().say(pingReply)
		x := knock(t, s, "10.0.0.9:5000")
		x.say(ping + ping)
		pass(0)
		if st := s.net.Peers()[0]; st.Links != 2 {
			t.Errorf("%+v", st)
		}
		check(t, a.last().Close())
		pass(0)
		if !s.live() || !slices.Equal(s.heard(), []string{"up"}) {
			t.Errorf("told %q", s.heard())
		}
		check(t, x.Close())
		pass(0)
		if s.live() || !slices.Equal(s.heard(), []string{"up", "down"}) {
			t.Errorf("told %q", s.heard())
		}
	})
}

// TestRedial: the first retries come quickly, later ones at most 30 s apart and a quarter more.
func TestRedial(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFabric()
		s := startSite(t, f, "10.0.0.1:42425", Options{Peers: plainPeer()})
		pass(2 * time.Second)
		if n := len(f.dialled()); n < 3 {
			t.Errorf("%d attempts in the first 2 s", n)
		}
		pass(10 * time.Minute)
		if n := len(f.dialled()); n < 15 || n > 40 {
			t.Errorf("%d attempts in 10 minutes", n)
		}
		if st := s.net.Peers()[0]; st.LastError == "" {
			t.Errorf("%+v", st)
		}
		if n := strings.Count(s.log.String(), "original_unreachable"); n < 1 || n > 2 {
			t.Errorf("%d log lines", n)
		}
		a := listen(t, f, nineOriginal)
		for range 60 {
			if len(a.conns()) > 0 {
				break
			}
			pass(time.Second)
		}
		a.last().say(pingReply)
		pass(0)
		if st := s.net.Peers()[0]; !st.Live || st.LastError != "" {
			t.Errorf("%+v", st)
		}
	})
}

// TestNames: the host of an original may be a name, whose addresses are looked up again.
func TestNames(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFabric()
		book := &phoneBook{addr: "10.0.0.9"}
		s := startSite(t, f, "10.0.0.1:42425", Options{Peers: []Peer{{Addr: "old.example:42425"}}, Lookup: book.lookup})
		pass(time.Second)
		if knock(t, s, "10.0.0.9:1000").hungUp() || !knock(t, s, "10.0.0.7:1000").hungUp() {
			t.Error("not matched by the address of the name")
		}
		book.set("10.0.0.7")
		pass(resolveEvery)
		if !knock(t, s, "10.0.0.9:1000").hungUp() || knock(t, s, "10.0.0.7:1000").hungUp() {
			t.Error("not matched by the new address")
		}
		book.set("")
		pass(resolveEvery)
		if knock(t, s, "10.0.0.7:1000").hungUp() {
			t.Error("the address is forgotten while the name cannot be looked up")
		}
	})
}

// TestRefusedPing: a link whose PING nobody answers is no live link: the original may want authentication (N10).
func TestRefusedPing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFabric()
		a := listen(t, f, nineOriginal)
		s := startSite(t, f, "10.0.0.1:42425", Options{Peers: plainPeer()})
		pass(authTimeout)
		if !a.conns()[0].hungUp() || s.live() || s.net.Stats().Closed["ping_unanswered"] != 1 {
			t.Errorf("%+v", s.net.Stats())
		}
		pass(20 * time.Second)
		if n := len(a.conns()); n != 1 {
			t.Errorf("%d connections: it is dialled again at once", n)
		}
		if !strings.Contains(s.log.String(), textNoPing) {
			t.Errorf("the log says nothing:\n%s", s.log)
		}
	})
}

// TestQueries: bytes and spacing of queries, and that their number is bounded.
func TestQueries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFabric()
		a := listen(t, f, nineOriginal)
		s := startSite(t, f, "10.0.0.1:42425", Options{Peers: plainPeer(), QueryTimeout: 600 * time.Millisecond})
		q := Query{Target: "/k/a", ID: ID{0: 0xab, 15: 1}, MaxForwards: 5}
		if s.net.Query(0, q) {
			t.Error("a query is taken without a live link")
		}
		pass(0)
		x := a.last()
		x.say(pingReply)
		x.got()
		sent := 0
		for range 100 {
			if s.net.Query(0, q) {
				sent++
			}
		}
		if sent < 40 || sent > 41 { // the writer may have taken the first one meanwhile
			t.Errorf("%d of 100 were taken, want as many as can be sent in time", sent)
		}
		pass(time.Second)
		text := strings.Replace(query("/k/a", s.addr), hexID, "ab000000000000000000000000000001", 1)
		text = strings.Replace(text, "Forwards: 0", "Forwards: 5", 1)
		x.want(strings.Repeat(text, sent))
		at := x.in.at
		for i := 2; i < len(at); i++ {
			if gap := at[i].Sub(at[i-1]); gap < spacing {
				t.Errorf("messages %d and %d within %v", i-1, i, gap)
			}
		}
		for _, bad := range []Query{
			{Target: "", ID: q.ID}, {Target: "/a\r\nX: y", ID: q.ID}, {Target: strings.Repeat("x", maxLine-14), ID: q.ID}, {Target: "/a"},
			{Target: "/a", ID: q.ID, Host: "h:99999"}, {Target: "/a", ID: q.ID, Host: "h\r\nX: y"},
		} {
			if s.net.Query(0, bad) {
				t.Errorf("taken: %+v", bad)
			}
		}
		if !s.net.Query(0, Query{Target: strings.Repeat("x", maxLine-15), ID: q.ID}) {
			t.Error("a start line of 2048 bytes is refused")
		}
		pass(0)
		if got, want := x.got(), string(Append(nil, &Message{Kind: KindQuery, Target: strings.Repeat("x", maxLine-15), Host: s.addr, ID: q.ID})); got != want {
			t.Error("it is written otherwise")
		}
		st := s.net.Stats()
		want := map[string]int64{"no_link": 1, "queue_full": int64(100 - sent), "bad_target": 3, "malformed": 1, "bad_host": 2}
		for why, n := range want {
			if st.Dropped[why] != n {
				t.Errorf("%s: %d, want %d", why, st.Dropped[why], n)
			}
		}
	})
}

// lateReader reads as the original does: what is there at once is one read, and of a read only the first message counts.
type lateReader struct {
	x     *stranger
	delay time.Duration
	got   []Message
	lost  int
}

func (r *lateReader) run() {
	for {
		<-time.After(r.delay)
		buf := make([]byte, 32768)
		n, err := r.x.Read(buf)
		if err != nil {
			return
		}
		messages := strings.SplitAfter(string(buf[:n]), "\r\n\r\n")
		r.lost += len(messages) - 2
		m, _ := parseOne(r.x.t, []byte(messages[0]))
		r.got = append(r.got, m)
	}
}

// TestBurst: T9. 30 queries at once reach an original that loses what shares a read, over one link and, sooner, over two.
func TestBurst(t *testing.T) {
	for _, links := range []int{1, 2} {
		bubble(t, func(t *testing.T) {
			s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: plainPeer()})
			readers := make([]*lateReader, links)
			for i := range readers {
				x := knock(t, s, "10.0.0.9:5000")
				x.say(ping)
				readers[i] = &lateReader{x: x, delay: 10 * time.Millisecond}
				go readers[i].run()
			}
			pass(time.Second)
			for i := range 30 {
				if !s.net.Query(0, Query{Target: fmt.Sprintf("/c/%d", i), ID: ID{1, byte(i)}}) {
					t.Errorf("query %d is dropped", i)
				}
			}
			pass(30 / time.Duration(links) * spacing)
			seen := map[string]bool{}
			for _, r := range readers {
				for _, m := range r.got {
					if m.Kind == KindQuery {
						seen[m.Target] = true
					}
				}
				if r.lost != 0 {
					t.Errorf("%d messages shared a read", r.lost)
				}
				check(t, r.x.Close())
			}
			if len(seen) != 30 {
				t.Errorf("over %d links %d of 30 arrived in time", links, len(seen))
			}
			pass(time.Second)
		})
	}
}

// TestStale: queries that could not be sent in time are not sent late.
func TestStale(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: plainPeer(), QueryTimeout: time.Second})
		mine, theirs := pipe("10.0.0.9:5000", s.addr)
		theirs.stuck = true
		s.net.Accept(theirs, nil)
		x := &stranger{t: t, fakeConn: mine}
		x.say(ping)
		pass(0)
		s.net.Query(0, Query{Target: "/a", ID: ID{1}})
		pass(time.Minute)
		if !x.hungUp() || s.net.Stats().QueriesSent != 0 {
			t.Errorf("%+v", s.net.Stats())
		}
	})
}

// TestLateQueries: queries that answers have held up until nobody waits for them any more are not sent.
func TestLateQueries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: plainPeer(), QueryTimeout: 100 * time.Millisecond})
		x := knock(t, s, "10.0.0.9:5000")
		x.say(strings.Repeat(ping, 12))
		pass(0)
		s.net.Query(0, Query{Target: "/a", ID: ID{1}})
		pass(time.Second)
		if st := s.net.Stats(); st.Dropped["stale"] != 1 || st.QueriesSent != 0 || strings.Contains(x.got(), "/a") {
			t.Errorf("%+v", st)
		}
	})
}

// TestPingFlood: a connection that asks faster than it may be answered is closed.
func TestPingFlood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: plainPeer()})
		x := knock(t, s, "10.0.0.9:5000")
		x.say(strings.Repeat(ping, 2*maxReplies))
		if !x.hungUp() || s.net.Stats().Closed["flood"] != 1 {
			t.Errorf("%+v", s.net.Stats())
		}
	})
}

// TestSlowMessage: a byte now and then keeps a connection alive, but not one message for ever.
func TestSlowMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: plainPeer()})
		x := knock(t, s, "10.0.0.9:5000")
		x.say("PUT /a HTTP/1.1\n")
		for range 5 {
			pass(11 * time.Second)
			x.say("X")
		}
		if x.hungUp() {
			t.Error("closed early")
		}
		pass(6 * time.Second)
		if !x.hungUp() || s.net.Stats().Closed["slow"] != 1 {
			t.Errorf("%+v", s.net.Stats().Closed)
		}
	})
}

// TestTwoBehindOneAddress: a PING tells apart two originals on one machine if it says where they listen.
func TestTwoBehindOneAddress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := startSite(t, newFabric(), "10.0.0.1:42425", Options{Peers: []Peer{{Addr: "10.0.0.9:1"}, {Addr: "10.0.0.9:2"}}})
		knock(t, s, "10.0.0.9:5000").say(strings.Replace(ping, "127.0.0.1", "10.0.0.9:2", 1))
		pass(0)
		if st := s.net.Peers(); st[0].Live || !st[1].Live {
			t.Errorf("%+v", st)
		}
		knock(t, s, "10.0.0.9:5001").say(ping)
		pass(0)
		if st := s.net.Peers(); !st[0].Live {
			t.Errorf("%+v", st)
		}
	})
}
