package engine

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/engine/appkey"
)

// Survey is what a walk round all sessions has found. It is never changed. Keys name sessions, which is all that one needs to take a session over: who may
// not know them must be shown less.
//
// It is not one moment: a session is as it was when the walk came by. One that somebody was in at that time, or that was on its way to another node or waited for a
// confirmation, is counted in Sessions, also of its application, and nowhere else.
type Survey struct {
	Began, Ended Time
	Sessions     int64
	Locked       int64
	Locks        []HeldLock     // the longest held, longest first, at most 100
	Largest      []SizedSession // by content, largest first, at most 50
	Sizes        [33]int64      // sessions by content: the index is bits.Len of its length in bytes
	// Apps are those with the most sessions, most first, at most 200. Others is the sum of all the rest.
	Apps   []AppSurvey
	Others AppSurvey
}

// HeldLock is a lock that is held.
type HeldLock struct {
	Key     string
	Cookie  uint32
	Age     time.Duration // at Survey.Ended; whoever shows it later adds what has passed since
	Client  uint16        // Ticket.Client of who holds it; 0 = not known, as for a lock that came with its session from another node
	Waiting int           // acquires that wait for it
}

// SizedSession is a session and its size.
type SizedSession struct {
	Key     string
	Bytes   int64  // of content
	Minutes uint32 // sliding life, 0 = for ever
	Locked  bool
}

// AppSurvey is what the sessions of one application have in common.
type AppSurvey struct {
	Prefix   string // the key's application and hash, see appkey.Prefix; empty if the key has no such parts
	Sessions int64
	Bytes    int64 // of content
	Locked   int64
	// Old are the sessions that nobody has asked for in more than a minute, NeverRead those of them that nobody has asked for since the request that created
	// them. If nearly all are such, clients do not send their cookie back, or make no use of it.
	Old, NeverRead int64
	// MinMinutes and MaxMinutes are the shortest and the longest sliding life; one without an end is 0, and the longest of all. They mean nothing if all sessions
	// were occupied.
	MinMinutes, MaxMinutes uint32
}

// Bounds of a survey.
const (
	surveyLocks   = 100
	surveyLargest = 50
	surveyApps    = 200

	// surveyKnown bounds the applications told apart during a walk; sessions of further ones are counted as Others, however many they are.
	surveyKnown = 4096

	// surveyFor is for how long walks go on after somebody has asked: nobody pays when nobody looks.
	surveyFor = minute

	// A walk takes surveyRound, or surveyPace for each session if that is longer. Looking at one takes 0.25 µs while its record is in the processor's cache and
	// 0.5 µs if not, see BenchmarkSurvey, so it is a tenth of one processor at most.
	surveyRound = 2 * int64(time.Second)
	surveyPace  = int64(5 * time.Microsecond)

	// surveyBudget bounds the sessions that one Tick looks at; the shard in which it is used up is walked to its end.
	surveyBudget = 4096

	surveyBatch = 32 // sessions, see lookAtBatch

	// oldAge is the age from which a session that was never asked for again counts: a page takes less.
	oldAge = minute
)

// surveyor makes surveys.
type surveyor struct {
	wanted atomic.Int64 // Time.Mono until which walks go on
	latest atomic.Pointer[Survey]

	// Owned by Tick.

	walk  *walk // nil between two walks
	next  int64 // Time.Mono before which no walk begins
	round int64 // ns that a walk is to take
}

// Survey returns the latest whole walk round all sessions, and asks for walks to go on for a minute from now. It is nil until the first walk has ended, which takes a
// moment, or seconds with millions of sessions; so it is again after a minute in which nobody has asked. Later ones follow every two seconds, or slower: 5 µs for each session. The
// walking is done by Tick.
func (e *Engine) Survey(now Time) *Survey {
	e.survey.wanted.Store(now.Mono + surveyFor)
	return e.survey.latest.Load()
}

// walkOn looks at as many shards as the time asks for, if a survey is wanted.
func (e *Engine) walkOn(now Time) {
	v := &e.survey
	if v.wanted.Load() <= now.Mono {
		if v.walk = nil; v.latest.Load() != nil {
			v.latest.Store(nil) // it would be old when somebody asks
		}
		return
	}
	first := v.latest.Load() == nil // somebody waits for it
	if v.walk == nil {
		if !first && now.Mono < v.next {
			return
		}
		v.round = max(surveyRound, e.sessions()*surveyPace)
		v.walk, v.next = newWalk(now), now.Mono+v.round
	}
	w, upTo := v.walk, numShards
	if !first {
		elapsed := min(now.Mono-w.survey.Began.Mono, v.round)
		upTo = min(int(elapsed*numShards/v.round)+1, numShards)
	}
	for before := w.looked; w.shard < upTo && w.looked-before < surveyBudget; w.shard++ {
		e.lookAt(now, w.shard, w)
	}
	if w.shard == numShards {
		v.latest.Store(w.end(now))
		v.walk = nil
	}
}

