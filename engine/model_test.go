package engine

import (
	"cmp"
	"fmt"
	"slices"
)

// model is what docs/protocol.md §7 and §8 and docs/lock.md say, in the plainest code: one map, and queues that are slices. It knows nothing of gates, wheels or
// reused memory.
type model struct {
	now   Time
	items map[string]*item
	run   []*item // items whose queue has a turn coming
	line  []*call // all waiters, by deadline

	lockWait     int64
	lockQueue    int
	sessionQueue int
	farm         bool // a miss is a question to others
	farmWait     int64
	transfers    int
	nowhere      func(key string) bool // no question is needed

	mirroring Mirroring
	lease     int64
	deaf      bool     // the mirror takes nothing
	told      []string // to the mirror
	holding   *amends  // what is being done is a change to be told: answers wait

	answers   map[*client]string // given since they were last looked at
	refused   func(*client) bool // whether the engine had no memory for this save
	identical int64
}

// item is one session, or the place of one that is looked for elsewhere.
type item struct {
	key     string
	content string
	minutes uint32
	expires int64
	uninit  bool
	reread  bool
	holder  uint16
	locked  bool
	cookie  uint32
	since   Time

	queue   []*call
	waiting []*call
	listed  bool  // stands in model.run
	busy    int64 // when a tick last found it so, or away
	away    bool  // being fetched, or leaving
	fetched bool  // being fetched
	void    bool  // fetched, and nowhere: no session
	dead    bool

	gen, version uint32
	skip         uint32
	began        int64   // when the hand-over did
	change       *amends // which has not been confirmed; the item is away meanwhile
	loaded       int     // how often another node's state has been put in its place since that was last looked at
}

// amends is a change that mirrors are to know of.
type amends struct {
	it      *item
	began   int64
	awaited bool
	removed bool
	content bool
	dirty   bool
	answers []reply
	grant   *call // who has been given the lock
	revoked bool  // and has gone
}

// reply is an answer that waits.
type reply struct {
	c    *call
	text string
}

// call is one request.
type call struct {
	c        *client
	t        Ticket
	yield    bool
	late     bool
	revoke   bool
	since    int64
	deadline int64
}

func newModel(w *world) *model {
	opt := &w.e.opt
	return &model{
		now: w.now, items: map[string]*item{}, answers: map[*client]string{}, lease: NoLease,
		lockWait: int64(opt.LockWait), lockQueue: opt.LockQueue, sessionQueue: opt.SessionQueue, farm: opt.Elsewhere != nil,
		farmWait: int64(opt.FarmWait), transfers: opt.TransferQueue, nowhere: func(key string) bool { return w.nowhere[key] },
	}
}

// answer notes what a client is told, and reports whether it took it.
func (m *model) answer(c *call, format string, args ...any) bool {
	if c.revoke {
		return true
	}
	text := fmt.Sprintf(format, args...)
	if h := m.holding; h != nil {
		h.answers = append(h.answers, reply{c, text})
		return true
	}
	m.answers[c.c] = text
	return !c.c.gone
}

// amend does something to an item, which may be a change that mirrors have to know of.
func (m *model) amend(it *item, removal bool, f func()) {
	if m.mirroring == MirrorNone || m.mirroring == MirrorRemovals && !removal {
		f()
		return
	}
	h := &amends{it: it, began: m.now.Mono, awaited: m.mirroring == MirrorAwait}
	version, minutes, locked, cookie := it.version, it.minutes, it.locked, it.cookie
	m.holding = h
	f()
	m.holding = nil
	h.content = it.version != version || it.minutes != minutes
	h.dirty = h.content || h.removed || it.locked != locked || it.cookie != cookie || m.doubtful()
	if !h.dirty {
		m.conclude(h)
		return
	}
	m.told = append(m.told, it.telling(h))
	if h.awaited && !m.deaf {
		it.away, it.change = true, h
		return
	}
	m.conclude(h)
}

// doubtful reports whether nothing may be answered without asking.
func (m *model) doubtful() bool { return m.mirroring == MirrorAwait && m.now.Mono >= m.lease }

