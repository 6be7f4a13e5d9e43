package hostile

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// waits for the victim to have taken in what was sent before: it answers a question that nobody has asked before.
func (e *evil) heard(a *arena) {
	before := a.victim.farm.Stats().Links.MessagesIn
	e.Send(e.victim, "", &message.Message{Kind: message.Ping, Addr: e.Advertised()})
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for a.victim.farm.Stats().Links.MessagesIn <= before {
		select {
		case <-deadline:
			return
		case <-tick.C:
		}
	}
}

func (e *evil) query(key string, change func(m *message.Message)) {
	m := &message.Message{Kind: message.Query, ID: newID(), Key: key, Node: e.id, Addr: e.Advertised(), Hops: 5, Rank: 1, Wait: queryTimeout}
	if change != nil {
		change(m)
	}
	e.Send(e.victim, "", m)
}

func (e *evil) transfer(key string, size int, change func(m *message.Message)) {
	m := &message.Message{Kind: message.Transfer, ID: newID(), Key: key, Gen: 1, Node: e.id, Addr: e.Advertised(), Parcel: engine.Parcel{
		Key: key, Body: make([]byte, size), Minutes: 20, Left: int64(20 * time.Minute), Version: 1, Cookie: 1,
	}}
	if change != nil {
		change(m)
	}
	e.Send(e.victim, "", m)
}

func longKey(i int) string {
	return fmt.Sprintf("/long/%d/", i) + strings.Repeat("k", message.MaxKey-20)
}

