package engine

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// world is an engine with a time of its own and a record of what the engine has told. All of it runs on the test's goroutine.
type world struct {
	tb  testing.TB
	e   *Engine
	now Time

	last     *client
	named    map[string]*client
	calls    []*client       // not answered and not cancelled
	all      []*client       // of this world
	reserved int64           // bytes reserved for bodies that no session has
	keys     map[string]bool // asked for so far
	away     map[*session]bool

	poked      bool            // Ready has been called since Run found the run list empty
	finds      []*Fetch        // unanswered
	nowhere    map[string]bool // keys that no other node is known to have
	moving     *Leaving        // a hand-over under way
	changes    []*Change       // told, and to be confirmed
	deaf       bool            // the mirror does not take changes any more
	expired    []string        // keys of which the mirror has been told so
	log        []logged        // what the mirror and the clients have been told, in order
	refusals   []Refusal
	nearMisses []NearMiss
	left       []StaleLock
}

// newWorld returns a world whose engine has these options. Its time starts far from 0, because nobody promises that it starts there.
func newWorld(tb testing.TB, opt Options) *world {
	tb.Helper()
	w := &world{
		tb: tb, now: Time{Mono: int64(300 * 24 * time.Hour), Date: 638409078000000000},
		keys: map[string]bool{}, nowhere: map[string]bool{}, away: map[*session]bool{}, named: map[string]*client{},
	}
	opt.Ready = func(int) { w.poked = true }
	opt.Events = Events{
		NearMiss: func(m NearMiss) { w.nearMisses = append(w.nearMisses, m) },
		LockLeft: func(l StaleLock) { w.left = append(w.left, l) },
		Refused:  func(r Refusal) { w.refusals = append(w.refusals, r) },
	}
	e, err := New(opt, w.now)
	if err != nil {
		tb.Fatal(err)
	}
	w.e = e
	return w
}

// farm makes the world the place where the engine looks for sessions that it lacks.
func (w *world) farm() *world {
	w.e.SetElsewhere(w)
	return w
}

// Nowhere implements Elsewhere.
func (w *world) Nowhere(hash uint64, key []byte) bool {
	if hash != w.e.Hash(key) {
		w.tb.Errorf("%q is asked for with the wrong hash", key)
	}
	return w.nowhere[string(key)]
}

// Find implements Elsewhere. Somebody has to call arrive or missing afterwards.
func (w *world) Find(f *Fetch) {
	w.finds = append(w.finds, f)
	if f.Done() {
		w.tb.Errorf("%q is looked for, and has been found", f.Key)
	}
	w.away[f.session] = true
}

// found takes the oldest search.
func (w *world) found() *Fetch {
	w.tb.Helper()
	if len(w.finds) == 0 {
		w.tb.Fatal("nothing is looked for")
	}
	f := w.finds[0]
	w.finds = w.finds[1:]
	if !f.Done() {
		delete(w.away, f.session)
	}
	return f
}

// arrive ends the oldest search: the session is found.
func (w *world) arrive(p Parcel) {
	f := w.found()
	queued, over := 0, f.Done()
	if !over {
		queued = f.session.box.tickets.n
	}
	if got := w.e.Arrived(w.now, 0, f, p); over && got >= 0 || !over && got != queued {
		w.tb.Errorf("%d are queued, Arrived says %d; search over: %v", queued, got, over)
	}
	w.forget()
}

// missing ends the oldest search: there is no such session anywhere.
func (w *world) missing() {
	w.e.Missing(w.now, 0, w.found())
	w.forget()
}

// undecided ends the oldest search: nobody knows.
func (w *world) undecided() {
	w.e.Undecided(w.now, 0, w.found())
	w.forget()
}

