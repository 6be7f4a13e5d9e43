package legacy

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// replayModes says in which mode the two nodes of a recording ran, and which of its links cannot be replayed: the relay changed what one side got,
// or dropped it.
var replayModes = []struct {
	file string
	mode Peer
	skip string
}{
	{"two-nodes-plain.txt", Peer{}, ""},
	{"two-nodes-auth-encrypted.txt", authMode, ""},
	{"auth-encrypted-one-transfer.txt", authMode, ""},
	{"ring-of-three-plain.txt", Peer{}, ""},
	{"star-of-four-plain.txt", Peer{}, ""},
	{"coalesced-queries.txt", Peer{}, ""},
	{"lost-acknowledgement.txt", Peer{}, ""},
	{"lost-session-412.txt", Peer{}, ""},
	{"poisoned-link.txt", Peer{}, ""},
	{"tampered-transfers.txt", authMode, "A->B"},
}

var authMode = Peer{Authenticate: true, Encrypt: true, Password: "Cello"}

// byLink collects the blocks of each link of a recording, in the order in which the links were opened.
func byLink(t *testing.T, file string) (links [][]block) {
	t.Helper()
	at := map[string]int{}
	for _, b := range readRecording(t, file) {
		if !strings.Contains(b.link, "#") {
			continue // the test of the original sent it by hand
		}
		i, ok := at[b.link]
		if !ok {
			i = len(links)
			at[b.link] = i
			links = append(links, nil)
		}
		links[i] = append(links[i], b)
	}
	return links
}

// messagesOf reads all messages of one direction of a link, heads and bodies as they were.
func messagesOf(t *testing.T, blocks []block, out bool) (heads []Message, raw []string) {
	t.Helper()
	var stream []byte
	for _, b := range blocks {
		if b.out == out {
			stream = append(stream, b.b...)
		}
	}
	return split(t, stream)
}

func split(t *testing.T, stream []byte) (heads []Message, raw []string) {
	t.Helper()
	r := NewReader(bytes.NewReader(stream))
	for {
		var m Message
		if err := r.Next(&m); err != nil {
			return heads, raw
		}
		body := make([]byte, m.Length)
		check(t, r.Body(body))
		heads = append(heads, m)
		raw = append(raw, string(append(Append(nil, &m), body...)))
	}
}

// fixed hands out nonces in order.
type fixed struct {
	mu     sync.Mutex
	nonces []string
}

func (f *fixed) next() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.nonces) == 0 {
		return "bm9uZSBsZWZ0", nil
	}
	n := f.nonces[0]
	f.nonces = f.nonces[1:]
	return n, nil
}

// sameMessages compares what we sent with the recording. When PINGs are due is each side's own affair, so of those only the bytes count; which of
// two answers comes first is not said either.
func sameMessages(t *testing.T, got, want []string) {
	t.Helper()
	const start = `GET \PING`
	pings := map[string]bool{}
	for _, w := range want {
		pings[w] = strings.HasPrefix(w, start)
	}
	isPing := func(s string) bool { return strings.HasPrefix(s, start) }
	for _, g := range got {
		if isPing(g) && len(pings) > 0 && !pings[g] && slices.ContainsFunc(want, isPing) {
			t.Errorf("a PING that was not recorded: %q", g)
		}
	}
	got, want = slices.DeleteFunc(slices.Clone(got), isPing), slices.DeleteFunc(slices.Clone(want), isPing)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("we sent %d messages\n%.3000q, recorded are %d\n%.3000q", len(got), got, len(want), want)
	}
}

// pingHost is the Host of the first PING among messages, or another one.
func pingHost(heads []Message, other string) string {
	for _, m := range heads {
		if m.Kind == KindPing || m.Kind == KindAuthBegin {
			return m.Host
		}
	}
	return other
}

// replayer is a handler that answers as it was recorded.
type replayer struct {
	answers map[ID]int
}

func (r *replayer) OriginalUp(int)           {}
func (r *replayer) OriginalDown(int)         {}
func (r *replayer) OriginalQuery(int, Query) {}
func (r *replayer) OriginalTransfer(_ int, t Transfer, answer func(Verdict)) {
	answer(map[int]Verdict{200: Stored, 412: Exists, 503: Unavailable}[r.answers[t.ID]])
}

