package member

import (
	"encoding/hex"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/farmstate/farmstate/peer/message"
)

// State is what is known of a member.
type State uint8

// The states of a member.
const (
	Unknown State = iota
	Alive
	Dead
	Left
)

// stateNames are the words for states, for people and metrics.
var stateNames = [...]string{Unknown: "unknown", Alive: "alive", Dead: "dead", Left: "left"}

func (s State) String() string { return stateNames[s] }

// Status is one member as it looks from here.
type Status struct {
	Member
	Gossip netip.AddrPort // where it takes gossip
	State  State          // Alive or Dead
	Since  time.Time      // of the state
}

// maxDead is how many dead members are remembered.
const maxDead = 256

// entry is a member.
type entry struct {
	Status
	going bool // it has said that it ends
	// told and toldState are what the handler has heard.
	told      Member
	toldState State
}

// table is who is in the farm. memberlist fills it, holding locks of its own; the teller takes from it what the handler has yet to hear.
//
// Invariant: dirty has each entry of which the handler has not heard the latest. Entries that are Left go when it has.
type table struct {
	self    message.Node
	limit   int
	life    time.Duration // of dead entries
	wake    chan struct{} // holds one token while there may be something to tell
	ignored func(addr string, err error)

	mu      sync.Mutex
	entries map[message.Node]*entry   // guarded by mu
	dirty   map[message.Node]struct{} // guarded by mu
	alive   int                       // entries that are; guarded by mu
}

func newTable(opt *Options, ignored func(string, error)) *table {
	return &table{
		self: opt.Node, limit: opt.MaxMembers, life: opt.DeadLife, wake: make(chan struct{}, 1), ignored: ignored,
		entries: map[message.Node]*entry{}, dirty: map[message.Node]struct{}{},
	}
}

var (
	errName = errors.New("its name is not that of a farmstate node")
	errFull = errors.New("there are as many members as there may be")
)

// NotifyAlive implements memberlist.AliveDelegate: whoever is refused is not there for memberlist either.
func (t *table) NotifyAlive(n *memberlist.Node) error {
	node, ok := parseName(n.Name)
	if !ok {
		return errName
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[node]; node != t.self && (e == nil || e.State != Alive) && t.alive >= t.limit {
		return errFull
	}
	return nil
}

// NotifyJoin implements memberlist.EventDelegate.
func (t *table) NotifyJoin(n *memberlist.Node) { t.saw(n) }

// NotifyUpdate implements memberlist.EventDelegate.
func (t *table) NotifyUpdate(n *memberlist.Node) { t.saw(n) }

// saw takes note of what a living member says.
func (t *table) saw(n *memberlist.Node) {
	node, ok := parseName(n.Name)
	if !ok || node == t.self {
		return
	}
	ip, _ := netip.AddrFromSlice(n.Addr) // without one it has no address
	at := netip.AddrPortFrom(ip.Unmap(), n.Port)
	c, err := parseMeta(n.Meta)
	if err != nil {
		t.ignored(at.String(), err)
		return
	}
	c.Node, c.PeerAddr, c.StateAddr, c.AdminAddr = node, complete(c.PeerAddr, at), complete(c.StateAddr, at), complete(c.AdminAddr, at)
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[node]
	if e == nil {
		e = &entry{}
		t.entries[node] = e
	}
	if e.State != Alive {
		t.alive++
		e.State, e.Since = Alive, time.Now()
		t.replaceLocked(at, node)
	}
	e.Member, e.Gossip, e.going = c.Member, at, c.going
	t.touchLocked(node)
}

// replaceLocked forgets dead members at an address at which another lives now.
func (t *table) replaceLocked(at netip.AddrPort, by message.Node) {
	for node, e := range t.entries {
		if node != by && e.State == Dead && e.Gossip == at {
			e.State = Left // the handler hears of its death if it has not yet, and it goes
			t.touchLocked(node)
		}
	}
}

// NotifyLeave implements memberlist.EventDelegate.
func (t *table) NotifyLeave(n *memberlist.Node) {
	node, ok := parseName(n.Name)
	if !ok || node == t.self {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[node]
	if e == nil || e.State != Alive {
		return
	}
	t.alive--
	e.State, e.Since = Dead, time.Now()
	if e.going {
		e.State = Left
	}
	t.touchLocked(node)
}

func (t *table) touchLocked(node message.Node) {
	t.dirty[node] = struct{}{}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// complete puts the host of a node's gossip address where it named none.
func complete(addr string, gossip netip.AddrPort) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host != "" {
		return addr
	}
	return net.JoinHostPort(gossip.Addr().String(), port)
}

// tell tells a handler what it has not heard yet.
func (t *table) tell(h Handler, log *notices) {
	t.mu.Lock()
	nodes := slices.Collect(maps.Keys(t.dirty))
	clear(t.dirty)
	t.mu.Unlock()
	for _, node := range nodes {
		t.mu.Lock()
		e := t.entries[node]
		now, told, toldState := e.Status, e.told, e.toldState
		e.told, e.toldState = e.Member, e.State
		if e.State == Left {
			delete(t.entries, node)
		}
		t.mu.Unlock()
		switch {
		case now.State == Alive && toldState != Alive:
			log.joined(&now)
			h.Joined(now.Member)
		case now.State == Alive && now.Member != told:
			h.Changed(now.Member)
		case now.State == Dead && toldState == Alive:
			log.dead(&now)
			h.Dead(node)
		case now.State == Left && toldState == Alive:
			log.left(&now)
			h.Left(node)
		}
	}
	t.prune(time.Now())
}

// prune forgets those who have been dead for long, and the oldest if there are many.
func (t *table) prune(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var dead []*entry
	for node, e := range t.entries {
		if _, dirty := t.dirty[node]; e.State != Dead || dirty {
			continue
		}
		if now.Sub(e.Since) > t.life {
			delete(t.entries, node)
			continue
		}
		dead = append(dead, e)
	}
	if len(dead) <= maxDead {
		return
	}
	slices.SortFunc(dead, func(a, b *entry) int { return a.Since.Compare(b.Since) })
	for _, e := range dead[:len(dead)-maxDead] {
		delete(t.entries, e.Node)
	}
}

// all returns the members, those that are dead among them, in the order of their names and nodes.
func (t *table) all() []Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Status, 0, len(t.entries))
	for _, e := range t.entries {
		if e.State != Left {
			list = append(list, e.Status)
		}
	}
	slices.SortFunc(list, func(a, b Status) int { return slices.Compare(a.Node[:], b.Node[:]) })
	return list
}

// living is how many members are alive, and whether the handler has heard all.
func (t *table) living() (n int, toldAll bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.alive, len(t.dirty) == 0
}

// shortNode is the beginning of a node's name, for logs.
func shortNode(n message.Node) string { return hex.EncodeToString(n[:4]) }