// place puts a session here that nobody has asked for.
func (w *world) place(p Parcel) Placed {
	w.keys[p.Key] = true
	p.Body = bytes.Clone(p.Body)
	if p.Reserved {
		w.reserve(cap(p.Body))
	}
	placed := w.e.Place(w.now, 0, p)
	switch placed {
	case PlacedSought:
		delete(w.away, w.session(p.Key))
	case KeptNewer, PlacedBusy: // it is still ours
		if p.Reserved {
			w.e.Unreserve(cap(p.Body))
		}
	case PlacedNew, PlacedNewer:
	}
	if p.Reserved {
		w.reserved -= int64(cap(p.Body))
	}
	w.forget()
	return placed
}

// leftFor ends a hand-over: the session is elsewhere now.
func (w *world) leftFor(x *Leaving) {
	delete(w.away, x.session)
	w.e.Left(0, x)
	w.forget()
}

// stayed ends a hand-over: the session is still here.
func (w *world) stayed(x *Leaving) {
	delete(w.away, x.session)
	w.e.Stayed(0, x)
	w.forget()
}

// after lets time pass.
func (w *world) after(d time.Duration) {
	w.now.Mono += int64(d)
	w.now.Date += int64(d) / 100
}

// tick lets time pass and tells the engine.
func (w *world) tick(d time.Duration) {
	w.after(d)
	w.e.Tick(w.now)
	w.forget()
}

// run works off all that is queued.
func (w *world) run() {
	for w.turns(100) {
	}
}

// turns works off the queues for at most n turns and reports whether there is more.
func (w *world) turns(n int) bool {
	more := w.e.Run(w.now, 0, n)
	w.poked = more
	w.forget()
	return more
}

// logged is something that has been told: a change to the mirror, or an answer.
type logged struct {
	c    *client // nil for a change
	text string
}

// mirrored makes the world the mirror of its engine.
func (w *world) mirrored(m Mirroring) *world {
	w.e.SetMirror(w)
	w.e.SetMirroring(m)
	return w
}

// Changed implements Mirror. Somebody has to call confirm or supersede afterwards if the change is awaited.
func (w *world) Changed(c *Change) bool {
	s := c.session
	if s.gate.bits.Load()&gateEntered == 0 || string(s.key()) != c.Key || c.Key != c.Parcel.Key {
		w.tb.Errorf("%q is told to have changed; gate %b, key %q", c.Key, s.gate.bits.Load(), s.key())
	}
	if told := c.Content && !c.Removed; (c.Parcel.Body != nil) != told || told && !bytes.Equal(c.Parcel.Body, s.body.bytes()) {
		w.tb.Errorf("%q: told content %v, and a body of %d bytes", c.Key, c.Content, len(c.Parcel.Body))
	}
	if whole := w.e.State(w.now, c); c.Content && !c.Removed && !reflect.DeepEqual(whole, c.Parcel) {
		w.tb.Errorf("%q: told %+v, the state is %+v", c.Key, c.Parcel, whole)
	}
	w.log = append(w.log, logged{text: telling(c)})
	if c.Awaited && !w.deaf {
		w.changes = append(w.changes, c)
		w.away[s] = true
	}
	return !w.deaf
}

// Expired implements Mirror.
func (w *world) Expired(key string) { w.expired = append(w.expired, key) }

// telling describes what the mirror is told, such as
//
//	content text/20 #1 v1       a state with content: that and the sliding life, cookie, version
//	state 20 #2 v1 locked       one without
//	removed #2 v1 locked        a session that is gone
func telling(c *Change) string {
	p := &c.Parcel
	text := fmt.Sprintf("state %d", p.Minutes)
	switch {
	case c.Removed:
		text = "removed"
	case c.Content:
		text = fmt.Sprintf("content %s/%d", p.Body, p.Minutes)
	}
	text += fmt.Sprintf(" #%d v%d", p.Cookie, p.Version)
	if p.Locked {
		text += " locked"
	}
	return text
}

// waits reports whether a change is to be confirmed.
func (w *world) waits(c *Change) bool { return slices.Contains(w.changes, c) }

// takeChange takes one of the changes that are to be confirmed.
func (w *world) takeChange(i int) *Change {
	w.tb.Helper()
	if i >= len(w.changes) {
		w.tb.Fatal("nothing is to be confirmed")
	}
	c := w.changes[i]
	w.changes = slices.Delete(w.changes, i, i+1)
	delete(w.away, c.session)
	return c
}