// walk is a walk under way.
type walk struct {
	survey  Survey
	shard   int                    // next to be looked at
	looked  int                    // records so far
	batch   []*session             // up to surveyBatch, to be looked at next
	touched uint32                 // see lookAtBatch; means nothing
	locks   top                    // by age
	largest top                    // by content
	apps    map[string]*AppSurvey  // by prefix
	heads   map[*string]*AppSurvey // the same, by what the sessions of an application share: see heads
	others  AppSurvey
}

// sighting is what a walk takes down of a session.
type sighting struct {
	locked  bool
	old     bool
	reread  bool
	client  uint16
	cookie  uint32
	minutes uint32
	bytes   int64
	since   int64
	waiting int
}

func newWalk(now Time) *walk {
	return &walk{
		survey: Survey{Began: now}, batch: make([]*session, 0, surveyBatch), apps: map[string]*AppSurvey{}, heads: map[*string]*AppSurvey{},
		locks: top{most: surveyLocks}, largest: top{most: surveyLargest},
	}
}

// lookAt looks at the sessions of one shard.
func (e *Engine) lookAt(now Time, shard int, w *walk) {
	e.index.each(shard, func(s *session) bool {
		if w.batch = append(w.batch, s); len(w.batch) == surveyBatch {
			e.lookAtBatch(now, w)
		}
		return true
	})
	e.lookAtBatch(now, w)
}

// lookAtBatch looks at the sessions that have been collected. Their records lie anywhere in memory, and while one is entered the processor waits for its cache
// line and does nothing else. Plain loads do not wait for each other, so they come first: one of each line of each record.
func (e *Engine) lookAtBatch(now Time, w *walk) {
	for _, s := range w.batch {
		if s.head != nil { // always
			w.touched += s.gate.bits.Load()
		}
	}
	for _, s := range w.batch {
		e.look(now, s, w)
	}
	w.looked += len(w.batch)
	clear(w.batch)
	w.batch = w.batch[:0]
}

// look takes down what there is to be seen of a session.
func (e *Engine) look(now Time, s *session, w *walk) {
	if s.gate.tryEnter() {
		there := s.life == alive && !s.expired(now)
		var seen sighting
		if there {
			if seen = s.sight(now); seen.locked && s.marks.has(waiters) {
				seen.waiting = e.queue.waitersOf(s)
			}
		}
		e.leave(NoLane, s)
		if there {
			w.add(s, &seen)
		}
		return
	}
	switch seen, there, clear := e.queue.sightQueued(now, s); {
	case !there:
	case clear:
		w.add(s, &seen)
	default:
		w.survey.Sessions++
		w.app(s).Sessions++
	}
}

// sight describes a session that nobody else is in, but for those who wait.
func (s *session) sight(now Time) sighting {
	return sighting{
		locked: s.lock.held, client: s.holder, cookie: s.lock.cookie, since: s.lock.since, minutes: s.minutes, bytes: int64(s.body.len()),
		old: s.idle(now) > oldAge, reread: s.marks.has(reread),
	}
}

// waitersOf counts those who wait for an entered session's lock.
func (q *queue) waitersOf(s *session) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.box == nil {
		return 0
	}
	return s.box.waiters.n
}

// sightQueued describes a session that could not be entered. clear says that nobody is in it, because those who are queued have yet to get their turn (see glimpse): otherwise
// nothing is known but that it is there.
func (q *queue) sightQueued(now Time, s *session) (seen sighting, there, clear bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case s.box != nil && s.box.hollow:
		return seen, false, false
	case s.gate.bits.Load() != gateQueued:
		return seen, true, false
	case s.life != alive || s.expired(now):
		return seen, false, false
	}
	seen = s.sight(now)
	if s.box != nil {
		seen.waiting = s.box.waiters.n
	}
	return seen, true, true
}

