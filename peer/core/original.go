package core

import (
	"slices"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// Originals ask without an answer, take sessions at once, and carry less than we do. See docs/peer-protocol.md §8. This node stands between them and the farm:
// what an original asks for is brought here first, and what an original has comes here first.

// OriginalQuery is a query as originals understand it.
type OriginalQuery struct {
	Target      string
	ID          message.ID
	Broadcast   message.ID
	Host        string
	MaxForwards int
}

// OriginalTransfer is a session that an original sends.
type OriginalTransfer struct {
	Peer   int
	Parcel *engine.Parcel
	// Handle is the caller's.
	Handle any
}

// OriginalVerdict answers an OriginalTransfer.
type OriginalVerdict uint8

// The verdicts.
const (
	OriginalStored      OriginalVerdict = iota // 200
	OriginalExists                             // 412: there is one that stays
	OriginalUnavailable                        // 503
)

// fresh is a session that an original has sent here and may not know to be here: until it has read our answer it has its copy, which refuses ours and is
// then deleted.
type fresh struct {
	next int64 // when it may be handed to an original
	end  int64 // after that, a copy that the original has stays there
}

// originalPause is when an original has read the answer to its transfer, if it is not very late.
const originalPause = int64(500 * time.Millisecond)

// isFresh reports whether a session is not to be handed to an original yet.
func (c *Core) isFresh(now int64, key string) bool {
	f, ok := c.fresh.get(now, key)
	return ok && now < f.next
}

// broadcast names a query of an original.
type broadcast struct{ id, broadcast message.ID }

// toOriginals is a question in the words of originals. What it finds is to be delivered here.
func (c *Core) toOriginals(now int64, id message.ID, key, target string, hops uint8) OriginalQuery {
	if target == "" {
		target = string(message.AppendTarget(nil, key))
	}
	c.rememberBroadcast(now, broadcast{id: id}, true)
	return OriginalQuery{Target: target, ID: id, MaxForwards: int(hops)}
}

// rememberBroadcast notes a query of originals, so that it counts once. own says that what it finds is delivered here.
func (c *Core) rememberBroadcast(now int64, b broadcast, own bool) {
	c.broadcasts.put(now, now+int64(c.opt.QueryTimeout)*24, b, own)
}

// AskAgain repeats a question to originals that they have not answered: an original that was busy may have lost it, and says nothing. It is called once for
// each Ask that is not the repetition of another, some time after it; q is what that asked.
func (c *Core) AskAgain(now int64, peer int, q OriginalQuery) {
	s, o := c.searches[q.ID], c.queries[q.ID]
	switch {
	case q.Host != "" || q.Broadcast != (message.ID{}):
		return // somebody else's
	case s != nil && !s.found:
	case o != nil && now < o.deadline && (o.state == queryAsks || o.state == queryAnswered && slices.Contains(o.it.hopeful, o)):
	default:
		return
	}
	q.Broadcast = c.opt.NewID() // or it would count as seen
	c.rememberBroadcast(now, broadcast{q.ID, q.Broadcast}, true)
	c.counts.Repeated++
	c.do(Ask{Peer: peer, Except: -1, Query: q})
}

// OriginalQuery takes in an original's query for a session.
func (c *Core) OriginalQuery(now int64, peer int, key string, o *OriginalQuery) {
	seen := broadcast{o.ID, o.Broadcast}
	own, _ := c.broadcasts.get(now, broadcast{id: o.ID})
	if _, ok := c.broadcasts.get(now, seen); ok {
		c.counts.Duplicates++
		return
	}
	c.rememberBroadcast(now, seen, false)
	if own { // come round. If it has ended, nobody here wants its session any more.
		if c.searches[o.ID] != nil || c.queries[o.ID] != nil {
			c.passOn(peer, o)
		}
		return
	}
	if len(c.queries) >= maxQueries {
		c.counts.Overflows++
		return
	}
	c.counts.Queries++
	it := c.item(key)
	q := &query{
		id: c.opt.NewID(), it: it, original: o, peer: peer, target: o.Target, urgent: true, rank: 1,
		since: now, begun: now, deadline: now + int64(c.opt.QueryTimeout),
	}
	c.queries[q.id] = q
	c.timers.add(timer{at: q.deadline, query: q})
	c.hear(now, key, q.rank)
	c.examine(now, q)
	c.tidy(now, it)
}

// gateway looks for a session in the farm on behalf of an original, and lets the other originals know of its query.
func (c *Core) gateway(now int64, q *query) {
	if q.searched {
		q.state = queryAnswered // with silence
		return
	}
	q.searched = true
	c.passOn(q.peer, q.original)
	if len(c.neighbours) == 0 && !c.joining {
		q.state = queryAnswered
		return
	}
	q.state = queryWaits
	it := q.it
	it.askers = append(it.askers, q)
	if it.search == nil && it.held == nil {
		s := &search{it: it, urgent: true, target: q.target, deadline: q.deadline}
		s.asked = true // the originals have just been told
		c.begin(now, s)
	}
}

// passOn forwards an original's query to the other originals.
func (c *Core) passOn(from int, o *OriginalQuery) {
	forward := *o
	forward.MaxForwards = min(forward.MaxForwards, int(c.opt.MaxForwards))
	if forward.MaxForwards <= 0 || len(c.originals) == 0 {
		return
	}
	forward.MaxForwards--
	c.do(Ask{Peer: AllOriginals, Except: from, Query: forward})
}

// rebroadcast sends an original's query round again, because the session has just gone to another original.
func (c *Core) rebroadcast(now int64, q *query) {
	q.state = queryAnswered
	q.it.went = pointer{} // once for each hand-over
	again := *q.original
	again.Broadcast = c.opt.NewID()
	again.MaxForwards = int(c.opt.MaxForwards)
	c.rememberBroadcast(now, broadcast{again.ID, again.Broadcast}, false)
	c.counts.Rebroadcasts++
	c.do(Ask{Peer: AllOriginals, Except: -1, Query: again})
}

// deliver hands a session that has been taken to an original.
func (c *Core) deliver(now int64, m *Move, peer int, host string) {
	m.state, m.original, m.addr = moveOffered, true, host
	m.began = now
	c.do(Deliver{Move: m, Peer: peer, Host: host})
}

// DeliveryOutcome says what an original answered.
type DeliveryOutcome uint8

// The outcomes of a Deliver.
const (
	DeliveredOK        DeliveryOutcome = iota // it has the session
	DeliveredThere                            // it has one of its own, which stays
	DeliveredKept                             // it refused, or was never reached
	DeliveredUncertain                        // it did not answer: it may have a copy
)

// Delivered reports what became of a Deliver.
func (c *Core) Delivered(now int64, m *Move, o DeliveryOutcome) {
	it := m.it
	if it.move != m {
		return
	}
	if m.q != nil {
		m.q.state = queryAnswered
	}
	if f, ok := c.fresh.get(now, it.key); ok && o == DeliveredThere { // its copy may be the one that it sent here, which is about to go
		c.fresh.put(now, f.end, it.key, fresh{now + originalPause/4, f.end})
		o = DeliveredKept
	}
	if o == DeliveredOK || o == DeliveredThere {
		c.counts.OriginalOut++
		if o == DeliveredThere {
			c.counts.Conflicts++
			c.do(Notice{What: SessionConflict, Key: it.key, Addr: m.addr, Gen: m.parcel.Gen, Version: m.parcel.Version})
		}
		c.gone(now, m)
		c.do(Notice{What: OriginalMove, Key: it.key, Addr: m.addr})
		c.proceed(now, it)
		c.tidy(now, it)
		return
	}
	c.counts.OriginalFails++
	if o == DeliveredUncertain {
		c.do(Notice{What: OriginalKept, Key: it.key, Addr: m.addr})
	}
	c.callOff(now, m)
}

// OriginalTransfer takes in a session that an original sends, asked for or not.
func (c *Core) OriginalTransfer(now int64, t *OriginalTransfer, sight engine.Sight) {
	it := c.item(t.Parcel.Key)
	defer c.tidy(now, it)
	verdict := OriginalStored
	switch {
	case it.move != nil || it.settling || it.held != nil || sight.State == engine.SightAway || sight.State == engine.SightOccupied || c.holding >= maxHolding:
		verdict = OriginalUnavailable
	case sight.State == engine.SightHere:
		verdict = OriginalExists
	case c.leaving && it.search == nil && sight.State != engine.SightSought:
		verdict = OriginalUnavailable
	}
	if verdict != OriginalStored {
		if t.Parcel.Reserved {
			c.do(Drop{t.Parcel})
		}
		c.do(Verdict{t, verdict})
		return
	}
	c.counts.OriginalIn++
	end := now + int64(c.opt.QueryTimeout) + originalPause
	c.fresh.put(now, end, it.key, fresh{now + originalPause, end})
	it.went = pointer{}
	c.settle(it, true)
	a := Arrived{Parcel: t.Parcel, Rank: t.Parcel.Gen}
	if s := it.search; s != nil {
		delete(c.searches, s.id)
		it.search = nil
		a.Fetch = s.fetch
	}
	c.do(Forget{Key: it.key})
	c.do(a)
	c.do(Verdict{t, OriginalStored})
	c.do(Notice{What: OriginalMove, Key: it.key})
}

// someOriginal is an original with a live link.
func (c *Core) someOriginal() (int, bool) {
	peers := make([]int, 0, len(c.originals))
	for p := range c.originals {
		peers = append(peers, p)
	}
	if len(peers) == 0 {
		return 0, false
	}
	slices.Sort(peers)
	c.turn++
	return peers[c.turn%len(peers)], true
}
