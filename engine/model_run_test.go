package engine

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestModel does the same random things to the engine and to the model. After each, the two must have given the same answers to the same requests, and the engine must
// keep its invariants.
func TestModel(t *testing.T) {
	times := 20
	if raceEnabled {
		times = 4
	}
	first, runs := firstSeed(times)
	for i := range runs {
		seed := first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			newDuel(t, seed).fight(1500)
		})
	}
}

// duel is an engine and a model to which the same happens.
type duel struct {
	*world
	m   *model
	rnd *rand.Rand

	names   []string // keys to use
	calls   map[*client]*call
	shelf   map[string]Parcel // sessions that are elsewhere
	moves   map[string]*Leaving
	cookies map[string][]uint32 // seen under a key
	mirrors bool                // changes are told, at times
	copies  map[string]Parcel   // what the mirror makes of what it has been told, unless it has missed something
	trace   []string
}

// Changed implements Mirror: it keeps a copy.
func (d *duel) Changed(c *Change) bool {
	p, known := d.copies[c.Key]
	switch {
	case c.Removed:
		delete(d.copies, c.Key)
	case c.Content:
		d.copies[c.Key] = c.Parcel
	case known:
		body := p.Body
		p = c.Parcel
		p.Body = body
		d.copies[c.Key] = p
	}
	return d.world.Changed(c)
}

func newDuel(t *testing.T, seed uint64) *duel {
	rnd := random(t, seed)
	opt := Options{
		Seed:         seed,
		LockQueue:    1 + rnd.IntN(4),
		SessionQueue: 1 + rnd.IntN(6),
	}
	if rnd.IntN(2) > 0 {
		opt.FarmWait = time.Duration(10+rnd.IntN(3000)) * time.Millisecond
		opt.TransferQueue = 1 + rnd.IntN(4)
	}
	if rnd.IntN(4) > 0 {
		opt.LockWait = time.Duration(1+rnd.IntN(1500)) * time.Millisecond
	}
	if rnd.IntN(2) > 0 {
		opt.StaleLock = time.Duration(1+rnd.IntN(300)) * time.Second
	}
	farm := rnd.IntN(2) > 0
	if !farm && rnd.IntN(2) > 0 {
		opt.MaxMemory = int64(1000 + rnd.IntN(3000))
	}
	d := &duel{
		world: newWorld(t, opt), rnd: rnd,
		calls: map[*client]*call{}, shelf: map[string]Parcel{}, moves: map[string]*Leaving{}, cookies: map[string][]uint32{},
	}
	if farm {
		d.farm()
	}
	d.e.SetMirror(d)
	d.mirrors = rnd.IntN(3) > 0
	d.copies = map[string]Parcel{}
	d.names = append(collidingKeys(seed, 3), "a", "b", "c")
	d.m = newModel(d.world)
	d.m.refused = func(c *client) bool { // it may not have been told yet
		return c.answers > 0 && c.got.Status == Refused || c.answers == 0 && c.t.place == confirming && c.t.Out.Status == Refused
	}
	return d
}

// fight does so many things, and empties the engine in the end.
func (d *duel) fight(steps int) {
	for i := range steps {
		d.m.now = d.now
		d.step()
		d.compare()
		if i%40 == 0 {
			d.compareSurvey()
		}
		if d.tb.Failed() {
			d.tb.Fatalf("options %+v\n%s", d.e.opt, strings.Join(d.trace[max(0, len(d.trace)-60):], "\n"))
		}
	}
	d.checkIndex()
	d.m.now = d.now
	for len(d.finds)+len(d.moves)+len(d.m.run)+len(d.changes) > 0 {
		d.settle()
		d.conclude()
		d.turns(1)
		d.m.turn()
		d.compare()
	}
	d.e.opt.Elsewhere = nil
	d.empty()
}

func (d *duel) note(format string, args ...any) {
	d.trace = append(d.trace, fmt.Sprintf(format, args...))
}

