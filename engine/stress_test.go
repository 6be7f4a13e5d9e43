package engine

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// TestStress lets several lanes work on a few sessions at once: all operations, clients that go away, deadlines, turns, and sessions that move. Every request must be
// answered exactly once or cancelled, what each session's clients saw must be linearizable, and in the end everything must be at rest. The seed
// replays the choices, not the order in which the goroutines come to run.
func TestStress(t *testing.T) {
	first, runs := firstSeed(10)
	for i := range runs {
		seed := first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := random(t, seed)
			opt := Options{LockQueue: 1 + rnd.IntN(4), SessionQueue: 2 + rnd.IntN(8), StaleLock: time.Millisecond, MaxMemory: 1 << 30}
			if rnd.IntN(3) > 0 {
				opt.LockWait = 3 * time.Millisecond
			}
			beat := 100 * time.Microsecond
			if rnd.IntN(2) == 0 { // some wait too long for the farm, or until a change is confirmed
				opt.FarmWait, beat = MinFarmWait, time.Millisecond
			}
			st := newStress(t, opt, seed%2 == 0)
			st.helpers, st.beat = seed%4 < 2, beat
			st.mirrors(int(seed % 3))
			lanes := st.run(rnd, 4, 300)
			st.checkHistory(lanes)
		})
	}
}

// TestStressExpiry is TestStress with lives that end all the time. What clients see then depends on the clock, so only the other promises are checked.
func TestStressExpiry(t *testing.T) {
	first, runs := firstSeed(4)
	for i := range runs {
		seed := first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := random(t, seed)
			st := newStress(t, Options{LockWait: 20 * time.Second, LockQueue: 3, StaleLock: time.Minute, MaxMemory: 2000}, seed%2 == 0)
			st.helpers, st.minutes, st.beat, st.rareness = seed%4 < 2, 1, 2*time.Second, 4
			st.mirrors(int(seed % 3))
			st.run(rnd, 4, 300)
		})
	}
}

// stress is what the lanes share.
type stress struct {
	t        *testing.T
	e        *Engine
	keys     []string
	helpers  bool          // lanes take turns themselves; otherwise only the one who is told by Ready does
	minutes  uint32        // the sessions' life
	beat     time.Duration // passes with each tick
	rareness int           // one request in so many is a Remove
	deadline time.Time

	mono   atomic.Int64
	stamp  atomic.Int64 // orders the beginnings and ends of operations
	bodies atomic.Int64 // made so far
	ticker sync.Mutex   // one Tick at a time
	poke   chan struct{}

	mu    sync.Mutex
	finds []stressFind
	shelf map[string]Parcel // sessions that are elsewhere
	hands map[string]int    // of sessions that are, or may be in a moment, those that somebody is bringing here unasked, or taking away
	known map[string]bool   // to be nowhere
	peers map[string]int    // lanes that take a session away, or have it on its way
	turns map[string]int    // how often that has begun or ended

	mirroring int // 0: nobody is told; 1: changes are awaited all the time; 2: sometimes
	changes   []*Change
	waiting   map[*Change]bool  // neither confirmed nor superseded yet
	stamps    map[string]Parcel // what has been told last
}

// mirrors says how changes are told; see stress.mirroring.
func (st *stress) mirrors(mirroring int) {
	st.mirroring = mirroring
	st.e.SetMirror(st)
	if mirroring > 0 {
		st.e.SetMirroring(MirrorAwait)
	}
}

// Changed implements Mirror: one of the lanes will confirm it.
func (st *stress) Changed(c *Change) bool {
	readBody(st.t, c.Parcel.Body)
	st.mu.Lock()
	defer st.mu.Unlock()
	p, last := &c.Parcel, st.stamps[c.Key]
	if p.Gen < last.Gen || p.Gen == last.Gen && (p.Version < last.Version || p.Cookie < last.Cookie) && (!c.Content || p.Version > 1) {
		st.t.Errorf("%q is told to be %+v after %+v", c.Key, p, last)
	}
	if c.Removed || st.mirroring != 1 { // what comes next may be another session, of which only a part is told
		p = new(Parcel)
	}
	st.stamps[c.Key] = *p
	if c.Awaited {
		st.changes = append(st.changes, c)
		st.waiting[c] = true
	}
	return true
}