// add counts a session that has been seen.
func (w *walk) add(s *session, seen *sighting) {
	a, m := w.app(s), lifetime(seen.minutes)
	if a.MaxMinutes = max(a.MaxMinutes, m); a.MinMinutes == 0 || m < a.MinMinutes {
		a.MinMinutes = m
	}
	a.Sessions++
	a.Bytes += seen.bytes
	w.survey.Sessions++
	w.survey.Sizes[bits.Len64(uint64(seen.bytes))]++
	if seen.old {
		a.Old++
		if !seen.reread {
			a.NeverRead++
		}
	}
	if seen.locked {
		a.Locked++
		w.survey.Locked++
		w.locks.offer(-seen.since, s, seen)
	}
	w.largest.offer(seen.bytes, s, seen)
}

// lifetime orders sliding lives: one without an end is the longest. During a walk 0 stands for none seen so far.
func lifetime(minutes uint32) uint32 {
	if minutes == 0 {
		return math.MaxUint32
	}
	return minutes
}

// app returns the line of a session's application. Only what never changes of the session is looked at, so it need not be entered.
func (w *walk) app(s *session) *AppSurvey {
	if s.ownHead {
		return w.named(string(appkey.Prefix(s.key())))
	}
	a := w.heads[s.head]
	if a == nil {
		a = w.named(string(appkey.Prefix(append([]byte(*s.head), s.tail[:s.tailLen]...))))
		w.heads[s.head] = a
	}
	return a
}

// named returns the line of a prefix.
func (w *walk) named(prefix string) *AppSurvey {
	a := w.apps[prefix]
	switch {
	case a != nil:
		return a
	case len(w.apps) >= surveyKnown || len(prefix) > appkey.MaxPrefix:
		return &w.others
	}
	a = &AppSurvey{Prefix: prefix}
	w.apps[prefix] = a
	return a
}

// end makes the survey of a walk that is over.
func (w *walk) end(now Time) *Survey {
	v := &w.survey
	v.Ended = now
	for _, l := range w.locks.list {
		age := time.Duration(max(0, now.Mono-l.since))
		v.Locks = append(v.Locks, HeldLock{Key: string(l.s.key()), Cookie: l.cookie, Age: age, Client: l.client, Waiting: l.waiting})
	}
	for _, l := range w.largest.list {
		v.Largest = append(v.Largest, SizedSession{Key: string(l.s.key()), Bytes: l.bytes, Minutes: l.minutes, Locked: l.locked})
	}
	for _, a := range w.apps {
		v.Apps = append(v.Apps, *a)
	}
	slices.SortFunc(v.Apps, func(a, b AppSurvey) int {
		return cmp.Or(cmp.Compare(b.Sessions, a.Sessions), cmp.Compare(a.Prefix, b.Prefix))
	})
	v.Others = w.others
	if len(v.Apps) > surveyApps {
		for i := range v.Apps[surveyApps:] {
			v.Others.join(&v.Apps[surveyApps+i])
		}
		v.Apps = slices.Clone(v.Apps[:surveyApps])
	}
	for i := range v.Apps {
		v.Apps[i].finish()
	}
	v.Others.finish()
	survey := *v // the rest of the walk is not kept for its sake
	return &survey
}

// join adds another line of the same walk.
func (a *AppSurvey) join(b *AppSurvey) {
	a.Sessions += b.Sessions
	a.Bytes += b.Bytes
	a.Locked += b.Locked
	a.Old += b.Old
	a.NeverRead += b.NeverRead
	if a.MinMinutes == 0 || b.MinMinutes != 0 && b.MinMinutes < a.MinMinutes {
		a.MinMinutes = b.MinMinutes
	}
	a.MaxMinutes = max(a.MaxMinutes, b.MaxMinutes)
}

// finish turns what lifetime made of the lives back.
func (a *AppSurvey) finish() {
	for _, m := range []*uint32{&a.MinMinutes, &a.MaxMinutes} {
		if *m == math.MaxUint32 {
			*m = 0
		}
	}
}

// top is the beginning of a list sorted by rank, highest first: at most so many lines, which are given in any order. Of equal ones those that came first stay.
type top struct {
	most int
	list []line
}

// line is one of a list before a string has been made of its key: most are pushed out again, and need none.
type line struct {
	rank int64
	s    *session
	sighting
}

func (t *top) offer(rank int64, s *session, seen *sighting) {
	n := len(t.list)
	if n == t.most {
		if rank <= t.list[n-1].rank {
			return
		}
		t.list = t.list[:n-1]
	}
	at, _ := slices.BinarySearchFunc(t.list, rank, func(have line, rank int64) int {
		if rank > have.rank {
			return 1
		}
		return -1
	})
	t.list = slices.Insert(t.list, at, line{rank, s, *seen})
}