// step does one thing.
func (d *duel) step() {
	switch n := d.rnd.IntN(100); {
	case n < 60:
		d.request()
	case n < 72:
		n := 1 + d.rnd.IntN(4)
		d.note("run %d", n)
		d.turns(n)
		for range n {
			d.m.turn()
		}
	case n < 80:
		d.pass()
	case n < 82 && d.mirrors:
		d.mirror()
	case n < 84 && d.mirrors:
		d.conclude()
	case n < 88:
		d.note("tick")
		d.tick(0)
		d.m.deadlines()
		d.m.trim()
		d.swept()
	case n < 92:
		if c := d.pending(); c != nil {
			d.note("cancel %p", c)
			if got, want := c.cancel(), d.m.cancel(c); got != want {
				d.tb.Errorf("cancel %v, want %v", got, want)
			}
		}
	case n < 94:
		if c := d.pending(); c != nil {
			d.note("gone %p", c)
			c.gone = true
		}
	case n < 95:
		d.strangers()
	case n < 96:
		key := d.key()
		cookie := d.cookie(key)
		d.note("revoke %d of %q", cookie, key)
		d.keys[key] = true
		d.e.Revoke(d.now, 0, []byte(key), cookie)
		d.forget()
		d.m.do(&call{t: Ticket{Op: Release, Key: []byte(key), Cookie: cookie}, revoke: true, since: d.now.Mono})
	case n < 98:
		d.settle()
		d.conclude()
	default:
		d.conclude()
	}
}

// mirror switches the mirroring, or says what this node may do on its own.
func (d *duel) mirror() {
	switch n := d.rnd.IntN(10); {
	case n < 2:
		d.m.mirroring = Mirroring(d.rnd.IntN(4))
		if d.m.mirroring < MirrorTell {
			clear(d.copies) // what is not told makes them old
		}
		d.note("mirroring %d", d.m.mirroring)
		d.e.SetMirroring(d.m.mirroring)
	case n < 6:
		d.m.mirroring = MirrorAwait
		d.note("mirroring %d", d.m.mirroring)
		d.e.SetMirroring(MirrorAwait)
	case n < 9:
		d.m.lease = NoLease
		if d.rnd.IntN(4) == 0 {
			d.m.lease = d.now.Mono + d.rnd.Int64N(1e9)
		}
		d.note("the lease ends at %d", d.m.lease)
		d.e.SetLease(d.m.lease)
	default:
		d.deaf = !d.deaf && d.rnd.IntN(3) == 0
		d.m.deaf = d.deaf
		d.note("the mirror is deaf: %v", d.deaf)
	}
}

// conclude confirms changes in any order, and supersedes some.
func (d *duel) conclude() {
	for range 1 + d.rnd.IntN(4) {
		if len(d.changes) == 0 {
			return
		}
		i := d.rnd.IntN(len(d.changes))
		key := d.changes[i].Key
		it := d.m.items[key]
		if d.rnd.IntN(12) > 0 {
			d.note("%q is confirmed", key)
			d.confirm(i)
			d.m.confirmed(it)
			continue
		}
		p := d.supersede(i)
		d.note("%q is superseded, it was %+v", key, p)
		d.ousted(p)
		d.m.superseded(it)
	}
}

// ousted checks what has been taken out of service, before the model does so, and puts it elsewhere.
func (d *duel) ousted(p Parcel) {
	it := d.m.items[p.Key]
	if it == nil || string(p.Body) != it.content || p.Cookie != it.cookie || p.Locked != it.locked || p.Version != it.version || p.Gen != it.gen || p.Minutes != it.minutes {
		d.tb.Errorf("%+v was taken out of service, want %+v", p, it)
	}
	d.nowhere[p.Key] = false
	p.Gen += uint32(d.rnd.IntN(2))
	d.shelf[p.Key] = p
}