// telling is what the mirror is told; see the function telling.
func (it *item) telling(h *amends) string {
	text := fmt.Sprintf("state %d", it.minutes)
	switch {
	case h.removed:
		text = "removed"
	case h.content:
		text = fmt.Sprintf("content %s/%d", it.content, it.minutes)
	}
	text += fmt.Sprintf(" #%d v%d", it.cookie, it.version)
	if it.locked {
		text += " locked"
	}
	return text
}

// conclude is the end of a change: what has waited for it is done.
func (m *model) conclude(h *amends) {
	it := h.it
	if h.removed {
		m.bury(it)
	}
	for _, r := range h.answers {
		if taken := m.answer(r.c, "%s", r.text); !taken && r.c == h.grant {
			h.revoked = true
		}
	}
	if !h.revoked {
		return
	}
	if m.expired(it) {
		m.bury(it)
		return
	}
	m.amend(it, false, func() { m.unlock(it) })
}

// confirmed is a change that mirrors know of.
func (m *model) confirmed(it *item) {
	h := it.change
	it.away, it.change = false, nil
	m.conclude(h)
	m.list(it)
}

// superseded is a change of an item that another node has.
func (m *model) superseded(it *item) {
	h := it.change
	it.change = nil
	for _, r := range h.answers {
		m.cut(r.c)
	}
	m.oust(it)
}

// oust takes an item out of service.
func (m *model) oust(it *item) {
	m.requeue(it, m.now.Mono)
	it.away = false
	m.bury(it)
	m.list(it)
}

// ousted is oust for whatever there is under a key.
func (m *model) ousted(key string) SightState {
	it := m.items[key]
	sight := m.sight(key).State
	if sight == SightHere {
		m.oust(it)
	}
	return sight
}

// do is a request that has arrived.
func (m *model) do(c *call) {
	it := m.items[c.t.key()]
	if it == nil {
		m.absent(c)
		return
	}
	if c.yield || it.away || it.listed {
		m.enqueue(it, c)
		return
	}
	if m.expired(it) {
		m.bury(it)
		m.do(c)
		return
	}
	m.act(it, c)
}

func (t *Ticket) key() string { return string(t.Key) }

func (m *model) enqueue(it *item, c *call) {
	c.yield = false
	limit := m.sessionQueue
	if c.t.Op == Release || c.t.Op == Remove || c.t.Op == Touch || c.late {
		limit *= 2
	}
	leaves := 0
	for _, c := range it.queue {
		if c.t.Op == Leave {
			leaves++
		}
	}
	switch {
	case c.revoke:
	case c.t.Op == Leave && it.fetched:
		m.answer(c, "sought")
		return
	case c.t.Op == Leave && leaves >= 64:
		m.cut(c)
		return
	case c.t.Op != Leave && len(it.queue)-leaves >= limit:
		m.cut(c)
		return
	}
	it.queue = append(it.queue, c)
	m.list(it)
}

// cut sends a request away.
func (m *model) cut(c *call) {
	if c.t.Op == Leave {
		m.answer(c, "423 #0 0s since %d", m.now.Date)
	} else {
		m.answer(c, "cut at %d", m.now.Date)
	}
}

// list gives an item a turn, if it needs one and can have it.
func (m *model) list(it *item) {
	if len(it.queue) > 0 && !it.away && !it.listed {
		it.listed = true
		m.run = append(m.run, it)
	}
}

// turn serves one request of the first item in line. It reports whether there was an item.
func (m *model) turn() bool {
	if len(m.run) == 0 {
		return false
	}
	it := m.run[0]
	m.run, it.listed = m.run[1:], false
	if len(it.queue) == 0 {
		m.endVoid(it)
		return true // they have all been cancelled
	}
	c := it.queue[0]
	it.queue = it.queue[1:]
	if !it.dead && m.expired(it) {
		m.bury(it)
	}
	if it.dead {
		m.list(it)
		m.do(c)
		return true
	}
	if it.void {
		m.actVoid(it, c)
	} else {
		m.act(it, c)
	}
	m.endVoid(it)
	m.list(it)
	return true
}