// attacks are those that somebody has thought of.
var attacks = []struct {
	name string
	do   func(a *arena, e *evil)
}{
	{"nothing", func(*arena, *evil) {}},
	{"a query in the victim's own name", func(a *arena, e *evil) {
		for _, direct := range []bool{false, true} {
			e.query("/h/1", func(m *message.Message) { m.Node, m.Direct = e.victim, direct })
		}
	}},
	{"queries in the name of others, at addresses of strangers", func(a *arena, e *evil) {
		for i := range 100 {
			e.query(fmt.Sprint("/h/", i), func(m *message.Message) {
				m.Node = newNode()
				m.Addr = []string{a.canary.Addr().String(), a.closed, a.victim.addr(), a.other.addr(), ""}[i%5]
			})
		}
	}},
	{"sessions that are delivered to strangers come back", func(a *arena, e *evil) {
		for i := range 20 {
			key := fmt.Sprint("/h/", i)
			e.transfer(key, 100, nil)
			e.query(key, func(m *message.Message) {
				m.Node, m.Urgent = newNode(), true
				m.Addr = []string{a.canary.Addr().String(), a.closed, a.victim.addr(), a.other.addr(), ""}[i%5]
			})
		}
	}},
	{"the honest node is said to be at an address that refuses", func(a *arena, e *evil) {
		for i := range 50 {
			e.query(fmt.Sprint("/h/", i), func(m *message.Message) { m.Node, m.Addr = a.other.farm.Node(), a.closed })
			e.transfer(fmt.Sprint("/h/", i), 10, func(m *message.Message) { m.Node, m.Addr = a.other.farm.Node(), a.closed })
		}
	}},
	{"a flood of queries with ranks that cannot be topped", func(a *arena, e *evil) {
		for i := range 3000 {
			e.query(fmt.Sprint("/h/", i%50), func(m *message.Message) { m.Rank = math.MaxUint32 - uint32(i%2) })
		}
	}},
	{"a flood of queries with the longest keys", func(a *arena, e *evil) {
		for i := range 900 {
			e.query(longKey(i), nil)
		}
	}},
	{"a query with one id and many keys", func(a *arena, e *evil) {
		id := newID()
		for i := range 300 {
			e.query(fmt.Sprint("/h/", i%7), func(m *message.Message) { m.ID, m.Chase, m.Census = id, 255, true })
		}
	}},
	{"sessions that nobody has asked for, and no word any more", func(a *arena, e *evil) {
		for i := range 300 {
			e.transfer(fmt.Sprint("/h/", i), 1000, func(m *message.Message) { m.Gen = math.MaxUint32 })
		}
	}},
	{"sessions that fill all memory", func(a *arena, e *evil) {
		for i := range 100 {
			e.transfer(fmt.Sprint("/h/", i), 1<<20, nil)
			e.heard(a)
		}
	}},
	{"sessions above the largest size", func(a *arena, e *evil) {
		for i := range 10 {
			e.transfer(fmt.Sprint("/h/", i), 1<<20+1, nil)
		}
	}},
	{"parts that never end", func(a *arena, e *evil) {
		for i := range 16 {
			e.transfer(fmt.Sprint("/h/", i), 1<<20, nil)
		}
	}},
	{"a session again and again, each time of a later generation", func(a *arena, e *evil) {
		for i := range 200 {
			e.transfer("/h/1", 2000, func(m *message.Message) { m.Gen = uint32(i) })
		}
	}},
	{"planted, aborted, committed, in any order", func(a *arena, e *evil) {
		for i := range 200 {
			id, key := newID(), fmt.Sprint("/h/", i%20)
			e.transfer(key, 3000, func(m *message.Message) { m.ID, m.Gen = id, uint32(i) })
			e.Send(e.victim, "", &message.Message{Kind: []message.Kind{message.Abort, message.Commit}[i%2], ID: id, Key: key, Gen: uint32(i)})
			e.Send(e.victim, "", &message.Message{Kind: []message.Kind{message.Commit, message.Abort}[i%2], ID: id, Key: key, Gen: uint32(i)})
		}
	}},
	{"old copies of sessions that are served", func(a *arena, e *evil) {
		for i := range 50 {
			e.transfer(quietLocked, 50, func(m *message.Message) { m.Gen, m.Parcel.Version = 0, uint32(i%2) })
			e.transfer(quietLarge, 200<<10, func(m *message.Message) { m.Gen, m.Parcel.Version, m.Leave = 0, 1, true })
		}
	}},
	{"words about the moves of others", func(a *arena, e *evil) {
		for _, k := range []string{quietLocked, quietSaved, quietLarge} {
			for _, kind := range []message.Kind{message.Held, message.Commit, message.Abort, message.Refused} {
				e.Send(e.victim, "", &message.Message{Kind: kind, ID: newID(), Key: k, Reason: message.Newer, Theirs: math.MaxUint32})
			}
		}
	}},
	{"lies about neighbours", func(a *arena, e *evil) {
		all := []message.Node{e.victim, a.other.farm.Node(), e.id}
		for range 253 {
			all = append(all, newNode())
		}
		for i := range 200 {
			e.Send(e.victim, "", &message.Message{Kind: message.Around, Nodes: all[:1+i], Sum: uint32(i)})
			e.query(fmt.Sprint("/h/", i), func(m *message.Message) { m.Sum = uint32(i) })
		}
	}},
	{"answers that lie: found", func(a *arena, e *evil) { e.answers(1) }},
	{"answers that lie: undecided", func(a *arena, e *evil) { e.answers(2) }},
	{"no answers", func(a *arena, e *evil) { e.answers(3) }},
	{"a taker that refuses for ever", func(a *arena, e *evil) {
		e.answers(4)
		for i := range 5 {
			e.transfer(fmt.Sprint("/h/", i), 100<<10, nil)
			e.query(fmt.Sprint("/h/", i), nil)
		}
	}},
	{"a taker that never says a word", func(a *arena, e *evil) {
		e.answers(12)
		for i := range 50 {
			e.transfer(fmt.Sprint("/h/", i), 1000, nil)
			e.query(fmt.Sprint("/h/", i), nil)
		}
	}},
	{"locks and lives at their limits", func(a *arena, e *evil) {
		e.answers(committing)
		for i := range 20 {
			e.transfer(fmt.Sprint("/h/", i%5), 10, func(m *message.Message) {
				m.Gen = uint32(i)
				m.Parcel.Cookie, m.Parcel.Locked, m.Parcel.Skip, m.Parcel.LockAge = 2147483646, i%2 == 0, math.MaxUint16, math.MaxInt64
				m.Parcel.Minutes, m.Parcel.Left = 525600, math.MaxInt64
			})
		}
		// Such a session may not break the links between nodes that pass it on.
		eventually(a.tb, func() string {
			for i := range 5 {
				if s := a.victim.engine.Look(a.victim.now(), fmt.Append(nil, "/h/", i)); s.State != engine.SightHere {
					return fmt.Sprintf("session %d: %+v", i, s)
				}
			}
			return ""
		})
		for i := range 5 {
			if out, _, _ := a.other.do(a.tb, engine.Get, fmt.Sprint("/h/", i), "", 0); out.Status != engine.OK && out.Status != engine.Locked {
				a.tb.Errorf("a session at its limits: %v", out.Status)
			}
		}
	}},
	{"links by many names", func(a *arena, _ *evil) {
		for range 40 {
			func() {
				other := &evil{id: newNode(), linked: make(chan struct{}), victim: a.victim.farm.Node()}
				if other.start(a.victim) != nil {
					return
				}
				defer other.stop()
				select {
				case <-other.linked:
				case <-time.After(patience):
				}
			}()
		}
	}},
}