// Expired implements Mirror.
func (st *stress) Expired(key string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.stamps, key)
}

// conclude confirms a change, or supersedes it. It returns false if none waits.
func (st *stress) conclude(lane int, rnd *rand.Rand) bool {
	st.mu.Lock()
	n := len(st.changes)
	if n == 0 {
		st.mu.Unlock()
		return false
	}
	i := rnd.IntN(n)
	c := st.changes[i]
	st.changes[i] = st.changes[n-1]
	st.changes = st.changes[:n-1]
	delete(st.waiting, c)
	st.mu.Unlock()
	if st.e.opt.Elsewhere == nil || rnd.IntN(20) > 0 {
		st.e.Confirm(st.now(), lane, c)
		return true
	}
	st.takeAway(c.Key, func() (Parcel, bool) {
		p, ok := st.e.Supersede(st.now(), lane, c)
		if !ok {
			st.t.Errorf("a change of %q was over already", c.Key)
		}
		if c.grant != nil { // who was given the lock has not been told
			p.Locked = false
		}
		return p, ok && !c.Removed
	})
	return true
}

// oust takes a session out of service.
func (st *stress) oust(lane int, key string) {
	st.takeAway(key, func() (Parcel, bool) {
		p, sight := st.e.Oust(st.now(), lane, []byte(key))
		return p, sight == SightHere
	})
}

// takeAway lets f take a session out of service, which is elsewhere from then on.
func (st *stress) takeAway(key string, f func() (Parcel, bool)) {
	st.peer(key, 1)
	st.hand(key, 1) // nobody looks for it before it is where it will be
	if p, ok := f(); ok {
		p.Gen++
		st.mu.Lock()
		st.shelf[key] = p
		st.mu.Unlock()
	}
	st.hand(key, -1)
	st.peer(key, -1)
}

// hand notes that a session is being brought or taken away (1), or no longer (-1).
func (st *stress) hand(key string, by int) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.hands[key] += by
}

// switches changes how changes are told, and until when nobody has to ask.
func (st *stress) switches(rnd *rand.Rand) {
	if st.mirroring == 2 {
		st.e.SetMirroring(Mirroring(rnd.IntN(3)))
	}
	if st.mirroring > 0 {
		lease := int64(NoLease)
		if rnd.IntN(3) == 0 {
			lease = st.mono.Load() + rnd.Int64N(int64(10*st.beat))
		}
		st.e.SetLease(lease)
	}
}

// stressFind is a search that has not been answered.
type stressFind struct {
	f     *Fetch
	began int // stress.turns then
}

func newStress(t *testing.T, opt Options, farm bool) *stress {
	st := &stress{
		t: t, keys: append(collidingKeys(opt.Seed, 2), k), minutes: 20, beat: 100 * time.Microsecond, rareness: 60, deadline: time.Now().Add(time.Minute),
		poke: make(chan struct{}, 1), shelf: map[string]Parcel{},
		hands: map[string]int{}, waiting: map[*Change]bool{}, stamps: map[string]Parcel{}, known: map[string]bool{}, peers: map[string]int{}, turns: map[string]int{},
	}
	opt.Ready = func(int) {
		select {
		case st.poke <- struct{}{}:
		default:
		}
	}
	if farm {
		opt.Elsewhere = st
	}
	e, err := New(opt, Time{})
	if err != nil {
		t.Fatal(err)
	}
	st.e = e
	return st
}

func (st *stress) now() Time {
	n := st.mono.Load()
	return Time{Mono: n, Date: n / 100}
}

// late reports whether the test takes far too long: something is stuck.
func (st *stress) late() bool { return time.Now().After(st.deadline) }