// actVoid is a request for an item that is known to be nowhere, from one that was queued while it was looked for.
func (m *model) actVoid(it *item, c *call) {
	switch {
	case c.revoke:
	case c.t.Op == Set && m.refused(c.c):
		m.answer(c, "refused")
	case c.t.Op == Set:
		it.void = false
		m.create(it, c)
	default:
		m.answer(c, "404")
		if c.t.Op == Leave {
			m.bury(it)
		}
	}
}

// endVoid ends a placeholder that nobody needs any more.
func (m *model) endVoid(it *item) {
	if it.void && !it.dead && len(it.queue) == 0 {
		m.bury(it)
	}
}

// create makes a new session of a Set.
func (m *model) create(it *item, c *call) {
	lease := m.lease
	m.lease = NoLease // nobody else can have it
	m.amend(it, false, func() {
		it.content, it.minutes, it.uninit, it.cookie, it.version = string(c.t.Body), c.t.Minutes, c.t.InsertOnly, 1, 1
		it.reread = false
		m.slide(it)
		m.answer(c, "200")
	})
	m.lease = lease
}

func (m *model) expired(it *item) bool { return it.minutes != 0 && m.now.Mono >= it.expires }

func (m *model) slide(it *item) { it.expires = m.now.Mono + int64(it.minutes)*minute }

// bury ends an item's life. Its waiters learn of it; who is queued finds out in its turn.
func (m *model) bury(it *item) {
	delete(m.items, it.key)
	it.dead, it.locked = true, false
	for _, c := range it.waiting {
		m.leaveLine(c)
		m.answer(c, "404")
	}
	it.waiting = nil
}

// leaveLine takes a waiter out of the line of all waiters.
func (m *model) leaveLine(c *call) {
	for i := range m.line {
		if m.line[i] == c {
			m.line = append(m.line[:i:i], m.line[i+1:]...)
			return
		}
	}
}

// absent is a request for an item that is not here.
func (m *model) absent(c *call) {
	switch {
	case c.t.Op == Leave:
		m.answer(c, "404")
	case m.farm && !m.nowhere(c.t.key()) && c.since+m.farmWait <= m.now.Mono:
		m.cut(c)
	case m.farm && !m.nowhere(c.t.key()):
		it := &item{key: c.t.key(), away: true, fetched: true}
		m.items[it.key] = it
		m.enqueue(it, c)
	case c.revoke:
	case c.t.Op == Set && m.refused(c.c):
		m.answer(c, "refused")
	case c.t.Op == Set:
		it := &item{key: c.t.key()}
		m.items[it.key] = it
		m.create(it, c)
	default:
		m.answer(c, "404")
	}
}

// act is a request that has found its item.
func (m *model) act(it *item, c *call) {
	if c.t.Op == Leave {
		m.serve(it, c)
	} else {
		m.amend(it, c.t.Op == Remove, func() { m.serve(it, c) })
	}
}