// TestAttacks plays each of them, and then checks that nobody has noticed and nothing is left.
func TestAttacks(t *testing.T) {
	a := newArena(t)
	defer a.close()
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			a.attack(t, func(e *evil) {
				attack.do(a, e)
				e.heard(a)
			})
		})
	}
}

// FuzzFarmPeer: whatever sequence of messages a node of the farm sends, the sessions that it has not asked for are served as they are, and when it has gone nothing is left.
func FuzzFarmPeer(f *testing.F) {
	a := newArena(f)
	f.Cleanup(a.close)
	f.Add([]byte{})
	for op := range byte(numOps) {
		f.Add([]byte{op, 1, 2, 3, op, 0xff, 0, 0xff, 0, 1, 2, 3, op, 7, 7, 7})
	}
	f.Add([]byte{opTransfer, 1, 2, 3, opQuery, 1, 2, 3, opHeld, 1, 2, 3, opTransfer, 1, 2, 0xff, opCommit, 1, 2, 0xff, opQuery, 1, 0xff, 1, opAnswer, 0, 0, 12, opQuery, 1, 2, 3})
	f.Fuzz(func(t *testing.T, in []byte) {
		a.attack(t, func(e *evil) {
			s := script{a: a, e: e, in: in[:min(len(in), 400)]}
			for len(s.in) >= 4 {
				s.step()
			}
			e.heard(a)
		})
	})
}

// The steps of a script, four bytes each.
const (
	opQuery = iota
	opTransfer
	opHeld
	opCommit
	opAbort
	opRefused
	opNotHere
	opFound
	opAround
	opPing
	opHello
	opAnswer
	opPass
	opLocal
	opStale
	numOps
)

// script is what a fuzzer lets the hostile node do.
type script struct {
	a    *arena
	e    *evil
	in   []byte
	sent []message.ID
}

// number is small or at the end of its range.
func number(b byte) uint32 {
	if b >= 0x80 {
		return math.MaxUint32 - uint32(0xff-b)
	}
	return uint32(b)
}

func (s *script) key(b byte) string {
	if b >= 0xf8 {
		return longKey(int(b))
	}
	return fmt.Sprint("/h/", b%8)
}

func (s *script) node(b byte) message.Node {
	return []message.Node{s.e.id, s.a.victim.farm.Node(), s.a.other.farm.Node(), {b}, s.e.id}[b%5]
}

func (s *script) addr(b byte) string {
	return []string{s.e.Advertised(), s.a.canary.Addr().String(), s.a.closed, s.a.victim.addr(), s.a.other.addr(), "", s.e.Advertised()}[b%7]
}