// Find implements Elsewhere: one of the lanes will look.
func (st *stress) Find(f *Fetch) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.finds = append(st.finds, stressFind{f, st.turns[f.Key]})
}

// Nowhere implements Elsewhere.
func (st *stress) Nowhere(_ uint64, key []byte) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.known[string(key)]
}

// peer notes that a lane begins (1) or ends (-1) to take a session away: then it is not known to be nowhere.
func (st *stress) peer(key string, by int) {
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.known, key)
	st.peers[key] += by
	st.turns[key]++
}

// bring puts a session that is elsewhere here, although nobody may have asked for it.
func (st *stress) bring(lane int, key string) {
	st.mu.Lock()
	p, ok := st.shelf[key]
	if !ok || st.hands[key] > 0 {
		st.mu.Unlock()
		return
	}
	st.hands[key]++
	st.mu.Unlock()
	placed := st.e.Place(st.now(), lane, p)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.hands[key]--
	switch placed {
	case PlacedNew, PlacedSought:
		delete(st.shelf, key)
	case PlacedBusy:
	case PlacedNewer, KeptNewer:
		st.t.Errorf("%q is elsewhere and here: %s", key, placed)
	}
}

// search answers one question for a session, if there is one.
func (st *stress) search(lane int, rnd *rand.Rand) {
	st.mu.Lock()
	if len(st.finds) == 0 {
		st.mu.Unlock()
		return
	}
	asked := st.finds[0]
	f := asked.f
	st.finds = st.finds[1:]
	if st.hands[f.Key] > 0 && !f.Done() { // the answer is on its way
		st.finds = append(st.finds, asked)
		st.mu.Unlock()
		return
	}
	p, ok := st.shelf[f.Key]
	ok = ok && !f.Done()
	undecided := !ok && rnd.IntN(20) == 0
	switch {
	case ok:
		delete(st.shelf, f.Key)
	case !undecided && !f.Done() && st.peers[f.Key] == 0 && st.turns[f.Key] == asked.began:
		st.known[f.Key] = true
	}
	st.mu.Unlock()
	switch {
	case ok:
		if st.e.Arrived(st.now(), lane, f, p) < 0 {
			st.t.Errorf("the search for %q was over, and its session is lost", f.Key)
		}
	case undecided:
		st.e.Undecided(st.now(), lane, f)
	default:
		st.e.Missing(st.now(), lane, f)
	}
}

// run lets so many lanes make so many requests for each of their clients, and checks that everything is at rest afterwards.
func (st *stress) run(rnd *rand.Rand, lanes, requests int) []*stressLane {
	quit := make(chan struct{})
	var workers, wg sync.WaitGroup
	workers.Go(func() {
		for {
			select {
			case <-quit:
				return
			case <-st.poke:
				for st.e.Run(st.now(), NoLane, 8) {
				}
			}
		}
	})
	all := make([]*stressLane, lanes)
	for i := range all {
		l := newStressLane(st, i, rand.New(rand.NewPCG(rnd.Uint64(), 0)))
		all[i] = l
		wg.Go(func() { l.work(requests) })
	}
	wg.Wait()
	close(quit)
	workers.Wait()
	st.e.SetMirroring(MirrorNone)
	for st.conclude(NoLane, rnd) { // nobody waits for an answer any more
		continue
	}
	if !st.t.Failed() {
		st.atRest()
	}
	return all
}

// checkHistory checks that what the clients of each session saw is linearizable.
func (st *stress) checkHistory(all []*stressLane) {
	if st.t.Failed() {
		return
	}
	history := map[string][]porcupine.Operation{}
	for _, l := range all {
		for key, ops := range l.history {
			history[key] = append(history[key], ops...)
		}
	}
	for key, ops := range history {
		for i := range ops {
			if ops[i].Return == 0 { // nobody was told when it ended
				ops[i].Return = st.stamp.Add(1)
			}
		}
		result, info := porcupine.CheckOperationsVerbose(lockModel, ops, 20*time.Second)
		if result != porcupine.Ok {
			st.t.Errorf("the history of %q, %d operations, is not linearizable: %s\n%s", key, len(ops), result, stuckAt(ops, info))
		}
	}
}