// serve is act without those to whom it is told.
func (m *model) serve(it *item, c *call) {
	if c.revoke {
		if it.locked && it.cookie == c.t.Cookie {
			m.unlock(it)
		}
		return
	}
	if c.t.Op == Leave {
		if m.doubtful() || !c.t.Urgent && it.locked && len(it.waiting) > 0 {
			m.refuse(it, c)
			return
		}
		if m.answer(c, "200") {
			it.gen++
			it.away, it.began = true, m.now.Mono
		}
		return
	}
	if !c.late {
		m.slide(it)
		it.reread = it.reread || c.t.Op == Get || c.t.Op == Acquire || c.t.Op == Touch
	}
	right := !it.locked || c.t.HasCookie && c.t.Cookie == it.cookie
	told := ""
	if it.uninit && (c.t.Op == Get || c.t.Op == Acquire || c.t.Op == Release) {
		it.uninit, told = false, " A"
	}
	switch c.t.Op {
	case Get:
		if it.locked {
			m.refuse(it, c)
		} else {
			m.answer(c, "200 %s/%d%s", it.content, it.minutes, told)
		}
	case Acquire:
		switch {
		case !it.locked:
			if !m.grant(it, c, told) {
				m.unlock(it)
			}
		case c.late || m.lockWait == 0 || len(it.waiting) >= m.lockQueue, c.deadline != 0 && c.deadline <= m.now.Mono:
			m.refuse(it, c)
		default:
			if c.deadline == 0 { // otherwise it has waited before, and its session has moved
				c.deadline = m.now.Mono + m.lockWait
			}
			it.waiting = append(it.waiting, c)
			m.line = append(m.line, c)
			slices.SortStableFunc(m.line, func(a, b *call) int { return cmp.Compare(a.deadline, b.deadline) })
		}
	case Release:
		switch {
		case !c.t.HasCookie:
			m.answer(c, "400%s", told)
		case !right:
			m.refuse(it, c)
		default:
			m.answer(c, "200%s", told)
			m.unlock(it)
		}
	case Set:
		switch {
		case c.t.InsertOnly:
			m.answer(c, "200")
		case !right:
			m.refuse(it, c)
		case m.refused(c.c):
			m.answer(c, "refused")
		default:
			if it.content == string(c.t.Body) {
				m.identical++
			} else {
				it.version++
			}
			it.content = string(c.t.Body)
			if it.minutes != c.t.Minutes {
				it.minutes, it.uninit = c.t.Minutes, false
			}
			m.slide(it)
			m.answer(c, "200")
			m.unlock(it)
		}
	case Remove:
		if !right {
			m.refuse(it, c)
			break
		}
		if m.holding != nil {
			m.holding.removed = true
		} else {
			m.bury(it)
		}
		m.answer(c, "200")
	case Touch:
		m.answer(c, "200")
	}
}

func (m *model) refuse(it *item, c *call) {
	age := max(0, m.now.Mono-it.since.Mono) / 1e9
	m.answer(c, "423 #%d %ds since %d", it.cookie, age, it.since.Date)
}

// grant gives the lock to a request. It reports whether it was taken.
func (m *model) grant(it *item, c *call, told string) bool {
	m.slide(it)
	if it.cookie++; it.cookie > 2147483646 {
		it.cookie = 2
	}
	it.locked, it.since, it.holder = true, m.now, c.t.Client
	if m.holding != nil {
		m.holding.grant = c
	}
	return m.answer(c, "200 %s/%d #%d%s", it.content, it.minutes, it.cookie, told)
}

// unlock ends the lock, if there is one, and gives it to the first waiter that takes it.
func (m *model) unlock(it *item) {
	it.locked = false
	it.cookie, it.skip = it.cookie+it.skip, 0
	for len(it.waiting) > 0 {
		c := it.waiting[0]
		it.waiting = it.waiting[1:]
		m.leaveLine(c)
		if m.grant(it, c, "") {
			return
		}
		it.locked = false
	}
}

// deadlines refuses the waiters whose time is over.
func (m *model) deadlines() {
	for len(m.line) > 0 && m.line[0].deadline <= m.now.Mono {
		c := m.line[0]
		m.cancel(c.c)
		c.late = true
		m.do(c)
	}
}

// trim cuts those who have waited too long for an item that is away.
func (m *model) trim() {
	for _, it := range m.items {
		if !it.away {
			continue
		}
		if h := it.change; h != nil && m.now.Mono-h.began >= m.farmWait {
			for _, r := range h.answers {
				m.cut(r.c)
				h.revoked = h.revoked || r.c == h.grant
			}
			h.answers = nil
		}
		var kept []*call
		ahead := 0
		for _, c := range it.queue {
			waited := m.now.Mono - c.since
			switch {
			case c.revoke:
			case waited >= m.farmWait:
				m.cut(c)
				continue
			case c.t.Op == Leave:
			case ahead >= m.transfers && (c.t.Op == Get || c.t.Op == Acquire) && waited > 1e8:
				m.cut(c)
				continue
			default:
				ahead++
			}
			kept = append(kept, c)
		}
		it.queue = kept
	}
}

// cancel withdraws a request. It reports whether there was one that had not been answered.
func (m *model) cancel(of *client) bool {
	for _, c := range m.line {
		if c.c == of {
			m.leaveLine(c)
			it := m.items[c.t.key()]
			it.waiting = without(it.waiting, of)
			return true
		}
	}
	for _, it := range m.all() {
		if rest := without(it.queue, of); len(rest) < len(it.queue) {
			it.queue = rest
			return true
		}
		if h := it.change; h != nil {
			for i, r := range h.answers {
				if r.c.c == of {
					h.answers = slices.Delete(h.answers, i, i+1)
					h.revoked = h.revoked || r.c == h.grant
					return true
				}
			}
		}
	}
	return false
}