// step is what goes by between two blocks of a replay.
const step = 2 * spacing

// queries sends the queries among some messages.
func sendQueries(t *testing.T, n *Net, b block) {
	t.Helper()
	heads, _ := split(t, b.b)
	for _, m := range heads {
		if m.Kind == KindQuery {
			if !n.Query(0, Query{Target: m.Target, ID: m.ID, Broadcast: m.Broadcast, Host: m.Host, MaxForwards: m.Forwards}) {
				t.Errorf("the query for %s is dropped", m.Target)
			}
		}
	}
}

// TestReplayAcceptor feeds what recorded diallers sent to an acceptor of ours, which has to answer to the byte as the original did.
func TestReplayAcceptor(t *testing.T) {
	for _, r := range replayModes {
		for i, blocks := range byLink(t, r.file) {
			if r.skip != "" && strings.Contains(blocks[0].link, r.skip) {
				continue
			}
			t.Run(fmt.Sprint(r.file, " ", i), func(t *testing.T) {
				bubble(t, func(t *testing.T) { replayAcceptor(t, blocks, r.mode) })
			})
		}
	}
}

func replayAcceptor(t *testing.T, blocks []block, mode Peer) {
	heads, want := messagesOf(t, blocks, false)
	h, f := &replayer{answers: map[ID]int{}}, &fixed{}
	for _, m := range heads {
		if m.HasAssoc {
			h.answers[m.Assoc] = m.Status
		}
		if m.Status == 401 {
			f.nonces = append(f.nonces, m.Digest.Nonce)
		}
	}
	mode.Addr = "127.0.0.1:1"
	n, err := New(Options{Peers: []Peer{mode}, MachineName: "vm", newNonce: f.next, Dial: newFabric().dialer("127.0.0.1")}, h)
	check(t, err)
	defer n.Close()
	mine, theirs := pipe("127.0.0.1:40000", pingHost(heads, "127.0.0.1:42101"))
	n.Accept(theirs, nil)
	for _, b := range blocks {
		pass(step)
		if b.out {
			_, err := mine.Write(b.b)
			check(t, err)
		} else {
			sendQueries(t, n, b)
		}
	}
	pass(time.Second)
	_, got := split(t, []byte(strings.Join(theirs.sent(), "")))
	if len(theirs.sent()) != len(got) {
		t.Errorf("%d messages in %d writes", len(got), len(theirs.sent()))
	}
	sameMessages(t, got, want)
}

// TestReplayDialler feeds what recorded acceptors sent to a dialler of ours, which has to send to the byte what the original did.
func TestReplayDialler(t *testing.T) {
	for _, r := range replayModes {
		for i, blocks := range byLink(t, r.file) {
			if r.skip != "" && strings.Contains(blocks[0].link, r.skip) {
				continue
			}
			t.Run(fmt.Sprint(r.file, " ", i), func(t *testing.T) {
				bubble(t, func(t *testing.T) { replayDialler(t, blocks, r.mode) })
			})
		}
	}
}

// dialledBy collects the connections that a replayed dialler opens.
type dialledBy struct {
	mu    sync.Mutex
	peers []*fakeConn // the ends of the replay
}

func (d *dialledBy) accept(nc net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.peers = append(d.peers, nc.(*fakeConn))
}