// atRest checks that nothing is queued, entered or waiting any more, and that the accounts are right.
func (st *stress) atRest() {
	w := &world{tb: st.t, e: st.e, now: st.now(), keys: map[string]bool{}, away: map[*session]bool{}}
	for _, key := range st.keys {
		w.keys[key] = true
	}
	if st.e.Run(w.now, 0, 100) { // a session may still be on the run list though all its requests have been cancelled
		st.t.Error("there is still something to do")
	}
	w.check()
	w.checkIndex()
	st.e.opt.Elsewhere = nil
	w.empty()
}

// stuckAt shows the operations that follow the longest part of the history that can be explained.
func stuckAt(ops []porcupine.Operation, info porcupine.LinearizationInfo) string {
	var longest []int
	for _, partition := range info.PartialLinearizations() {
		for _, part := range partition {
			if len(part) > len(longest) {
				longest = part
			}
		}
	}
	done := map[int]bool{}
	for _, id := range longest {
		done[id] = true
	}
	var b strings.Builder
	line := func(op porcupine.Operation) {
		fmt.Fprintf(&b, "%d-%d %+v: %+v\n", op.Call, op.Return, op.Input, op.Output)
	}
	for _, id := range longest[max(0, len(longest)-20):] {
		line(ops[id])
	}
	b.WriteString("then none of\n")
	for id, op := range ops {
		if !done[id] && b.Len() < 10000 {
			line(op)
		}
	}
	return b.String()
}

// stressLane is one goroutine and its clients.
type stressLane struct {
	st      *stress
	id      int
	rnd     *rand.Rand
	clients []*stressClient
	zombies []*stressClient // gone, but not yet forgotten by the engine
	moving  *Leaving
	history map[string][]porcupine.Operation
	cookies map[string]uint32 // the latest seen
}

// stressClient makes one request at a time.
type stressClient struct {
	st   *stress
	key  string
	t    Ticket
	in   asked
	call int64
	busy bool // owned by the lane

	mu        sync.Mutex
	gone      bool
	cancelled bool
	answered  bool
	change    *Change // which waits, or has waited: the request has been carried out
	out       told
	end       int64
}

func newStressLane(st *stress, id int, rnd *rand.Rand) *stressLane {
	l := &stressLane{st: st, id: id, rnd: rnd, history: map[string][]porcupine.Operation{}, cookies: map[string]uint32{}}
	for range 4 {
		l.clients = append(l.clients, &stressClient{st: st})
	}
	return l
}

// Park implements Caller. Key and body are the client's own.
func (c *stressClient) Park(t *Ticket) {
	if t.held == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change = t.held
}

// Answer implements Caller.
func (c *stressClient) Answer(t *Ticket, _ int) bool {
	body := readBody(c.st.t, t.Out.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answered || c.cancelled {
		c.st.t.Errorf("%s is answered %v, cancelled %v, and answered", t.Op, c.answered, c.cancelled)
	}
	if c.change != nil && t.Out.Status != Cut && c.st.waits(c.change) {
		c.st.t.Errorf("%s is answered %s before its change has been confirmed", t.Op, t.Out.Status)
	}
	c.answered = true
	c.out = told{t.Out.Status, body, t.Out.Cookie, t.Out.Uninitialized, c.gone}
	c.in.done = c.change != nil
	c.end = c.st.stamp.Add(1)
	return !c.gone
}

// waits reports whether a change has still to be confirmed.
func (st *stress) waits(c *Change) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.waiting[c]
}

