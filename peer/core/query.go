package core

import (
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/farmstate/farmstate/peer/message"
)

// query is the question of another node, or of an original, for a session. It is answered to its parents, who sent it here, and what it asks for
// is delivered to its asker.
type query struct {
	id        message.ID
	it        *item
	asker     message.Node
	addr      string
	original  *OriginalQuery // it comes from an original
	peer      int            // from this one
	target    string
	hops      uint8
	chase     uint8
	direct    bool // asks whether the session is here or where it went, and nothing else
	urgent    bool
	look      bool         // the session is not to be moved; see message.Message.Look
	server    message.Node // who serves it, if look
	begun     int64        // when its asker began to ask
	rank      uint32
	gen       uint32 // the asker holds a copy of this generation that is not its own yet; 0 = none
	since     int64
	deadline  int64
	asked     int64 // when those who owe an answer were asked
	state     queryState
	parents   []message.Node
	around    map[message.Node]struct{} // who has been asked by the first of them; see askedBy
	pending   []message.Node            // who owes an answer
	chaseID   message.ID                // the question to the node that the session went to; zero if there is none
	chased    message.Node              // that node
	viaOrig   bool                      // an original was asked
	undecided bool
	census    bool
	copies    []message.CopyAt // of the session, told by those who were asked
	removed   uint32           // the generation in which it was removed, likewise
	lost      []message.Node   // told by those who were asked, and this node's own
	seenBy    []message.Node   // who has answered, if census
	searched  bool             // of an original: this node has looked for it already
	answer    *message.Message
}

// queryState says how far a query is.
type queryState uint8

const (
	queryWaits    queryState = iota // among the askers of its session, or its session is being taken
	queryAsks                       // others have been asked
	queryFound                      // the session is on its way to the asker
	queryAnswered                   // with answer; kept to answer the same again
)

// query takes in a Query.
func (c *Core) query(now int64, from message.Node, m *message.Message) {
	if m.Node == c.opt.Node { // our own has come round; or what we look for has been sent to us
		kind := message.NotHere
		if m.Direct {
			kind = message.Found
		}
		c.send(from, "", &message.Message{Kind: kind, ID: m.ID})
		return
	}
	if q := c.queries[m.ID]; q != nil && q.it.key == m.Key {
		c.seen(now, from, m, q)
		return
	}
	if len(c.queries) >= maxQueries || c.queries[m.ID] != nil {
		c.counts.Overflows++
		c.send(from, "", &message.Message{Kind: message.NotHere, ID: m.ID, Undecided: true})
		return
	}
	c.counts.Queries++
	it := c.item(m.Key)
	wait := int64(min(m.Wait, c.opt.QueryTimeout))
	if wait <= 0 {
		wait = int64(c.opt.QueryTimeout)
	}
	q := &query{
		id: m.ID, it: it, asker: m.Node, addr: m.Addr, target: m.Target,
		hops: min(m.Hops, c.opt.MaxForwards), chase: min(m.Chase, maxChase), direct: m.Direct, urgent: m.Urgent, look: m.Look, begun: now - int64(m.Age), rank: m.Rank, gen: m.Gen, census: m.Census,
		since: now, deadline: now + wait, parents: []message.Node{from}, around: c.askedBy(from, m),
	}
	c.queries[q.id] = q
	c.timers.add(timer{at: q.deadline, query: q})
	c.hear(now, q.it.key, q.rank)
	c.examine(now, q)
	c.tidy(now, it)
}

// seen takes in a query for the second time.
func (c *Core) seen(now int64, from message.Node, m *message.Message, q *query) {
	c.counts.Duplicates++
	switch {
	case q.hops == 0 && min(m.Hops, c.opt.MaxForwards) > 0 && !m.Direct && !q.direct:
		c.extend(now, from, m, q)
	case !slices.Contains(q.parents, from):
		// Somebody else is our parent, and gets our answer.
		c.send(from, "", &message.Message{Kind: message.NotHere, ID: q.id})
	case q.state == queryAnswered:
		c.send(from, "", q.answer)
	case q.state == queryFound:
		c.send(from, "", &message.Message{Kind: message.Found, ID: q.id, Owner: q.server})
	case q.state == queryAsks && now-q.asked >= repeatAfter && now < q.deadline: // an answer, or our question, may have been lost
		q.asked = now
		if q.chaseID != (message.ID{}) {
			c.sendChase(now, q)
		}
		for _, n := range q.pending {
			c.forward(now, q, n)
		}
	}
}