// confirm says that the mirror knows of a change.
func (w *world) confirm(i int) {
	w.tb.Helper()
	w.e.Confirm(w.now, 0, w.takeChange(i))
	w.forget()
}

// supersede says that another node has the session of a change.
func (w *world) supersede(i int) Parcel {
	w.tb.Helper()
	p, ok := w.e.Supersede(w.now, 0, w.takeChange(i))
	if !ok {
		w.tb.Error("the change was over already")
	}
	w.forget()
	return p
}

// confirmAll ends the mirroring.
func (w *world) confirmAll() {
	w.e.SetMirroring(MirrorNone)
	for len(w.changes) > 0 {
		w.confirm(0)
	}
}

// client is who makes a request: an engine.Caller that keeps what it is told.
type client struct {
	w    *world
	t    Ticket
	key  string
	gone bool // the answer cannot be delivered
	room int  // bytes reserved for the body

	parks     int
	change    *Change // what it has changed waits until it is confirmed
	answers   int
	cancelled bool
	lane      int
	got       Outcome // Body is a copy, unless Shared
}

// Park implements Caller: from now on the ticket's bytes are the client's own.
func (c *client) Park(t *Ticket) {
	if t != &c.t {
		c.w.tb.Error("somebody else's ticket is parked")
	}
	c.parks++
	if t.held != nil {
		c.change = t.held
		if t.Op == Set { // the body has been stored, or given back
			c.w.reserved -= int64(c.room)
			c.room = 0
		}
	}
	if c.parks > 1 {
		return
	}
	t.Key, t.Target = bytes.Clone(t.Key), bytes.Clone(t.Target)
	if !t.Owned {
		t.Body = bytes.Clone(t.Body)
	}
}

// Answer implements Caller.
func (c *client) Answer(t *Ticket, lane int) bool {
	if t != &c.t {
		c.w.tb.Error("somebody else's ticket is answered")
	}
	if c.answers++; c.answers > 1 || c.cancelled {
		c.w.tb.Errorf("%s is answered %d times, cancelled %v", c, c.answers, c.cancelled)
	}
	if c.change != nil && c.w.waits(c.change) && t.Out.Status != Cut {
		c.w.tb.Errorf("%s is answered before its change has been confirmed", c)
	}
	c.lane, c.got = lane, t.Out
	c.w.log = append(c.w.log, logged{c, describe(t.Op, &t.Out)})
	if !t.Out.Shared {
		c.got.Body = bytes.Clone(t.Out.Body)
	}
	c.w.reserved -= int64(c.room) // stored or given back
	if t.Op == Leave && t.Out.Status == OK && !c.gone {
		c.w.away[t.Leaving.session] = true
	}
	return !c.gone
}

// do carries out a request and returns who made it. Unless it is parked, its key, target and body are ruined afterwards, as a read buffer is.
func (w *world) do(t Ticket) *client {
	c := &client{w: w, t: t, key: string(t.Key)}
	c.t.Caller = c
	key, target, body := bytes.Clone(t.Key), bytes.Clone(t.Target), bytes.Clone(t.Body)
	c.t.Key, c.t.Target, c.t.Hash = key, target, w.e.Hash(key)
	if t.Owned {
		c.room = cap(t.Body)
	} else {
		c.t.Body = body
	}
	w.keys[c.key] = true
	w.all, w.calls, w.last = append(w.all, c), append(w.calls, c), c
	w.e.Do(w.now, 0, &c.t)
	for i := range key {
		key[i] = '!'
	}
	for i := range body {
		body[i] = '!'
	}
	for i := range target {
		target[i] = '!'
	}
	w.forget()
	return c
}

// forget drops the clients whose request is over.
func (w *world) forget() {
	kept := w.calls[:0]
	for _, c := range w.calls {
		if c.answers == 0 && !c.cancelled {
			kept = append(kept, c)
		}
	}
	w.calls = kept
}