// strangers is what other nodes do without being asked.
func (d *duel) strangers() {
	if d.e.opt.Elsewhere == nil {
		return
	}
	key := d.key()
	switch d.rnd.IntN(5) {
	case 0:
		d.nowhere[key] = !d.nowhere[key]
		d.note("%q is known to be nowhere: %v", key, d.nowhere[key])
		return
	case 1:
		if got, want := d.e.Look(d.now, []byte(key)), d.m.sight(key); got != want {
			d.tb.Errorf("%q is seen %+v, want %+v", key, got, want)
		}
		return
	case 2:
		d.keys[key] = true
		p, got := d.e.Peek(d.now, []byte(key))
		if want := d.m.sight(key); got != want.State || p.Gen != want.Gen || p.Version != want.Version || got == SightHere && string(p.Body) != d.m.items[key].content {
			d.tb.Errorf("%q is peeped at, %s: %+v, want %+v", key, got, p, want)
		}
		return
	case 3:
		d.keys[key] = true
		p, got := d.e.Oust(d.now, 0, []byte(key))
		d.note("%q is ousted: %s, it was %+v", key, got, p)
		if got == SightHere {
			d.ousted(p)
		}
		if want := d.m.ousted(key); got != want {
			d.tb.Errorf("%q is ousted: %s, want %s", key, got, want)
		}
		d.forget()
		return
	}
	p := Parcel{
		Key: key, Body: []byte(fmt.Sprint("placed ", d.rnd.IntN(100))), Minutes: uint32(d.rnd.IntN(3)), Left: d.rnd.Int64N(2 * minute),
		Gen: uint32(d.rnd.IntN(4)), Version: uint32(d.rnd.IntN(10)), Cookie: uint32(1 + d.rnd.IntN(10)),
		Reserved: d.rnd.IntN(2) == 0, Uninitialized: d.rnd.IntN(4) == 0,
	}
	if d.rnd.IntN(2) == 0 {
		p.Locked, p.LockAge, p.Uninitialized, p.Cookie = true, d.rnd.Int64N(minute), false, p.Cookie+1
	}
	want := d.m.place(&p)
	got := d.place(p)
	d.note("%+v is placed: %s", p, got)
	if got != want {
		d.tb.Errorf("%q is placed: %s, want %s", key, got, want)
	}
	if p.Locked {
		d.cookies[key] = append(d.cookies[key], p.Cookie)
	}
}

// pass lets time pass: mostly moments, sometimes more than a life.
func (d *duel) pass() {
	units := []time.Duration{1, time.Microsecond, time.Millisecond, 100 * time.Millisecond, time.Second, time.Second, time.Minute, 20 * time.Minute}
	by := time.Duration(d.rnd.Int64N(int64(2 * units[d.rnd.IntN(len(units))])))
	if d.rnd.IntN(10) == 0 {
		by = time.Minute // to the very end of a short life
	}
	d.note("%v pass", by)
	d.after(by)
}

// request makes a request of some kind.
func (d *duel) request() {
	ops := []Op{Get, Get, Acquire, Acquire, Acquire, Release, Release, Set, Set, Set, Set, Remove, Touch}
	if d.rnd.IntN(40) == 0 {
		ops = []Op{Leave}
	}
	key := d.key()
	t := Ticket{Op: ops[d.rnd.IntN(len(ops))], Key: []byte(key), Yield: d.rnd.IntN(6) == 0}
	if d.rnd.IntN(8) > 0 {
		t.HasCookie, t.Cookie = true, d.cookie(key)
	}
	if t.Op == Set {
		body := strings.Repeat(string(rune('a'+d.rnd.IntN(3))), 1+d.rnd.IntN(1<<d.rnd.IntN(9)))
		minutes := []uint32{20, 20, 20, 1, 1, 2, 0}
		t = living(minutes[d.rnd.IntN(len(minutes))], t, body)
		t.InsertOnly = d.rnd.IntN(4) == 0
		if room := d.rnd.IntN(200); d.rnd.IntN(3) == 0 && d.e.Reserve(len(body)+room) {
			owned := make([]byte, len(body), len(body)+room)
			copy(owned, body)
			d.reserved += int64(cap(owned))
			t.Body, t.Owned = owned, true
		}
	}
	t.Client = uint16(d.rnd.IntN(5))
	t.Urgent = t.Op == Leave && d.rnd.IntN(2) == 0
	asked := call{t: t, yield: t.Yield, since: d.now.Mono}
	asked.t.Key, asked.t.Body = bytes.Clone(t.Key), bytes.Clone(t.Body)
	refusals := len(d.refusals)
	c := d.do(t)
	asked.c = c
	d.note("%p %s %.20q cookie %d/%v body %.20q/%d insert %v owned %v yield %v: %.60s",
		c, t.Op, key, t.Cookie, t.HasCookie, asked.t.Body, t.Minutes, t.InsertOnly, t.Owned, t.Yield, c)
	if len(d.refusals) > refusals {
		d.mayRefuse(d.refusals[refusals])
	}
	d.m.do(&asked)
}