// extend takes in a query that may go on, whose first copy had no hops left because it has come by a longer way. Once for each query, or it would be asked over and
// over in large farms. Whoever sends it now is its parent from now on. Those before are told what a second parent is told, or nodes could wait for each
// other in a circle: a node has always fewer hops left than its parent.
func (c *Core) extend(now int64, from message.Node, m *message.Message, q *query) {
	if !slices.Contains(q.parents, from) {
		if q.state == queryWaits || q.state == queryAsks {
			for _, p := range q.parents {
				c.send(p, "", &message.Message{Kind: message.NotHere, ID: q.id})
			}
		}
		q.parents = []message.Node{from}
	}
	q.hops, q.around = min(m.Hops, c.opt.MaxForwards), c.askedBy(from, m)
	switch {
	case q.state == queryFound:
		c.send(from, "", &message.Message{Kind: message.Found, ID: q.id, Owner: q.server})
	case q.state == queryAsks && q.chaseID == (message.ID{}), q.state == queryAnswered && now < q.deadline:
		c.ask(now, q)
	case q.state == queryAnswered:
		c.send(from, "", q.answer)
	}
}

// hear takes note of a query for a session: whoever looks for it from now on comes after.
func (c *Core) hear(now int64, key string, rank uint32) {
	hash := xxhash.Sum64String(key)
	if old, ok := c.heard.get(now, hash); ok {
		rank = max(rank, old)
	}
	c.heard.put(now, now+2*int64(c.opt.QueryTimeout), hash, rank)
	c.do(Forget{Key: key})
}

// examine decides what becomes of a query now.
func (c *Core) examine(now int64, q *query) {
	it := q.it
	q.state = queryWaits
	switch {
	case now >= q.deadline:
		c.reply(q, &message.Message{Kind: message.NotHere, Undecided: true})
	case it.held != nil && c.yields(it.held, q):
		c.notHere(now, q)
	case it.held != nil:
		c.wait(q)
	case it.search != nil && (it.search.found || q.original != nil || c.first(it.search, q)):
		c.wait(q)
	case it.search != nil:
		// Its origin had not heard of our question when it began. If it never does, for it is new in the farm, what it creates is found by another one.
		it.search.overtaken = it.search.overtaken || !q.direct && c.opt.Weaken&NoRank == 0
		c.notHere(now, q)
	case it.move != nil || it.settling:
		c.wait(q)
	case it.stay > now:
		c.wait(q)
	default:
		c.take(now, q)
	}
}

// notHere goes on with a query whose session is not here: where that went, or to all.
func (c *Core) notHere(now int64, q *query) {
	switch {
	case now >= q.deadline:
		c.reply(q, &message.Message{Kind: message.NotHere, Undecided: true})
	case c.leads(now, q):
		c.follow(now, q)
	default:
		c.ask(now, q)
	}
}

// yields reports whether the asker holds such a copy, too, and has to decide first what becomes of it. Ours is not dropped for that: the question may be
// an old one.
func (c *Core) yields(h *held, q *query) bool {
	return h.orphan && (q.gen > h.gen || q.gen == h.gen && slices.Compare(q.asker[:], c.opt.Node[:]) < 0)
}

// first reports whether an own search goes before somebody's query for the same session.
func (c *Core) first(s *search, q *query) bool {
	if c.opt.Weaken&NoRank != 0 {
		return false
	}
	if s.rank != q.rank {
		return s.rank < q.rank
	}
	return slices.Compare(c.opt.Node[:], q.asker[:]) < 0
}

// leads reports whether it is known where the session of a query went, unless that was to the very node that asks.
func (*Core) leads(now int64, q *query) bool {
	p := &q.it.went
	return p.good(now) && (p.original || q.original != nil || q.asker != p.node)
}