// id is new, one that was sent, or one that was seen.
func (s *script) id(b byte) message.ID {
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	switch n := int(b / 4); {
	case b%4 == 1 && len(s.sent) > 0:
		return s.sent[n%len(s.sent)]
	case b%4 == 2 && len(s.e.queries) > 0:
		return s.e.queries[n%len(s.e.queries)]
	case b%4 == 3 && len(s.e.moves) > 0:
		return s.e.moves[n%len(s.e.moves)].ID
	}
	id := newID()
	s.sent = append(s.sent, id)
	return id
}

func (s *script) step() {
	op, x, y, z := s.in[0]%numOps, s.in[1], s.in[2], s.in[3]
	s.in = s.in[4:]
	key, id := s.key(x), s.id(y)
	send := func(m *message.Message) { s.e.Send(s.e.victim, "", m) }
	switch op {
	case opQuery:
		s.e.query(key, func(m *message.Message) {
			m.ID, m.Node, m.Addr, m.Rank, m.Gen = id, s.node(z), s.addr(z/5), number(z), number(y)
			m.Direct, m.Urgent, m.Census, m.Hops, m.Chase = z&1 != 0, z&2 != 0, z&4 != 0, z, y
			m.Wait = time.Duration(y) * 10 * time.Millisecond
		})
	case opTransfer:
		size := 1 << (z % 18)
		s.e.transfer(key, size, func(m *message.Message) {
			m.ID, m.Gen, m.Addr, m.Leave = id, number(z), s.addr(y), y&1 != 0
			m.Parcel.Version, m.Parcel.Cookie, m.Parcel.Minutes, m.Parcel.Left = number(y), number(z)%2147483646+1, uint32(z%3), int64(y)*int64(time.Second)
			m.Parcel.Locked, m.Parcel.Skip, m.Parcel.LockAge, m.Parcel.Uninitialized = z&1 != 0, uint16(number(y)), int64(number(z))*int64(time.Second), z&2 != 0
		})
	case opHeld, opCommit, opAbort, opRefused:
		kind := []message.Kind{message.Held, message.Commit, message.Abort, message.Refused}[op-opHeld]
		if x%4 == 3 {
			key = quietLarge
		}
		send(&message.Message{Kind: kind, ID: id, Key: key, Gen: number(z), Reason: message.Reason(1 + z%4), Theirs: number(z), Parcel: engine.Parcel{Version: number(x)}})
	case opNotHere:
		send(&message.Message{Kind: message.NotHere, ID: id, Undecided: x&1 != 0, Original: x&2 != 0, Lost: []message.Node{s.node(z)}, Seen: []message.Node{s.node(x)}})
	case opFound:
		send(&message.Message{Kind: message.Found, ID: id})
	case opAround:
		send(&message.Message{Kind: message.Around, Nodes: []message.Node{s.node(x), s.node(y)}, Sum: number(z)})
	case opPing:
		send(&message.Message{Kind: message.Ping, Addr: s.addr(x), Leaving: y&1 != 0, Free: int64(z)})
	case opHello: // ends the link
		send(&message.Message{Kind: message.Hello, Node: s.node(x), Addr: s.addr(y), Protocol: 1, Purpose: message.Neighbour})
	case opAnswer:
		s.e.answers(z)
	case opPass:
		s.a.victim.pass(time.Duration(z) * 50 * time.Millisecond)
	case opLocal: // a user of the victim wants what the hostile node plays with, and does not wait
		r := &request{done: make(chan struct{})}
		r.ticket = engine.Ticket{Op: engine.Op(z % 4), Key: []byte(key), Body: []byte("x"), Minutes: 1, Caller: r}
		r.ticket.Hash = s.a.victim.engine.Hash(r.ticket.Key)
		s.a.victim.engine.Do(s.a.victim.now(), engine.NoLane, &r.ticket)
	case opStale:
		s.e.transfer([]string{quietLocked, quietLarge}[x%2], 1+int(z)<<10, func(m *message.Message) { m.ID, m.Gen, m.Parcel.Version = id, 0, uint32(y%2) })
	}
}
