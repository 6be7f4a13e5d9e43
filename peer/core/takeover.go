package core

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/message"
)

// adoption is a session that is being taken over from a copy. It is served when those who have copies, or are to have them, know of it; until then those who ask for
// it wait.
type adoption struct {
	it     *item
	fetch  *engine.Fetch // nil if no request waits here
	p      *engine.Parcel
	since  int64
	owner  message.Node // whose it was
	search *search      // that found it nowhere
}

// cookieJump is how many cookies an owner may have given out of which its mirrors do not know. See Parcel.Skip.
const cookieJump = 1 << 10

// genJump is how many generations an owner may have gone on, by moves that were called off, of which its mirrors do not know.
const genJump = 1 << 8

const maxSkip = 1<<16 - 1

// claimAgain is after how long a claim without an answer is given up, and the farm asked again.
const claimAgain = int64(250 * time.Millisecond)

// met takes note of copies that a search has met.
func met(list []message.CopyAt, more []message.CopyAt) []message.CopyAt {
	for _, o := range more {
		if len(list) < message.MaxCopies && !slices.ContainsFunc(list, func(x message.CopyAt) bool { return x.Node == o.Node }) {
			list = append(slices.Clip(list), o)
		}
	}
	return list
}

// best is the newest copy of a session that is nowhere and may be taken over.
func (c *Core) best(now int64, s *search) (best message.CopyAt, all []message.CopyAt, ok bool) {
	all = slices.DeleteFunc(slices.Clone(s.copies), func(o message.CopyAt) bool { return o.Node == c.opt.Node }) // others may have sent us one that is on its way
	if e := c.shelf[s.it.key]; e != nil {
		all = met(all, c.copiesOf(now, e))
	}
	removed := c.removed(now, s)
	for _, o := range all {
		living := o.Owner != o.Node && c.neighbours[o.Owner] != nil // and it has said that it does not have the session
		if !o.Ended || living || o.Gen < removed && c.opt.Weaken&NoTombs == 0 {
			continue
		}
		if !ok || better(&o, &best, c.opt.Node) {
			best, ok = o, true
		}
	}
	return best, all, ok
}

// floor is the generation with which a new session begins that is nowhere: above that of a session with the same key that has been removed, and of copies of it that
// have been left behind. A client that abandons its session goes on with the same key.
func (c *Core) floor(now int64, s *search) (gen uint32) {
	_, all, _ := c.best(now, s)
	gen = c.removed(now, s)
	for _, o := range all {
		gen = max(gen, above(o.Gen))
	}
	switch {
	case c.opt.Weaken&NoEpoch != 0:
		return 0
	case gen > 0:
		gen += min(genJump-1, math.MaxUint32-gen)
	}
	return gen
}

// removed is the generation below which sessions with the key that is looked for have been removed, as far as is known here and to those who were asked.
func (c *Core) removed(now int64, s *search) uint32 {
	if t, known := c.tombs.get(now, s.it.hash(c)); known {
		return max(s.removed, above(t.gen))
	}
	return s.removed
}

// above is the generation behind one.
func above(gen uint32) uint32 { return gen + min(1, math.MaxUint32-gen) }

// better reports whether one copy is to be taken rather than another: the newer, of two that are the same our own, of others' the one whose node comes first.
func better(a, b *message.CopyAt, self message.Node) bool {
	x, y := stamp{a.Gen, a.Version, a.Cookie, a.Locked}, stamp{b.Gen, b.Version, b.Cookie, b.Locked}
	switch {
	case y.before(x):
		return true
	case x.before(y):
		return false
	case a.Node == self || b.Node == self:
		return a.Node == self
	}
	return slices.Compare(a.Node[:], b.Node[:]) < 0
}

// takeOver takes over a session that is definitely nowhere and of which there is a copy. It returns false if there is none.
func (c *Core) takeOver(now int64, s *search) bool {
	o, all, ok := c.best(now, s)
	if !ok {
		if e := c.shelf[s.it.key]; e != nil && c.orphaned(now, e) && e.p.Gen < c.removed(now, s) && c.opt.Weaken&NoTombs == 0 {
			c.counts.Leftovers++
			c.retire(now, e, Winner{})
		}
		return false
	}
	if h := s.it.held; h != nil && h.orphan {
		if !older(h.gen, h.parcel.Version, o.Gen, o.Version) {
			return false
		}
		c.discard(now, h)
	}
	if o.Node == c.opt.Node {
		e := c.shelf[s.it.key]
		p := c.revived(now, e)
		owner := e.owner
		c.unshelve(e, true)
		c.adopt(now, s, &p, owner, all)
		return true
	}
	// Whoever asks for it waits for us from now on, as if it were on its way here.
	s.claimed, s.claimAll = o, all
	s.found, s.pending = true, nil
	s.retry = now + claimAgain
	c.at(s.retry, s.it)
	c.searches[s.id] = s
	s.it.search = s
	c.send(o.Node, o.Addr, &message.Message{Kind: message.Claim, ID: s.id, Key: s.it.key, Node: c.opt.Node, Addr: c.opt.Addr})
	return true
}