// wait puts a query behind the others that wait for the session.
func (c *Core) wait(q *query) {
	if len(q.it.askers) >= maxAskers {
		c.counts.Overflows++
		c.reply(q, &message.Message{Kind: message.NotHere, Undecided: true})
		return
	}
	q.it.askers = append(q.it.askers, q)
}

// proceed looks at those who wait for a session, in order, because something has changed.
func (c *Core) proceed(now int64, it *item) {
	if len(it.askers) == 0 {
		return
	}
	askers := it.askers
	it.askers = nil
	for _, q := range askers {
		c.examine(now, q)
	}
}

// follow sends a query after a session that has moved on.
func (c *Core) follow(now int64, q *query) {
	p := q.it.went
	switch {
	case p.original && q.original != nil:
		c.rebroadcast(now, q)
	case p.original:
		c.ask(now, q) // originals among the others
	case q.original != nil:
		c.gateway(now, q)
	case q.chase == 0:
		c.counts.Overflows++
		c.reply(q, &message.Message{Kind: message.NotHere, Undecided: true})
	default:
		c.counts.Chases++
		q.chase--
		q.state, q.asked = queryAsks, now
		q.chaseID, q.chased = c.opt.NewID(), p.node
		c.chases[q.chaseID] = q
		c.sendChase(now, q)
	}
}

// sendChase asks the node to which a session went. The question has an id of its own: that node may have answered the query before the session came to it.
func (c *Core) sendChase(now int64, q *query) {
	m := c.onward(now, q)
	m.ID, m.Direct, m.Hops = q.chaseID, true, 0
	addr := ""
	if q.it.went.node == q.chased {
		addr = q.it.went.addr
	}
	c.send(q.chased, addr, m)
}

// chaseEnded goes on with a query whose session is not where it went.
func (c *Core) chaseEnded(now int64, q *query, undecided bool) {
	delete(c.chases, q.chaseID)
	q.chaseID = message.ID{}
	q.undecided = q.undecided || undecided
	c.ask(now, q)
}

// ask asks the others: the session is not here.
func (c *Core) ask(now int64, q *query) {
	if q.original != nil {
		c.gateway(now, q)
		return
	}
	q.state, q.asked = queryAsks, now
	q.pending = nil
	q.lost = union(q.lost, c.missed(now)) // now: one whose link comes back while others are asked has not been asked
	if q.hops > 0 && !q.direct {
		for _, n := range c.order {
			if _, asked := q.around[n.node]; !asked && n.node != q.asker && !slices.Contains(q.parents, n.node) {
				q.pending = append(q.pending, n.node)
				c.forward(now, q, n.node)
			}
		}
		if len(c.originals) > 0 && !q.viaOrig {
			q.viaOrig = true
			c.do(Ask{Peer: AllOriginals, Except: -1, Query: c.toOriginals(now, q.id, q.it.key, q.target, q.hops-1)})
		}
	}
	c.concludeQuery(now, q)
}

// forward sends a query on to a neighbour.
func (c *Core) forward(now int64, q *query, to message.Node) {
	m := c.onward(now, q)
	m.ID, m.Hops, m.Sum = q.id, q.hops-1, c.sum
	c.send(to, "", m)
}

// onward is what is the same in all questions on behalf of a query.
func (*Core) onward(now int64, q *query) *message.Message {
	return &message.Message{
		Kind: message.Query, Key: q.it.key, Node: q.asker, Addr: q.addr, Target: q.target,
		Chase: q.chase, Urgent: q.urgent, Look: q.look, Age: time.Duration(now - q.begun), Rank: q.rank, Gen: q.gen, Census: q.census,
		Wait: time.Duration(max(q.deadline-now, 1)),
	}
}

