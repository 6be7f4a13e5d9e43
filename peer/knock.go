package peer

import (
	"time"

	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/message"
)

// knock is the finding out whether a neighbour whose link has broken has ended: if so, its address refuses connections. A process that is just ending may let
// somebody in and then break off, which says nothing; so the knocking goes on for a while.
type knock struct {
	addr  string
	next  int64 // when to knock again; 0 = the last knock has not come back
	pause int64 // before the next knock
	until int64
}

const (
	// knockSoon is the first pause between two knocks, doubled each time, up to knockAgain: a process that has been killed lets somebody in for some milliseconds at
	// most, and until it is known that it has ended its sessions cannot be taken over.
	knockSoon  = int64(2 * time.Millisecond)
	knockAgain = int64(50 * time.Millisecond)
	maxKnocks  = 256 // neighbours that are knocked at; the core does not miss more
)

// knockLife is how long a neighbour is knocked at: as long as the core misses it.
func (f *Farm) knockLife() int64 { return int64(core.LostLife(f.opt.QueryTimeout)) }

// knock asks a neighbour that has been lost whether it lives.
func (f *Farm) knock(n message.Node, addr string) {
	leaving, free := f.state()
	f.links.Send(n, addr, &message.Message{Kind: message.Ping, Addr: f.links.Advertised(), Leaving: leaving, Free: free})
}

// again says that a knock has told nothing.
func (k *knock) again(now int64) {
	k.next = now + k.pause
	k.pause = min(2*k.pause, knockAgain)
}

// knockAll knocks where it is due.
func (f *Farm) knockAll(now int64) {
	for n, k := range f.knocks {
		switch {
		case now >= k.until:
			delete(f.knocks, n)
		case k.next != 0 && now >= k.next:
			k.next = 0
			f.knock(n, k.addr)
		}
	}
}
