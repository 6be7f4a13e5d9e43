package link

import (
	"encoding/hex"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// link is a connection to another node, or one that is being dialled.
type link struct {
	// Static after construction.

	net     *Net
	out     *outbox
	dialled bool
	target  string // what is dialled

	// Static after admission, and written with net.mu held.

	up bool // it was admitted
	other

	// Used by several.

	done    chan struct{} // closed at the end
	over    atomic.Bool   // takes no further messages
	pingDue atomic.Bool
	used    atomic.Int64 // when a message other than a Ping was sent or received; Unix ns
	leaving atomic.Bool
	admin   atomic.Pointer[string] // as it said last; nil if it has not

	bytesIn, bytesOut atomic.Int64

	mu     sync.Mutex
	reason CloseReason // guarded by mu: the first that was given, 0 = none
	err    error       // guarded by mu: goes with it
	closed bool        // guarded by mu
}

// other is what a handshake finds out about the other side.
type other struct {
	node     message.Node // of a delivery link that is being dialled: whom it is for
	identity string       // see guard
	addr     string       // where the node takes connections, as it says; empty if it takes none
	program  string
	protocol uint32 // the lower of ours and its
	purpose  message.Purpose
	local    string   // our address, as told on this link
	raw      net.Conn // the connection
	conn     net.Conn // raw, or TLS over it
	since    time.Time
}

func (n *Net) newLink(dialled bool, target string) *link {
	return &link{
		net: n, dialled: dialled, target: target, done: make(chan struct{}),
		out: newOutbox(n.opt.Node, n.opt.QueueMessages, n.opt.QueueBytes),
	}
}

// run moves messages until the link ends. Requires that the link was admitted.
func (l *link) run(r *reader, hello *message.Message) {
	_ = l.raw.SetDeadline(time.Time{}) // fails if it is closed, which the reader sees
	l.touch()
	l.leaving.Store(hello.Leaving)
	l.out.open(l.local)
	r.grow()
	var writer sync.WaitGroup
	writer.Go(func() {
		reason, err := l.transmit()
		if reason == CloseRemote {
			l.hearOut()
		}
		l.end(reason, err)
	})
	in := &inbox{link: l, reader: r, batch: []*message.Message{hello}}
	l.end(in.receive())
	writer.Wait()
	l.net.dismiss(l)
}

// end closes the link. The first reason counts.
func (l *link) end(reason CloseReason, err error) {
	l.over.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason == 0 {
		l.reason, l.err = reason, err
	}
	if l.closed {
		return
	}
	l.closed = true
	close(l.done)
	_ = l.raw.Close() // what it has to say is of no interest any more
	l.net.drops[DropLinkLost].Add(int64(l.out.shut()))
}

// finish lets what is queued go, and ends the link then.
func (l *link) finish(reason CloseReason) {
	l.over.Store(true)
	l.mu.Lock()
	if l.reason == 0 {
		l.reason = reason
	}
	l.mu.Unlock()
	l.out.finish()
}

func (l *link) touch() { l.used.Store(time.Now().UnixNano()) }

func (l *link) isNeighbour() bool { return l.purpose == message.Neighbour }

func (l *link) how() string {
	if l.dialled {
		return "dialled"
	}
	return "accepted"
}

// statusLocked requires net.mu: before admission all but node is still being found out.
func (l *link) statusLocked() Status {
	s := Status{Node: l.node, Addr: l.target, Purpose: message.Delivery, Dialled: l.dialled}
	if l.up {
		s.Addr, s.Remote, s.Program, s.Purpose, s.Protocol = l.addr, l.raw.RemoteAddr().String(), l.program, l.purpose, l.protocol
		s.Up, s.Encrypted, s.Since, s.Leaving = true, l.net.guard.encrypted(), l.since, l.leaving.Load()
		if admin := l.admin.Load(); admin != nil {
			s.Admin = *admin
		}
	}
	s.BytesIn, s.BytesOut = l.bytesIn.Load(), l.bytesOut.Load()
	s.QueuedMessages, s.QueuedBytes = l.out.load()
	return s
}

// shortNode is the beginning of a node's name, for logs.
func shortNode(n message.Node) string { return hex.EncodeToString(n[:4]) }