// mayRefuse checks that a save that was refused would have come close to the cap, at the least.
func (d *duel) mayRefuse(r Refusal) {
	worst := r.Used + sessionCost + int64(len(r.Key)) + 2*int64(r.Bytes) + 64
	if r.Max == 0 || worst <= r.Max-r.Max/growthShare {
		d.tb.Errorf("%+v: refused without need", r)
	}
}

func (d *duel) key() string { return d.names[d.rnd.IntN(len(d.names))] }

// cookie picks one that makes sense, mostly: the one in force, or one that was.
func (d *duel) cookie(key string) uint32 {
	seen := d.cookies[key]
	switch n := d.rnd.IntN(10); {
	case n < 7 && len(seen) > 0:
		return seen[len(seen)-1]
	case n < 8 && len(seen) > 0:
		return seen[d.rnd.IntN(len(seen))]
	case n < 9:
		return uint32(d.rnd.IntN(6))
	default:
		return ^uint32(0)
	}
}

// pending returns a request that has no answer yet, or nil.
func (d *duel) pending() *client {
	if len(d.world.calls) == 0 {
		return nil
	}
	return d.world.calls[d.rnd.IntN(len(d.world.calls))]
}

// settle ends a search or a hand-over.
func (d *duel) settle() {
	if len(d.moves) > 0 && (len(d.finds) == 0 || d.rnd.IntN(2) == 0) {
		key := slices.Sorted(maps.Keys(d.moves))[0]
		x := d.moves[key]
		delete(d.moves, key)
		if d.e.opt.Elsewhere == nil || d.rnd.IntN(3) == 0 {
			d.note("%q stays", key)
			d.stayed(x)
			d.m.stayed(key)
			return
		}
		p := d.e.Parcel(d.now, x)
		p.Body = bytes.Clone(p.Body)
		d.shelf[key] = p
		d.note("%q has left: %+v", key, p)
		d.leftFor(x)
		d.m.left(key)
		return
	}
	if len(d.finds) == 0 {
		return
	}
	key := d.finds[0].Key
	p, ok := d.shelf[key]
	if d.finds[0].Done() {
		d.note("the search for %q was over", key)
		switch d.rnd.IntN(3) {
		case 0:
			d.arrive(Parcel{Key: key, Body: []byte("late"), Gen: 1 << 30})
		case 1:
			d.missing()
		default:
			d.undecided()
		}
		return
	}
	if d.rnd.IntN(5) == 0 {
		d.note("nobody knows where %q is", key)
		d.undecided()
		d.m.undecided(key)
		return
	}
	if !ok {
		d.note("%q is missing", key)
		d.missing()
		d.m.missing(key)
		return
	}
	delete(d.shelf, key)
	p.LockAge += int64(d.rnd.IntN(3)) * 1e9
	d.note("%q arrives: %+v", key, p)
	d.m.arrived(key, &p)
	d.arrive(p)
}

// swept takes out of the model the expired items that the engine has swept, which may happen at any time after their end, and soon.
func (d *duel) swept() {
	for key, it := range d.m.items {
		gone := d.e.index.find(d.e.Hash([]byte(key)), []byte(key)) == nil
		if it.listed || it.away {
			it.busy = d.now.Mono
		}
		switch expired := !it.away && d.m.expired(it); {
		case gone && !expired:
			d.tb.Errorf("%q was swept before its time", key)
		case gone:
			d.m.bury(it)
		case expired && d.now.Mono > max(it.expires, it.busy)+3<<slotBits:
			d.tb.Errorf("%q has not been swept %v after its end", key, time.Duration(d.now.Mono-it.expires))
		}
	}
}