// claim takes in Claim: somebody takes over a session of which we have a copy. The copy stays here, as one of that node's.
func (c *Core) claim(now int64, from message.Node, m *message.Message) {
	a := &message.Message{Kind: message.Ceded, ID: m.ID, Key: m.Key, Absent: true}
	if e := c.shelf[m.Key]; e != nil && c.orphaned(now, e) && !c.expired(now, e) {
		p := c.revived(now, e)
		a.Absent, a.Owner, a.Gen, a.Parcel = false, e.owner, p.Gen, p
		if e.owner != c.opt.Node {
			c.offered(e, e.owner)
		}
		e.claimer = m.Node
	}
	c.send(from, m.Addr, a)
}

// ceded takes in Ceded.
func (c *Core) ceded(now int64, from message.Node, m *message.Message) {
	s := c.searches[m.ID]
	if s == nil || s.claimed.Node != from || s.it.key != m.Key {
		c.dropParcel(m)
		return
	}
	if m.Absent || m.NoRoom || len(m.Parcel.Body) == 0 {
		c.dropParcel(m)
		s.retry = now + int64(time.Millisecond)
		c.at(s.retry, s.it)
		return
	}
	p := m.Parcel
	p.Key, p.Gen = m.Key, m.Gen
	all := s.claimAll
	c.adopt(now, s, &p, m.Owner, all)
}

// adopt makes a session ours that is taken over. all are the copies that are known.
func (c *Core) adopt(now int64, s *search, p *engine.Parcel, owner message.Node, all []message.CopyAt) {
	it := s.it
	delete(c.searches, s.id)
	it.search = nil
	if e := c.shelf[it.key]; e != nil {
		c.retire(now, e, Winner{Gen: p.Gen, Version: p.Version})
	}
	was := stampOf(p, p.Gen)
	gen := p.Gen
	for _, o := range all {
		gen = max(gen, o.Gen)
	}
	p.Gen = gen
	if c.opt.Weaken&NoEpoch == 0 {
		p.Gen += min(genJump, math.MaxUint32-p.Gen)
	}
	if p.Locked {
		p.Skip = uint16(min(int(p.Skip)+cookieJump, maxSkip))
	} else {
		p.Cookie = min(p.Cookie+uint32(p.Skip)+cookieJump, 1<<31-2)
		p.Skip = 0
	}
	c.settle(it, true)
	ad := &adoption{it: it, fetch: s.fetch, p: p, since: now, owner: owner, search: s}
	it.adoption = ad
	c.counts.TakenOver++
	c.do(Notice{What: SessionTakenOver, Key: it.key, Node: owner})
	hash := it.hash(c)
	w := &wait{kind: waitAdoption, key: it.key, hash: hash, ad: ad, full: func() engine.Parcel { return *p }}
	if c.opt.Copies < 2 {
		c.complete(now, w)
		return
	}
	c.dropTrack(hash)
	for _, o := range all {
		if o.Node != c.opt.Node && !c.hasEnded(now, o.Node) {
			c.setHolder(hash, o.Node, false)
		}
	}
	for _, node := range slices.Clone(c.mirrors(now, hash, c.opt.Copies-1, nil)) {
		i := slices.IndexFunc(all, func(o message.CopyAt) bool {
			return o.Node == node && stamp{o.Gen, o.Version, o.Cookie, o.Locked} == was
		})
		if i < 0 {
			c.sendWhole(now, w, node)
			continue
		}
		c.setHolder(hash, node, true)
		m := copyOf(message.State, it.key, p)
		m.Base = all[i].Owner
		c.tellOne(now, node, m, hash, w)
	}
	if len(w.on) == 0 {
		for _, node := range slices.Clone(c.absent(now, hash)) {
			c.sendWhole(now, w, node)
		}
	}
	c.generation(hash, p.Gen)
	if len(w.on) == 0 {
		c.complete(now, w)
	}
}

// adopted puts a session into service that has been taken over.
func (c *Core) adopted(now int64, ad *adoption) {
	it := ad.it
	if it.adoption != ad {
		return
	}
	it.adoption = nil
	age(ad.p, now-ad.since)
	body := make([]byte, len(ad.p.Body), cap(ad.p.Body)) // the engine may overwrite it, and updates to mirrors may be on their way still
	copy(body, ad.p.Body)
	ad.p.Body = body
	it.went = pointer{}
	c.do(Forget{Key: it.key})
	c.do(Arrived{Fetch: ad.fetch, Parcel: ad.p, From: ad.owner, Rank: ad.p.Gen})
	c.want(it.key) // to make what is still missing, and drop what is too much
}

// beaten gives an adoption up because somebody has a newer state: the session is looked for again.
func (c *Core) beaten(now int64, ad *adoption) {
	it := ad.it
	if it.adoption != ad {
		return
	}
	it.adoption = nil
	p := *ad.p
	c.do(Drop{&p})
	c.settle(it, false)
	s := ad.search
	c.begin(now, &search{it: it, fetch: s.fetch, target: s.target, urgent: s.urgent, deadline: max(s.deadline, now+minSearch)})
	c.proceed(now, it)
	c.tidy(now, it)
}

