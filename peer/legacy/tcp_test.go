package legacy

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// tcpSite is a node that listens on the loopback interface.
type tcpSite struct {
	mu       sync.Mutex
	sessions map[string]Transfer
	net      *Net
	up       chan struct{}
}

func (s *tcpSite) OriginalUp(int)   { s.up <- struct{}{} }
func (s *tcpSite) OriginalDown(int) {}

func (s *tcpSite) OriginalQuery(peer int, q Query) {
	s.mu.Lock()
	t, ok := s.sessions[q.Target]
	delete(s.sessions, q.Target)
	s.mu.Unlock()
	if ok {
		s.net.Deliver(peer, q.Host, t, func(Outcome) {})
	}
}

func (s *tcpSite) OriginalTransfer(_ int, t Transfer, answer func(Verdict)) {
	s.mu.Lock()
	s.sessions[t.Target] = t
	s.mu.Unlock()
	answer(Stored)
}

// TestOverTCP: two nodes on real sockets, in every mode; a large session goes there and back.
func TestOverTCP(t *testing.T) {
	for _, mode := range []Peer{{}, {Authenticate: true, Password: "Cello"}, authMode} {
		var nodes [2]*tcpSite
		var listeners [2]net.Listener
		for i := range nodes {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			check(t, err)
			listeners[i] = l
			nodes[i] = &tcpSite{sessions: map[string]Transfer{}, up: make(chan struct{}, 10)}
		}
		var accepting sync.WaitGroup
		for i, s := range nodes {
			peer, own := mode, listeners[i].Addr().String()
			peer.Addr = listeners[1-i].Addr().String()
			var err error
			s.mu.Lock()
			s.net, err = New(Options{Peers: []Peer{peer}, MachineName: "vm", Advertise: func(netip.AddrPort) string { return own }}, s)
			s.mu.Unlock()
			check(t, err)
			if !s.net.Match(netip.MustParseAddr("::ffff:127.0.0.1")) || s.net.Match(netip.MustParseAddr("127.0.0.2")) {
				t.Error("Match is wrong")
			}
			accepting.Go(func() {
				for {
					nc, err := listeners[i].Accept()
					if err != nil {
						return
					}
					s.net.Accept(nc, nil)
				}
			})
		}
		body := make([]byte, 4<<20)
		for i := range body {
			body[i] = byte(i * 7)
		}
		nodes[0].mu.Lock()
		nodes[0].sessions["/big"] = Transfer{Target: "/big", Body: body, Timeout: 20, LastModified: 1}
		nodes[0].mu.Unlock()
		for i, s := range []*tcpSite{nodes[1], nodes[0]} {
			within(t, "the link is live", func() bool { return s.net.Peers()[0].Live })
			if !s.net.Query(0, Query{Target: "/big", ID: ID{1, byte(i)}}) {
				t.Error("the query is dropped")
			}
			within(t, "the session has arrived", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return string(s.sessions["/big"].Body) == string(body)
			})
			within(t, "its sender knows", func() bool { return nodes[i].net.Stats().Delivered == 1 })
		}
		for i, s := range nodes {
			check(t, listeners[i].Close())
			s.net.Close()
			if st := s.net.Stats(); st.Delivered != 1 || st.Connections != 0 {
				t.Errorf("%+v", st)
			}
		}
		accepting.Wait()
	}
}

// within waits for a condition, which has 10 s to become true.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	give := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-give:
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
