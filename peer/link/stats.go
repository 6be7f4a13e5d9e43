package link

import (
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// counts are the totals of a Net.
type counts struct {
	drops  [numDrops]atomic.Int64
	closes [numCloseReasons]atomic.Int64

	accepted, dialled, opened atomic.Int64
	messagesIn, messagesOut   atomic.Int64
	bytesIn, bytesOut         atomic.Int64
	noRoom                    atomic.Int64
	assemblies, assemblyBytes atomic.Int64                  // gauges
	logged                    [numCloseReasons]atomic.Int64 // when; see throttled
	loggedAccept              atomic.Int64
}

// Stats is a reading of a Net's gauges and counters. Counters begin at 0 with it.
type Stats struct {
	// Gauges.

	Neighbours     int // nodes with at least one neighbour link
	Links          int // of both purposes
	Dialling       int // delivery links that are being dialled
	Handshakes     int // accepted connections that are no link yet
	QueuedMessages int // in all outboxes
	QueuedBytes    int
	Assemblies     int // bodies on their way in, in parts
	AssemblyBytes  int64

	// Counters.

	Accepted    int64 // connections
	Dialled     int64 // attempts
	Opened      int64 // links
	MessagesIn  int64
	MessagesOut int64
	BytesIn     int64 // without what TLS adds
	BytesOut    int64
	NoRoom      int64 // bodies that were skipped for want of memory
	Drops       map[Drop]int64
	Closes      map[CloseReason]int64
}

// Stats reads the gauges and counters.
func (n *Net) Stats() Stats {
	s := Stats{
		Handshakes: int(n.handshakes.Load()),
		Assemblies: int(n.assemblies.Load()), AssemblyBytes: n.assemblyBytes.Load(),
		Accepted: n.accepted.Load(), Dialled: n.dialled.Load(), Opened: n.opened.Load(),
		MessagesIn: n.messagesIn.Load(), MessagesOut: n.messagesOut.Load(), BytesIn: n.bytesIn.Load(), BytesOut: n.bytesOut.Load(),
		NoRoom: n.noRoom.Load(),
		Drops:  map[Drop]int64{}, Closes: map[CloseReason]int64{},
	}
	for _, d := range Drops() {
		s.Drops[d] = n.drops[d].Load()
	}
	for _, r := range CloseReasons() {
		s.Closes[r] = n.closes[r].Load()
	}
	for _, l := range n.Links() {
		s.QueuedMessages += l.QueuedMessages
		s.QueuedBytes += l.QueuedBytes
		if l.Up {
			s.Links++
		} else {
			s.Dialling++
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, node := range n.nodes {
		if len(node.links[message.Neighbour]) > 0 {
			s.Neighbours++
		}
	}
	return s
}

// Status is one link, for people.
type Status struct {
	Node           message.Node
	Addr           string // where it takes connections; for a link that is being dialled, what is dialled
	Remote         string // the other end of the connection
	Program        string // its, as it says
	Protocol       uint32 // the version that is spoken; 0 while it is being dialled
	Purpose        message.Purpose
	Dialled        bool // by us
	Up             bool // or being dialled
	Encrypted      bool
	Since          time.Time
	QueuedMessages int
	QueuedBytes    int
	BytesIn        int64
	BytesOut       int64
	Leaving        bool   // as it said last
	Admin          string // where it shows its admin pages, as it said last; empty if nowhere
}

// Links returns all links, the oldest first.
func (n *Net) Links() []Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]Status, 0, len(n.order))
	for _, l := range n.order {
		all = append(all, l.statusLocked())
	}
	for _, node := range n.nodes {
		if node.dialling != nil {
			all = append(all, node.dialling.statusLocked())
		}
	}
	return all
}