// offered takes note that a copy of an owner that counts as dead may have been taken over.
func (c *Core) offered(e *shelved, owner message.Node) {
	c.supplanted(owner, e.key, stampOf(&e.p, e.p.Gen))
}

// supplanted takes note that another state of an owner's session may be served than the one that it has.
func (c *Core) supplanted(owner message.Node, key string, s stamp) {
	t := c.taken[owner]
	if t == nil {
		t = map[string]stamp{}
		c.taken[owner] = t
	}
	if len(t) < maxTaken {
		t[key] = s
	}
}

// maxTaken bounds what is kept in mind for one node that counts as dead.
const maxTaken = 1 << 20

// confess tells an owner that is back which of its sessions may have been taken over. Until it has heard that, nothing that it sends is acknowledged: so it does not
// answer with what it has.
func (c *Core) confess(now int64, owner message.Node) {
	t := c.taken[owner]
	if len(t) == 0 || c.neighbours[owner] == nil {
		return
	}
	if c.confessing[owner] != nil {
		return // the rest follows
	}
	c.confessing[owner] = maps.Clone(t)
	keys := make([]string, 0, len(t))
	for key := range t {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var body []byte
	for _, key := range keys {
		body = message.AppendShelved(body, key, t[key].gen, t[key].version)
	}
	m := &message.Message{Change: message.Taken}
	m.Parcel.Body = body
	c.pushWord(now, owner, m)
}

// pushWord puts a confession into the stream to an owner.
func (c *Core) pushWord(now int64, owner message.Node, m *message.Message) {
	st := c.streamTo(now, owner)
	c.push(now, owner, m, nil, 0)
	st.backlog[len(st.backlog)-1].word = true
}

// stepDown puts sessions out of service that may have been taken over while this node counted as dead. Whoever asks for one looks for it, and finds the newer, or
// takes it up again.
func (c *Core) stepDown(in *inflow, m *message.Message) {
	_ = message.EachShelved(m.Parcel.Body, func(key string, gen, version uint32) bool {
		key = strings.Clone(key) // it is a part of the list
		o := Oust{Key: key, Gen: gen, Version: version, Node: in.node, pause: in}
		in.pausing++
		if !c.Blocked(o) {
			c.do(o)
		}
		return true
	})
}

// Ousted reports what became of an Oust or a Supersede: p is what the session was, nil if there was none.
func (c *Core) Ousted(now int64, a Action, p *engine.Parcel) {
	var o Oust
	switch a := a.(type) {
	case Oust:
		o = a
	case Supersede:
		o = Oust{Key: a.Change.Key, Newer: a.Newer, Gen: a.Gen, Version: a.Version, Node: a.Node, pause: a.pause}
	default:
		return
	}
	if p != nil {
		c.counts.Superseded++
		hash := c.hashOf(o.Key)
		c.withdraw(o.Key)
		c.dropTrack(hash)
		if o.Newer {
			c.quarantine(p, Winner{o.Gen, o.Version, o.Node})
		} else if c.shelf[o.Key] == nil {
			own := *p
			own.Reserved = false
			e := c.put(now, o.Key, hash, c.opt.Node, &own)
			e.diverged, e.exact = p.Version != o.Version || p.Gen != o.Gen, true
		}
		if it := c.items[o.Key]; it != nil {
			c.proceed(now, it)
			c.tidy(now, it)
		}
	}
	if in := o.pause; in != nil {
		in.pausing--
		in.dirty = true
		if c.inflows[in.node] == in {
			c.resumeInflow(now, in)
		}
	}
}

// quarantine keeps a state of a session that has given way to another one, so that nothing goes unseen.
func (c *Core) quarantine(p *engine.Parcel, by Winner) {
	c.counts.Conflicts++
	own := *p
	c.do(Quarantine{Parcel: &own, Winner: by})
}

// dead takes note that a node will not be back, or has been silent for so long that it counts as dead. certain says that its process has ended.
func (c *Core) dead(now int64, node message.Node, certain bool) {
	if !certain && c.opt.Copies > 1 {
		c.ghosts.put(now, now+ghostLife, node, true)
	}
	c.forgetHolder(node, true)
	c.endStream(now, node)
	if certain {
		delete(c.taken, node)
		delete(c.confessing, node)
		if in := c.inflows[node]; in != nil {
			c.dropInflow(in)
			delete(c.inflows, node)
		}
		c.ghosts.drop(node)
		c.ceased.put(now, now+ceasedLife, node, true)
	}
	for _, st := range c.flow {
		for _, w := range st.waits() { // those that waited for want of anybody else
			if !c.alive(now, st.node) {
				c.reroute(now, w, st.node, true)
			}
		}
	}
	c.settleAt = now
	c.layout++
	c.roundAt = now
	c.do(Forget{})
}

// Dead says that the membership has declared a node dead. It counts as alive for a moment after its link has broken all the same, and as long as there is one.
func (c *Core) Dead(now int64, node message.Node) {
	if since, ok := c.lost.since(node); ok {
		c.lost.shorten(node, max(now, since+deadAfter))
		c.wakeBy(max(now, since+deadAfter))
	}
}