func replayDialler(t *testing.T, blocks []block, mode Peer) {
	heads, want := messagesOf(t, blocks, true)
	f, d := &fixed{}, &dialledBy{}
	transfers := slices.ContainsFunc(heads, func(m Message) bool { return m.Kind == KindTransfer })
	for _, m := range heads {
		if m.Kind == KindAuthAnswer {
			f.nonces = append(f.nonces, m.Digest.CNonce)
		}
	}
	mode.Addr = "127.0.0.1:1"
	fab := newFabric()
	to := "127.0.0.1:1"
	if transfers {
		to = "127.0.0.1:2" // nobody takes the live link
	}
	fab.listen(to, d.accept)
	ready := make(chan struct{})
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		<-ready
		return fab.dialer("127.0.0.1")(ctx, network, address)
	}
	n, err := New(Options{Peers: []Peer{mode}, MachineName: "vm", newNonce: f.next, Dial: dial}, &replayer{})
	check(t, err)
	defer n.Close()
	n.mu.Lock()
	n.first = mustAddr(pingHost(heads, heads[0].Host)) // what the recorded node had as its first link
	n.mu.Unlock()
	close(ready)
	done := 0
	for i, b := range blocks {
		pass(step)
		if !b.out {
			for _, c := range d.all() {
				if !c.isClosed() {
					_, _ = c.Write(b.b) // if we have closed it meanwhile, nobody misses it
				}
			}
			continue
		}
		if sealed := deliverRecorded(t, n, blocks, i, mode); sealed {
			done++
		}
		if done > 1 { // our second encrypted session has a link of its own, unlike the original's
			want = want[:slices.IndexFunc(want, func(s string) bool { return strings.HasPrefix(s, "PUT ") })+1]
			break
		}
		sendQueries(t, n, b)
	}
	pass(time.Second)
	var stream []byte
	for _, c := range d.all() {
		stream = append(stream, strings.Join(c.in.writes, "")...)
	}
	_, got := split(t, stream)
	if done > 1 {
		got = got[:min(len(got), len(want))]
	}
	sameMessages(t, got, want)
}

func (d *dialledBy) all() []*fakeConn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.peers)
}

// deliverRecorded hands the sessions of a block to Deliver, and reports whether there was an encrypted link to begin. On such a link the handshake
// comes first, so the session is handed over with the first step.
func deliverRecorded(t *testing.T, n *Net, blocks []block, i int, mode Peer) (began bool) {
	t.Helper()
	first, _ := split(t, blocks[i].b)
	if mode.encrypts() {
		if len(first) == 0 || first[0].Kind != KindAuthBegin && first[0].Kind != KindTransfer {
			return false
		}
		heads, raw := messagesOf(t, blocks, true)
		at := slices.IndexFunc(heads, func(m Message) bool { return m.Kind == KindTransfer })
		if at < 0 {
			return false
		}
		if first[0].Kind == KindTransfer {
			return first[0].ID != heads[at].ID // the first one has been handed over
		}
		k := keyOf(heads, mode.Password)
		_, body, _ := strings.Cut(raw[at], "\r\n\r\n")
		plain := []byte(body)
		if heads[at].Encrypted {
			var err error
			plain, err = k.open([]byte(body), heads[at].PlainLength)
			check(t, err)
		}
		n.Deliver(0, "127.0.0.1:2", heads[at].transfer(plain), func(Outcome) {})
		return true
	}
	_, raw := split(t, blocks[i].b)
	for j, m := range first {
		if m.Kind == KindTransfer {
			_, body, _ := strings.Cut(raw[j], "\r\n\r\n")
			n.Deliver(0, "127.0.0.1:2", m.transfer([]byte(body)), func(Outcome) {})
		}
	}
	return false
}

// keyOf is the key of a recorded handshake.
func keyOf(heads []Message, password string) key {
	for _, m := range heads {
		if m.Kind == KindAuthAnswer {
			return m.Digest.key(password)
		}
	}
	return key{}
}

// TestReplayMismatches: what nodes with other settings were recorded to say to each other.
func TestReplayMismatches(t *testing.T) {
	none := Peer{}
	cello := Peer{Authenticate: true, Password: "Cello"}
	for name, c := range map[string]struct {
		file string
		link string
		mode Peer // of the acceptor
	}{
		"answers authentication although it is off": {"mismatch-auth.txt", "B->A #1", Peer{Password: "Cello"}},
		"takes a session from who did authenticate": {"mismatch-auth.txt", "B->A #2", Peer{Password: "Cello"}},
		"refuses a session from who did not":        {"mismatch-auth.txt", "A->B #1", cello},
		"refuses another password":                  {"mismatch-passwords.txt", "B->A #1", Peer{Authenticate: true, Password: "another"}},
		"refuses any if it has none, off or not":    {"mismatch-passwords.txt", "B->A #1", none},
	} {
		t.Run(name, func(t *testing.T) {
			for _, blocks := range byLink(t, c.file) {
				if strings.HasSuffix(blocks[0].link, c.link) {
					bubble(t, func(t *testing.T) { replayAcceptor(t, blocks, c.mode) })
				}
			}
		})
	}
}