// cancel withdraws the request and reports what Cancel did.
func (c *client) cancel() bool {
	if !c.w.e.Cancel(&c.t) {
		return false
	}
	c.cancelled = true
	if c.t.Owned {
		c.w.e.Unreserve(cap(c.t.Body))
		c.w.reserved -= int64(c.room)
	}
	c.w.forget()
	return true
}

// want checks how the request stands; see String.
func (c *client) want(want string) *client {
	c.w.tb.Helper()
	if got := c.String(); got != want {
		c.w.tb.Errorf("%s %s: %q, want %q", c.t.Op, c.key, got, want)
	}
	return c
}

// String says how the request stands: "parked", "cancelled", or the answer, such as
//
//	200 A               with ActionFlags
//	200 text/20         content and sliding life
//	200 text/20 #2      and the cookie of the lock
//	423 #2 5s           cookie and age of the lock in the way
//	404, 400, refused, cut
func (c *client) String() string {
	switch {
	case c.cancelled:
		return "cancelled"
	case c.answers == 0:
		return "parked"
	}
	return describe(c.t.Op, &c.got)
}

func describe(op Op, out *Outcome) string {
	var b strings.Builder
	switch out.Status {
	case OK:
		b.WriteString("200")
		if op == Get || op == Acquire {
			fmt.Fprintf(&b, " %s/%d", out.Body, out.Minutes)
		}
		if op == Acquire {
			fmt.Fprintf(&b, " #%d", out.Cookie)
		}
	case Locked:
		fmt.Fprintf(&b, "423 #%d %ds", out.Cookie, out.LockAge)
	case NotFound:
		b.WriteString("404")
	case NoCookie:
		b.WriteString("400")
	case Refused, Cut, Sought:
		b.WriteString(out.Status.String())
	}
	if out.Uninitialized {
		b.WriteString(" A")
	}
	return b.String()
}

// The requests of §4.1. A cookie is optional, and means HasCookie.

func request(op Op, key string, cookie []uint32) Ticket {
	t := Ticket{Op: op, Key: []byte(key)}
	if len(cookie) > 0 {
		t.HasCookie, t.Cookie = true, cookie[0]
	}
	return t
}

func get(key string, cookie ...uint32) Ticket     { return request(Get, key, cookie) }
func acquire(key string, cookie ...uint32) Ticket { return request(Acquire, key, cookie) }
func release(key string, cookie ...uint32) Ticket { return request(Release, key, cookie) }
func remove(key string, cookie ...uint32) Ticket  { return request(Remove, key, cookie) }
func touch(key string) Ticket                     { return request(Touch, key, nil) }
func leave(key string) Ticket                     { return request(Leave, key, nil) }

// urgent makes a Leave one for a save or an unlocking.
func urgent(t Ticket) Ticket {
	t.Urgent = true
	return t
}

// set saves with a sliding life of 20 minutes.
func set(key, body string, cookie ...uint32) Ticket {
	return living(20, request(Set, key, cookie), body)
}

// insert is a Set with bit 0 of ExtraFlags.
func insert(key, body string, cookie ...uint32) Ticket {
	t := set(key, body, cookie...)
	t.InsertOnly = true
	return t
}

// living makes a Set one with this sliding life and body.
func living(minutes uint32, t Ticket, body string) Ticket {
	t.Minutes, t.Body = minutes, []byte(body)
	return t
}

// owned makes a Set one whose body is in memory that was reserved for it, with room to spare.
func (w *world) owned(t Ticket, room int) Ticket {
	w.tb.Helper()
	body := make([]byte, len(t.Body), len(t.Body)+room)
	copy(body, t.Body)
	w.reserve(cap(body))
	t.Body, t.Owned = body, true
	return t
}

// reserve takes memory, which must be free.
func (w *world) reserve(n int) {
	w.tb.Helper()
	if !w.e.Reserve(n) {
		w.tb.Fatalf("there are not %d bytes", n)
	}
	w.reserved += int64(n)
}

// yielding makes a request take the queue.
func yielding(t Ticket) Ticket {
	t.Yield = true
	return t
}
