package core

import (
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// search is a session that this node looks for: because a request wants it (fetch), because an original does, or because a copy that is held here may be the
// only one.
type search struct {
	id        message.ID // of the question that is out; a new one each time
	rank      uint32
	it        *item
	fetch     *engine.Fetch // nil if no request waits
	target    string
	urgent    bool
	about     mark  // of a look: the copy because of which it is made; another one may be here by now
	look      bool  // the session is not to be moved here if it is served anywhere
	since     int64 // when the question that is out was first asked
	deadline  int64
	pending   []message.Node // who owes an answer
	direct    bool           // only the node that the session went to has been asked
	asked     bool           // originals have been asked
	found     bool           // somebody will deliver it
	overtaken bool           // a search went first that this question may not have reached
	original  bool           // an original was asked, here or elsewhere
	undecided bool
	census    bool             // the answers say who has given them
	copies    []message.CopyAt // those that the answers name
	removed   uint32           // the generation in which the session was removed, by the answers
	claimed   message.CopyAt   // the copy that has been asked for, to take the session over
	claimAll  []message.CopyAt // all copies known then
	whom      string           // where the one is to be reached who alone has been asked
	lost      []message.Node   // who is missed, by those who have answered
	seenBy    []message.Node   // who has answered, if census
	ends      uint64           // Core.ends when this question was first asked; see concludeQuery
	resend    int64            // when to repeat the question to those who owe an answer
	retry     int64            // when to ask anew; 0 = not needed
	tries     int
}

// Find looks for a session that a request wants and the engine does not have.
func (c *Core) Find(now int64, f *engine.Fetch) {
	c.feel(now)
	c.counts.Searches++
	it := c.item(f.Key)
	if ad := it.adoption; ad != nil { // it is about to be served here
		ad.fetch = f
		return
	}
	if s := it.search; s != nil {
		// This node looks for it already on behalf of somebody else.
		s.fetch, s.deadline = f, max(s.deadline, c.until(now, f))
		s.urgent = s.urgent || f.Urgent
		if s.look {
			s.look = false
			if !s.found {
				c.question(now, s)
			}
		}
		c.at(s.deadline, it)
		c.at(s.deadline-silence, it)
		return
	}
	c.begin(now, &search{it: it, fetch: f, target: f.Target, urgent: f.Urgent, deadline: c.until(now, f)})
	c.proceed(now, it) // those who ask for it may be answered
	c.tidy(now, it)
}

// until is when the search for what a request wants ends.
func (c *Core) until(now int64, f *engine.Fetch) int64 {
	return max(f.Deadline-int64(c.opt.Slack), min(f.Deadline, now+minSearch))
}

// minSearch is the least time that a search has, if the request's deadline lets it.
const minSearch = int64(10 * time.Millisecond)

// begin starts a search.
func (c *Core) begin(now int64, s *search) {
	if c.settled {
		c.undecided(s)
		return
	}
	s.it.search = s
	s.rank = 1
	if heard, ok := c.heard.get(now, xxhash.Sum64String(s.it.key)); ok {
		s.rank = max(heard, heard+1) // at the end of the range it stays there: the nodes' names decide
	}
	c.at(s.deadline, s.it)
	c.at(s.deadline-silence, s.it)
	c.question(now, s)
}

// question asks everybody, or first, the one to whom the session went.
func (c *Core) question(now int64, s *search) {
	c.rename(now, s)
	s.direct, s.since = false, now
	s.pending, s.found, s.undecided, s.original, s.overtaken, s.retry = nil, false, false, false, false, 0
	s.lost, s.seenBy = nil, nil
	s.copies, s.removed, s.claimed, s.claimAll = nil, 0, message.CopyAt{}, nil
	if h := s.it.held; h != nil && !h.orphan {
		c.wasFound(now, s, len(h.parcel.Body))
		return
	}
	s.resend = now + resendQuery
	c.at(s.resend, s.it)
	if w := s.it.went; w.good(now) && !w.original && s.tries == 0 {
		c.inquireDirect(now, s, w.node, w.addr)
		return
	}
	if e := c.shelf[s.it.key]; e != nil && s.tries == 0 && c.neighbours[e.owner] != nil {
		c.inquireDirect(now, s, e.owner, "")
		return
	}
	c.flood(now, s)
}

// inquireDirect asks the one node that should have the session.
func (c *Core) inquireDirect(now int64, s *search, node message.Node, addr string) {
	s.direct, s.whom = true, addr
	s.pending = []message.Node{node}
	c.inquire(now, s, node)
}

// rename gives a search's question an id that nobody knows.
func (c *Core) rename(now int64, s *search) {
	s.since = now
	s.ends = c.ends
	delete(c.searches, s.id)
	s.id = c.opt.NewID()
	c.searches[s.id] = s
}

// flood asks all neighbours, and all originals.
func (c *Core) flood(now int64, s *search) {
	if s.direct { // the others do not know this question, but who was asked may have passed it on
		s.direct, s.pending = false, nil
		c.rename(now, s)
	}
	for _, n := range c.order {
		c.askOne(now, s, n)
	}
	if len(c.originals) > 0 {
		s.original = true
		if !s.asked || s.tries > 0 {
			s.asked = true
			c.do(Ask{Peer: AllOriginals, Except: -1, Query: c.toOriginals(now, s.id, s.it.key, s.target, c.opt.MaxForwards)})
		}
	}
	c.conclude(now, s)
}

func (c *Core) askOne(now int64, s *search, n *neighbour) {
	if !slices.Contains(s.pending, n.node) {
		s.pending = append(s.pending, n.node)
		c.inquire(now, s, n.node)
	}
}

// inquire sends the question of a search to a node.
func (c *Core) inquire(now int64, s *search, to message.Node) {
	m := &message.Message{
		Kind: message.Query, ID: s.id, Key: s.it.key, Node: c.opt.Node, Addr: c.opt.Addr, Target: s.target,
		Hops: c.opt.MaxForwards, Chase: maxChase, Urgent: s.urgent, Look: s.look, Age: time.Duration(now - s.since), Rank: s.rank, Census: s.census, Wait: time.Duration(s.deadline - now),
	}
	if !s.direct {
		m.Sum = c.sum
	}
	if h := s.it.held; h != nil && h.orphan {
		m.Gen = h.gen
	}
	addr := ""
	if s.direct {
		m.Direct, m.Hops, addr = true, 0, s.whom
	}
	c.send(to, addr, m)
}

// searchAnswered takes in an answer to an own question.
func (c *Core) searchAnswered(now int64, from message.Node, m *message.Message, s *search) {
	i := slices.Index(s.pending, from)
	if i < 0 || s.found {
		return
	}
	if m.Kind == message.Found && s.look {
		c.served(now, s, m.Owner)
		return
	}
	if m.Kind == message.Found {
		c.wasFound(now, s, 0)
		c.proceed(now, s.it)
		return
	}
	s.pending = slices.Delete(s.pending, i, i+1)
	s.undecided = s.undecided || m.Undecided
	s.original = s.original || m.Original
	s.copies, s.removed = met(s.copies, m.Copies), max(s.removed, m.Removed)
	s.lost, s.seenBy = union(s.lost, m.Lost), union(s.seenBy, m.Seen)
	c.conclude(now, s)
}

// wasFound notes that somebody will deliver a session of so many bytes.
func (c *Core) wasFound(now int64, s *search, size int) {
	s.found, s.pending = true, nil
	s.retry = now + c.moveTime(size) + resendQuery
	c.at(s.retry, s.it)
}

// conclude ends a search when all who were asked have answered.
func (c *Core) conclude(now int64, s *search) {
	if s.it.search != s || s.found || len(s.pending) > 0 || s.retry > now {
		return
	}
	switch {
	case s.direct:
		c.flood(now, s)
	case s.overtaken:
		c.question(now, s)
	case c.opt.Copies > 1 && now-s.since >= leaseTime:
		// We have been asleep, or somebody was slow: we may have counted as dead meanwhile, and then others have not waited for us.
		if now >= s.deadline {
			c.finish(now, s, false)
			return
		}
		s.retry = now + int64(time.Millisecond)
		c.at(s.retry, s.it)
	case s.undecided || c.joining || now < c.dazed || s.ends != c.ends || c.misses(now, s):
		s.census = s.census || c.misses(now, s)
		s.retry = now + int64(10*time.Millisecond)<<min(s.tries, 4)
		c.at(s.retry, s.it)
	case s.original && now < s.deadline-silence:
		// An original says nothing when it has nothing.
	default:
		c.finish(now, s, true)
	}
}

// misses reports whether somebody who may have the session has not been asked.
func (c *Core) misses(now int64, s *search) bool {
	for _, n := range union(s.lost, c.missed(now)) {
		if n != c.opt.Node && !slices.Contains(s.seenBy, n) {
			return true
		}
	}
	return false
}

// silence is how long before its deadline a search ends that waits for an original to say nothing: the requests are to be told "not found", and not that their
// time is up.
const silence = int64(20 * time.Millisecond)

// pursue does what is due about a search.
func (c *Core) pursue(now int64, s *search) {
	switch {
	case now >= s.deadline-silence && s.original && now >= c.dazed && !s.undecided && !s.found && len(s.pending) == 0 && !c.joining && s.ends == c.ends && !c.misses(now, s):
		c.finish(now, s, true)
	case now >= s.deadline:
		c.finish(now, s, false)
	case s.retry != 0 && now >= s.retry:
		c.counts.Repeated++
		s.tries++
		c.question(now, s)
	case now >= s.resend && s.direct: // it is silent; if it lives, the others will find it
		c.flood(now, s)
		s.resend = now + resendQuery
		c.at(s.resend, s.it)
	case now >= s.resend && !s.found && len(s.pending) > 0:
		for _, n := range s.pending {
			c.inquire(now, s, n)
		}
		s.resend = now + resendQuery
		c.at(s.resend, s.it)
	}
}

// finish ends a search. missing says that the session is definitely nowhere; otherwise nobody knows.
func (c *Core) finish(now int64, s *search, missing bool) {
	it := s.it
	delete(c.searches, s.id)
	it.search = nil
	switch {
	case missing && c.takeOver(now, s):
	case it.held != nil && it.held.orphan && missing:
		it.search = s // so that the request gets it
		c.promote(now, it.held)
	case it.held != nil && it.held.orphan:
		it.held.again = now + int64(time.Second)
		c.at(it.held.again, it)
		c.undecided(s)
	case missing:
		c.counts.SearchMisses++
		if s.fetch != nil {
			if s.fetch.Floor = c.floor(now, s); s.fetch.Floor > 0 {
				// Whoever makes the session without asking would begin below it.
			} else if it.move == nil { // otherwise somebody is about to be told that it is not here; see engine.Elsewhere
				c.do(Remember{Key: it.key}) // Must come before Missing.
			}
			c.do(Missing{Fetch: s.fetch})
		}
	default:
		c.undecided(s)
	}
	c.proceed(now, it)
	c.tidy(now, it)
}

func (c *Core) undecided(s *search) {
	if s.fetch == nil {
		return
	}
	c.counts.Undecided++
	c.do(Missing{Fetch: s.fetch, Undecided: true})
	c.do(Notice{What: SearchUndecided, Key: s.it.key})
}