// compare checks that engine and model have done the same.
func (d *duel) compare() {
	for c, want := range d.m.answers {
		got := c.String()
		switch c.got.Status {
		case Locked:
			got += fmt.Sprintf(" since %d", c.got.LockDate)
		case Cut:
			got += fmt.Sprintf(" at %d", c.got.LockDate)
		case OK, NotFound, NoCookie, Refused:
		}
		if got != want {
			d.tb.Errorf("%p %s %.20q: %q, want %q", c, c.t.Op, c.key, got, want)
		}
		if c.t.Op == Acquire && c.got.Status == OK {
			d.cookies[c.key] = append(d.cookies[c.key], c.got.Cookie)
		}
		if c.t.Op == Leave && c.got.Status == OK && !c.gone {
			d.moves[c.key] = c.t.Leaving
		}
	}
	clear(d.m.answers)
	d.compareTold()
	d.comparePending()
	d.compareItems()
	d.check()
}

// compareTold checks that the mirror has been told the same, and that what it knows is what is there: nothing has been left out.
func (d *duel) compareTold() {
	var got []string
	for _, l := range d.log {
		if l.c == nil {
			got = append(got, l.text)
		}
	}
	if !slices.Equal(got, d.m.told) {
		d.tb.Errorf("the mirror has been told %q, want %q", got, d.m.told)
	}
	d.log, d.m.told = d.log[:0], d.m.told[:0]
	for key, p := range d.copies {
		it := d.m.items[key]
		if it == nil || it.fetched || it.void || it.loaded > 0 {
			delete(d.copies, key) // it has expired, or another is in its place
			continue
		}
		got := fmt.Sprint(p.Version, p.Minutes, p.Locked, p.Cookie, string(p.Body))
		if want := fmt.Sprint(it.version, it.minutes, it.locked, it.cookie, it.content); got != want && !(it.change != nil && it.change.removed) {
			d.tb.Errorf("the copy of %q is %.60s, want %.60s", key, got, want)
		}
	}
	for _, it := range d.m.items {
		it.loaded = 0
	}
}

// comparePending checks that the same requests have no answer yet.
func (d *duel) comparePending() {
	pending, revokes := map[*client]bool{}, 0
	for _, it := range d.m.all() {
		for _, c := range slices.Concat(it.queue, it.waiting) {
			if c.revoke {
				revokes++
				continue
			}
			pending[c.c] = true
		}
		if it.change != nil {
			for _, r := range it.change.answers {
				pending[r.c.c] = true
			}
		}
	}
	d.forget()
	for _, c := range d.world.calls {
		if !pending[c] {
			d.tb.Errorf("%p %s %.20q has no answer", c, c.t.Op, c.key)
		}
		delete(pending, c)
	}
	for c := range pending {
		d.tb.Errorf("%p %s %.20q is answered %q, should be parked", c, c.t.Op, c.key, c)
	}
}

// compareItems checks that the sessions are the same.
func (d *duel) compareItems() {
	sessions := d.live()
	if len(sessions) != len(d.m.items) {
		d.tb.Errorf("%d sessions, want %d", len(sessions), len(d.m.items))
	}
	for s := range sessions {
		it := d.m.items[string(s.key())]
		if it == nil {
			d.tb.Errorf("%.20q lives", s.key())
			continue
		}
		if it.fetched || it.void {
			continue
		}
		got := fmt.Sprint(s.gen, s.version, s.minutes, s.marks.has(uninit), s.lock.held, s.lock.cookie, s.lock.skip, s.minutes > 0 && s.expires != it.expires, string(s.body.bytes()))
		want := fmt.Sprint(it.gen, it.version, it.minutes, it.uninit, it.locked, it.cookie, it.skip, false, it.content)
		if got != want {
			d.tb.Errorf("%.20q is %.60s, want %.60s", s.key(), got, want)
		}
		if reread := s.marks.has(reread); reread != it.reread || it.locked && s.holder != it.holder {
			d.tb.Errorf("%.20q: read again %v, held by %d, want %v, %d", s.key(), reread, s.holder, it.reread, it.holder)
		}
	}
	if n := d.e.Stats().Identical; n != d.m.identical {
		d.tb.Errorf("%d identical saves, want %d", n, d.m.identical)
	}
}