// all returns the items that live, and those that somebody is still queued for.
func (m *model) all() []*item {
	all := append([]*item(nil), m.run...)
	for _, it := range m.items {
		if !it.listed {
			all = append(all, it)
		}
	}
	return all
}

func without(calls []*call, of *client) []*call {
	var rest []*call
	for _, c := range calls {
		if c.c != of {
			rest = append(rest, c)
		}
	}
	return rest
}

// arrived ends the search for an item: this is it.
func (m *model) arrived(key string, p *Parcel) {
	it := m.items[key]
	it.away, it.fetched, it.cookie = false, false, 1
	m.load(it, p)
	m.list(it)
}

// load makes an item that of a parcel.
func (m *model) load(it *item, p *Parcel) {
	last := max(it.cookie+it.skip, p.Cookie+uint32(p.Skip))
	it.loaded++
	it.reread, it.holder = true, 0
	it.content, it.minutes, it.expires = string(p.Body), p.Minutes, m.now.Mono+min(p.Left, int64(p.Minutes)*minute)
	it.gen, it.version = p.Gen, p.Version
	it.uninit, it.cookie, it.skip, it.locked = p.Uninitialized, min(last, maxCookie), 0, p.Locked
	if p.Locked {
		it.cookie, it.skip = p.Cookie, last-p.Cookie
		it.since = Time{Mono: m.now.Mono - p.LockAge, Date: m.now.Date - p.LockAge/100}
	}
}

// missing ends the search for an item: there is none. Those who are queued are told so one after the other.
func (m *model) missing(key string) {
	it := m.items[key]
	it.away, it.fetched, it.void = false, false, true
	m.endVoid(it)
	m.list(it)
}

// undecided ends the search for an item: nobody knows.
func (m *model) undecided(key string) {
	it := m.items[key]
	it.away = false
	for _, c := range it.queue {
		m.cut(c)
	}
	it.queue = nil
	m.bury(it)
}

// place is an item that nobody has asked for. It returns what became of it.
func (m *model) place(p *Parcel) Placed {
	it := m.items[p.Key]
	if it != nil && !it.away && !it.listed && m.expired(it) {
		m.bury(it)
		it = nil
	}
	switch {
	case it == nil:
		it = &item{key: p.Key, cookie: 1}
		m.items[p.Key] = it
		m.load(it, p)
		return PlacedNew
	case it.fetched:
		m.arrived(p.Key, p)
		return PlacedSought
	case it.away, it.listed:
		return PlacedBusy
	case it.gen > p.Gen, it.gen == p.Gen && it.version >= p.Version:
		return KeptNewer
	}
	m.load(it, p)
	m.requeue(it, m.now.Mono)
	m.list(it)
	return PlacedNewer
}

// sight is where an item is.
func (m *model) sight(key string) Sight {
	switch it := m.items[key]; {
	case it == nil:
		return Sight{}
	case it.fetched:
		return Sight{State: SightSought}
	case it.away:
		return Sight{State: SightAway}
	case it.listed:
		return Sight{State: SightOccupied}
	case m.expired(it):
		return Sight{}
	default:
		return Sight{SightHere, it.gen, it.version}
	}
}

// requeue lets those who wait for an item's lock stand in front of its queue.
func (m *model) requeue(it *item, since int64) {
	for _, c := range it.waiting {
		m.leaveLine(c)
		c.since = max(c.since, since)
	}
	it.queue, it.waiting = append(append([]*call(nil), it.waiting...), it.queue...), nil
}

// left ends a hand-over: the item is elsewhere. Its waiters look for it again, before those who came later.
func (m *model) left(key string) {
	it := m.items[key]
	m.requeue(it, it.began)
	it.away = false
	m.bury(it)
	m.list(it)
}

// stayed ends a hand-over: the item is still here.
func (m *model) stayed(key string) {
	it := m.items[key]
	it.away = false
	m.list(it)
}