// answered takes in NotHere and Found.
func (c *Core) answered(now int64, from message.Node, m *message.Message) {
	if s := c.searches[m.ID]; s != nil {
		c.searchAnswered(now, from, m, s)
		return
	}
	if q := c.chases[m.ID]; q != nil {
		switch {
		case q.chased != from || q.state != queryAsks:
		case m.Kind == message.Found:
			q.server = m.Owner
			c.found(q)
		default:
			c.chaseEnded(now, q, m.Undecided)
		}
		return
	}
	q := c.queries[m.ID]
	if q == nil || q.state != queryAsks {
		return
	}
	i := slices.Index(q.pending, from)
	if i < 0 {
		return
	}
	q.pending = slices.Delete(q.pending, i, i+1)
	if m.Kind == message.Found {
		q.server = m.Owner
		c.found(q)
		return
	}
	q.viaOrig = q.viaOrig || m.Original
	q.undecided = q.undecided || m.Undecided
	q.copies, q.removed = met(q.copies, m.Copies), max(q.removed, m.Removed)
	q.lost, q.seenBy = union(q.lost, m.Lost), union(q.seenBy, m.Seen)
	c.concludeQuery(now, q)
}

// union adds to a those of b that it lacks, up to maxLost in all. The result is a list of its own, as messages that contain one may be on their way still.
func union(a, b []message.Node) []message.Node {
	own := false
	for _, n := range b {
		if len(a) < maxLost && !slices.Contains(a, n) {
			if !own {
				a, own = slices.Clip(a), true
			}
			a = append(a, n)
		}
	}
	return a
}

// found tells the parents of a query that its asker will get the session.
func (c *Core) found(q *query) {
	c.unask(q)
	q.state = queryFound
	for _, p := range q.parents {
		c.send(p, "", &message.Message{Kind: message.Found, ID: q.id, Owner: q.server})
	}
}

// unask waits for nobody's answer any more.
func (c *Core) unask(q *query) {
	if q.chaseID != (message.ID{}) {
		delete(c.chases, q.chaseID)
		q.chaseID = message.ID{}
	}
	q.pending = nil
}

// concludeQuery answers a query when all who were asked have answered.
func (c *Core) concludeQuery(now int64, q *query) {
	if q.state != queryAsks || len(q.pending) > 0 || q.chaseID != (message.ID{}) {
		return
	}
	// A node that has ended since the asker began to ask may have handed the session to one that had been asked before, and nobody can be sent after it any more.
	a := &message.Message{Kind: message.NotHere, Original: q.viaOrig, Undecided: q.undecided || c.joining || now < c.dazed || q.begun < c.ended, Lost: union(q.lost, c.missed(now))}
	a.Copies, a.Removed = q.copies, q.removed
	if e := c.shelf[q.it.key]; e != nil {
		a.Copies = met(a.Copies, c.copiesOf(now, e))
	}
	if t, ok := c.tombs.get(now, q.it.hash(c)); ok {
		a.Removed = max(a.Removed, above(t.gen))
	}
	if q.census {
		a.Seen = union(q.seenBy, []message.Node{c.opt.Node})
	}
	c.reply(q, a)
	if q.viaOrig && now < q.deadline && len(q.it.hopeful) < maxAskers && !slices.Contains(q.it.hopeful, q) {
		q.it.hopeful = append(q.it.hopeful, q)
	}
}

// reply answers a query with m, now and whenever it is repeated.
func (c *Core) reply(q *query, m *message.Message) {
	m.ID = q.id
	c.unask(q)
	q.state, q.answer = queryAnswered, m
	for _, p := range q.parents {
		c.send(p, "", m)
	}
}

// expire is called when a query's time is up, and again when it is to be forgotten.
func (c *Core) expire(now int64, q *query) {
	it := q.it
	if forget := q.deadline + int64(c.opt.QueryTimeout)/2; now < forget {
		it.askers = slices.DeleteFunc(it.askers, func(w *query) bool { return w == q })
		it.hopeful = slices.DeleteFunc(it.hopeful, func(w *query) bool { return w == q })
		if q.state == queryAsks || q.state == queryWaits && (it.move == nil || it.move.q != q) {
			c.reply(q, &message.Message{Kind: message.NotHere, Undecided: true})
		}
		c.timers.add(timer{at: forget, query: q})
	} else if c.queries[q.id] == q {
		delete(c.queries, q.id)
	}
	c.tidy(now, it)
}