// makeBody returns body number n: the number over and over, so that a mixture of two is noticed.
func makeBody(n, words int) []byte {
	var b []byte
	for range words {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return b
}

func readBody(t *testing.T, b []byte) int {
	if len(b) == 0 {
		return 0
	}
	n := binary.LittleEndian.Uint64(b)
	for i := 0; i < len(b); i += 8 {
		if got := binary.LittleEndian.Uint64(b[i:]); got != n {
			t.Errorf("a body of %d bytes begins as %d and goes on as %d", len(b), n, got)
			break
		}
	}
	return int(n)
}

// work makes the requests and returns when all of them are over.
func (l *stressLane) work(requests int) {
	left := requests * len(l.clients)
	for !l.st.late() && !l.st.t.Failed() {
		idle := 0
		for i, c := range l.clients {
			switch {
			case c.busy:
				l.clients[i] = l.look(c)
			case left > 0:
				left--
				l.begin(c)
			default:
				idle++
			}
		}
		l.bury()
		l.move(left)
		l.help()
		if idle == len(l.clients) && len(l.zombies) == 0 && l.moving == nil {
			return
		}
	}
	if l.st.late() {
		l.st.t.Errorf("lane %d is stuck: %d requests to make, %d clients that are gone have no answer, moving %v; %+v",
			l.id, left, len(l.zombies), l.moving != nil, l.st.e.Stats())
	}
}

// begin makes a request.
func (l *stressLane) begin(c *stressClient) {
	ops := []Op{Get, Get, Acquire, Acquire, Acquire, Acquire, Release, Release, Release, Set, Set, Set, Touch}
	key := l.st.keys[l.rnd.IntN(len(l.st.keys))]
	in := asked{op: ops[l.rnd.IntN(len(ops))], has: l.rnd.IntN(10) > 0, cookie: l.cookies[key]}
	if l.rnd.IntN(l.st.rareness) == 0 {
		in.op = Remove
	}
	if l.rnd.IntN(10) == 0 {
		in.cookie += uint32(l.rnd.IntN(3))
	}
	t := Ticket{Op: in.op, HasCookie: in.has, Cookie: in.cookie, Minutes: l.st.minutes, Key: []byte(key), Hash: l.st.e.Hash([]byte(key)), Caller: c}
	t.Yield = l.rnd.IntN(8) == 0
	if in.op == Set {
		in.insert = l.rnd.IntN(5) == 0
		in.body = int(l.st.bodies.Add(1))
		t.InsertOnly, t.Body = in.insert, makeBody(in.body, 1+l.rnd.IntN(1<<l.rnd.IntN(8)))
		if l.rnd.IntN(4) == 0 && l.st.e.Reserve(cap(t.Body)) {
			t.Owned = true
		}
	}
	c.key, c.in, c.t, c.busy = key, in, t, true
	c.answered, c.change, c.call = false, nil, l.st.stamp.Add(1)
	l.st.e.Do(l.st.now(), l.id, &c.t)
}

// look looks after a client whose request is under way. It returns who is the client from now on.
func (l *stressLane) look(c *stressClient) *stressClient {
	c.mu.Lock()
	answered, goes := c.answered, l.rnd.IntN(40) == 0
	if goes && !answered {
		c.gone = true
	}
	c.mu.Unlock()
	switch {
	case answered:
		l.record(c)
		if goes && c.in.op == Acquire && c.out.status == OK { // and the answer does not reach it
			l.history[c.key] = append(l.history[c.key], porcupine.Operation{
				ClientId: l.id, Input: asked{revoke: true, cookie: c.out.cookie}, Output: told{}, Call: l.st.stamp.Add(1),
			})
			l.st.e.Revoke(l.st.now(), l.id, []byte(c.key), c.out.cookie)
		}
		return c
	case goes && l.cancel(c):
		return &stressClient{st: l.st}
	case goes:
		l.zombies = append(l.zombies, c)
		return &stressClient{st: l.st}
	}
	return c
}

// cancel withdraws a client's request.
func (l *stressLane) cancel(c *stressClient) bool {
	if !l.st.e.Cancel(&c.t) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancelled = true
	if c.change != nil { // it has been carried out, and nobody is told
		c.in.done, c.out, c.end = true, told{status: Cut}, l.st.stamp.Add(1)
		l.record(c)
	}
	if c.answered {
		l.st.t.Errorf("%s is answered and cancelled", c.t.Op)
	}
	if c.t.Owned {
		l.st.e.Unreserve(cap(c.t.Body))
	}
	return true
}

// record notes an operation that has ended.
func (l *stressLane) record(c *stressClient) {
	c.busy = false
	l.history[c.key] = append(l.history[c.key], porcupine.Operation{ClientId: l.id, Input: c.in, Output: c.out, Call: c.call, Return: c.end})
	if c.out.cookie > 0 {
		l.cookies[c.key] = c.out.cookie
	}
}

// bury records what came of the requests whose clients went away too late to cancel them.
func (l *stressLane) bury() {
	kept := l.zombies[:0]
	for _, c := range l.zombies {
		c.mu.Lock()
		answered := c.answered
		c.mu.Unlock()
		if answered {
			l.record(c)
		} else {
			kept = append(kept, c)
		}
	}
	l.zombies = kept
}

// mover takes a session away. It is a Caller of its own, because nobody sees it happen.
type mover struct{ done chan *Leaving }

func (*mover) Park(*Ticket) {}

func (m *mover) Answer(t *Ticket, _ int) bool {
	if t.Out.Status == OK {
		m.done <- t.Leaving
	} else {
		m.done <- nil
	}
	return true
}

// move ends a hand-over that is under way, or begins one.
func (l *stressLane) move(left int) {
	if l.st.e.opt.Elsewhere == nil {
		return
	}
	switch x := l.moving; {
	case x == nil && left > 0 && l.rnd.IntN(100) == 0:
		key := []byte(l.st.keys[l.rnd.IntN(len(l.st.keys))])
		m := &mover{make(chan *Leaving, 1)}
		t := Ticket{Op: Leave, Urgent: l.rnd.IntN(2) == 0, Key: key, Hash: l.st.e.Hash(key), Caller: m}
		l.st.peer(string(key), 1)
		l.st.e.Do(l.st.now(), l.id, &t)
		for done := false; !done && !l.st.late(); {
			select {
			case l.moving = <-m.done:
				done = true
			default:
				l.help()
			}
		}
		if l.moving == nil {
			l.st.peer(string(key), -1)
		}
	case x == nil || l.rnd.IntN(5) > 0:
	case l.rnd.IntN(3) == 0:
		l.moving = nil
		l.st.e.Stayed(l.id, x)
		l.st.peer(string(x.session.key()), -1)
	default:
		l.moving = nil
		p := l.st.e.Parcel(l.st.now(), x)
		l.st.mu.Lock()
		l.st.shelf[p.Key] = p
		l.st.hands[p.Key]++ // nobody brings it back before it has left
		l.st.mu.Unlock()
		l.st.e.Left(l.id, x)
		l.st.hand(p.Key, -1)
		l.st.peer(p.Key, -1)
	}
}

// help does some of the work that nobody in particular has to do.
func (l *stressLane) help() {
	l.st.search(l.id, l.rnd)
	if l.rnd.IntN(2) == 0 {
		l.st.conclude(l.id, l.rnd)
	}
	if l.rnd.IntN(200) == 0 {
		l.st.switches(l.rnd)
	}
	if l.st.mirroring > 0 && l.st.e.opt.Elsewhere != nil && l.rnd.IntN(400) == 0 {
		l.st.oust(l.id, l.st.keys[l.rnd.IntN(len(l.st.keys))])
	}
	if l.rnd.IntN(10) == 0 {
		l.st.bring(l.id, l.st.keys[l.rnd.IntN(len(l.st.keys))])
	}
	if l.st.helpers && l.rnd.IntN(3) == 0 {
		l.st.e.Run(l.st.now(), l.id, 1+l.rnd.IntN(3))
	}
	if l.rnd.IntN(3) == 0 && l.st.ticker.TryLock() {
		l.st.mono.Add(int64(l.st.beat))
		l.st.e.Tick(l.st.now())
		l.st.e.StaleLocks(l.st.now())
		l.st.ticker.Unlock()
	}
	runtime.Gosched()
}
