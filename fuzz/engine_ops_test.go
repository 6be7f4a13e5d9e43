package fuzz

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// FuzzEngineOps reads any bytes as things that happen to a few sessions: requests, time, deadlines, clients that go away. The engine must answer each request as the model
// does, at the same moment, whether it takes the straight way or the queue; and in the end, when everything has been removed, nothing of it may remain.
func FuzzEngineOps(f *testing.F) {
	for _, script := range engineScripts {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		g := takeGround(t)
		for ; len(in) >= stepLen; in = in[stepLen:] {
			g.step(in[0], in[1], in[2])
			g.compare()
		}
		g.finish()
		idle = g // not after a failure: it is not to be trusted then
	})
}

// The steps: what happens, to which session, and how. One takes stepLen bytes.
const (
	stepGet = iota
	stepAcquire
	stepRelease
	stepSet
	stepInsert
	stepRemove
	stepTouch
	stepTick
	stepPass
	stepCancel
	numSteps

	stepYield = 0x80 // with the step: a request that takes the queue
	stepOwned = 0x40 // a save that hands its memory over
	stepLen   = 3
)

// Cookies: the lock's own, none, or a number.
const (
	cookieRight = 0x80
	cookieNone  = 0x40
)

// engineScripts are sequences that do something: a page with a second one behind it, a lock that is left behind, a session that ends.
var engineScripts = [][]byte{
	{},
	{
		stepInsert, 0, 0, stepAcquire, 0, 0, stepAcquire, 0, 0, stepAcquire | stepYield, 0, 0, stepGet, 0, 0,
		stepSet, 0, cookieRight | 1, stepRelease, 0, cookieRight, stepTouch, 0, 0, stepRemove, 0, cookieRight, stepGet, 0, 0,
	},
	{
		stepSet, 1, 3, stepAcquire, 1, 0, stepAcquire, 1, 0, stepPass, 3, 9, stepTick, 0, 0, stepRelease, 1, cookieNone, stepRelease, 1, 1,
		stepPass, 5, 60, stepGet, 1, 0,
	},
	{
		stepSet | stepOwned, 2, 5, stepSet | stepOwned, 2, 5, stepAcquire, 2, 0, stepAcquire, 2, 0, stepAcquire, 2, 0, stepAcquire, 2, 0, stepAcquire, 2, 0,
		stepCancel, 1, 0, stepSet | stepOwned | stepYield, 2, cookieRight | 9, stepRemove, 2, cookieRight, stepInsert | stepOwned, 2, 1,
	},
	{stepSet, 0, 0, stepPass, 7, 48, stepTick, 0, 0},
	{stepSet, 0, 2 << 2, stepPass, 5, 60, stepTick, 0, 0, stepGet, 0, 0, stepSet, 0, 2 << 2, stepPass, 5, 59, stepSet, 0, 1, stepPass, 6, 30, stepGet, 0, 0},
}

const (
	groundWait = 700 * time.Millisecond
	groundLine = 3
)

// ground is an engine that is used for one input after the other, because to make one takes longer than an input. Between inputs it is empty, and its
// time goes on. It is the Caller of all requests.
type ground struct {
	t   *testing.T
	e   *engine.Engine
	now engine.Time
	m   sessions
	run bool // the engine has something to do

	open []*request // without an answer
}

// idle is the ground that is not in use.
var idle *ground

// takeGround returns a ground without sessions.
func takeGround(t *testing.T) *ground {
	g := idle
	idle = nil
	if g == nil {
		g = &ground{now: engine.Time{Mono: 1, Date: 638409078000000000}}
		e, err := engine.New(engine.Options{
			MaxMemory: 1 << 30, LockWait: groundWait, LockQueue: groundLine, StaleLock: time.Minute, Seed: 1, Ready: func(int) { g.run = true },
		}, g.now)
		if err != nil {
			t.Fatal(err)
		}
		g.e = e
	}
	g.t = t
	g.m = sessions{now: g.now, lockWait: int64(groundWait), inLine: groundLine, all: map[string]*session{}}
	return g
}

// groundKeys are the keys in use. The last is too long to lie in the record of its session.
var groundKeys = []string{"a", "b", "a key with " + strings.Repeat("long ", 30)}

// Park implements engine.Caller.
func (g *ground) Park(t *engine.Ticket) { g.request(t).parked = true }

// Answer implements engine.Caller.
func (g *ground) Answer(t *engine.Ticket, _ int) bool {
	r := g.request(t)
	if r.answer != "" {
		g.t.Errorf("%s is answered %s, and now again", t.Op, r.answer)
	}
	r.answer = answerText(t)
	return true
}

// request finds whose ticket it is.
func (g *ground) request(t *engine.Ticket) *request {
	for _, r := range g.open {
		if &r.ticket == t {
			return r
		}
	}
	g.t.Fatalf("nobody waits for an answer to this %s", t.Op)
	return nil
}

// answerText puts an answer the way the model does.
func answerText(t *engine.Ticket) string {
	out, text := &t.Out, ""
	switch out.Status {
	case engine.OK:
		text = "200"
		if t.Op <= engine.Acquire {
			text += fmt.Sprintf(" %d of %q, %d min", len(out.Body), out.Body[:1], out.Minutes)
			if n := bytes.Count(out.Body, out.Body[:1]); n != len(out.Body) {
				text += fmt.Sprintf(" and %d of something else", len(out.Body)-n)
			}
		}
		if t.Op == engine.Acquire {
			text += fmt.Sprintf(", lock %d", out.Cookie)
		}
	case engine.Locked:
		text = fmt.Sprintf("423 lock %d, %d s since %d", out.Cookie, out.LockAge, out.LockDate)
	case engine.NotFound:
		text = "404"
	case engine.NoCookie:
		text = "400"
	case engine.Refused, engine.Cut:
		text = out.Status.String()
	}
	if out.Uninitialized {
		text += " first"
	}
	return text
}

// step does what three bytes say.
func (g *ground) step(what, to, how byte) {
	switch what & (stepOwned - 1) % numSteps {
	case stepTick:
		g.e.Tick(g.now)
		g.m.tick()
	case stepPass:
		units := []time.Duration{0, 1, time.Microsecond, 50 * time.Millisecond, 350 * time.Millisecond, time.Second, time.Minute, time.Hour}
		g.pass(units[to%8] * time.Duration(how))
	case stepCancel:
		if len(g.open) == 0 {
			return
		}
		at := int(to) % len(g.open)
		r := g.open[at]
		if !g.e.Cancel(&r.ticket) {
			g.t.Fatalf("a parked %s cannot be cancelled", r.ticket.Op)
		}
		g.m.cancel(r)
		g.open = append(g.open[:at:at], g.open[at+1:]...)
	default:
		g.ask(what, to, how)
	}
}

func (g *ground) pass(d time.Duration) {
	g.now.Mono += int64(d)
	g.now.Date += int64(d) / 100
	g.m.now = g.now
}

// ask makes a request.
func (g *ground) ask(what, to, how byte) {
	key := groundKeys[int(to)%len(groundKeys)]
	ops := [...]engine.Op{
		stepGet: engine.Get, stepAcquire: engine.Acquire, stepRelease: engine.Release, stepSet: engine.Set, stepInsert: engine.Set,
		stepRemove: engine.Remove, stepTouch: engine.Touch,
	}
	step := what & (stepOwned - 1) % numSteps
	r := &request{ticket: engine.Ticket{Op: ops[step], Key: []byte(key), Hash: g.e.Hash([]byte(key)), Caller: g, Yield: what&stepYield != 0}}
	t := &r.ticket
	switch s := g.m.all[key]; {
	case how&cookieRight != 0 && s != nil:
		t.HasCookie, t.Cookie = true, s.cookie
	case how&cookieNone == 0:
		t.HasCookie, t.Cookie = true, uint32(how&7)
	}
	if t.Op == engine.Set {
		lengths := []int{1, 7, 64, 65, 100, 1000, 5000, 70000}
		t.Minutes = []uint32{20, 20, 1, 0}[how>>2&3]
		t.InsertOnly = step == stepInsert
		r.body = strings.Repeat(string('a'+rune(how&3)), lengths[to>>3&7])
		t.Body = []byte(r.body)
		if what&stepOwned != 0 && g.e.Reserve(cap(t.Body)) {
			t.Owned = true
		}
	}
	g.open = append(g.open, r)
	g.m.do(r)
	yields := t.Yield
	g.e.Do(g.now, 0, t)
	if r.answer == "" && !r.parked {
		g.t.Fatalf("%s is neither answered nor parked", t.Op)
	}
	if g.run { // at once, so that the queue makes no difference
		g.run = false
		if !yields {
			g.t.Fatalf("%s is queued although nobody is in the session", t.Op)
		}
		if g.e.Run(g.now, 1, 1) {
			g.t.Fatal("after the only turn there is more to do")
		}
	}
}

// compare checks that engine and model have answered the same requests in the same way.
func (g *ground) compare() {
	open := g.open[:0]
	for _, r := range g.open {
		if r.answer != r.want {
			g.t.Fatalf("%s of %q: %q, want %q", r.ticket.Op, r.ticket.Key, r.answer, r.want)
		}
		if r.answer == "" {
			open = append(open, r)
		}
	}
	g.open = open
	// The engine may have cleared away what is over; the model does so only when somebody asks.
	living, locked := int64(0), int64(0)
	for _, s := range g.m.all {
		if s.over(g.m.now) {
			continue
		}
		living++
		if s.locked {
			locked++
		}
	}
	if s := g.e.Stats(); s.Waiting != int64(len(open)) || s.Queued != 0 || s.Locked < locked || s.Sessions < living {
		g.t.Fatalf("%d sessions, %d locked, %d waiting, %d queued; want at least %d and %d, and %d and 0",
			s.Sessions, s.Locked, s.Waiting, s.Queued, living, locked, len(open))
	}
}

// finish removes everything and checks that nothing remains.
func (g *ground) finish() {
	for i := range groundKeys {
		g.ask(stepRemove, byte(i), cookieRight)
		g.compare()
	}
	g.pass(366 * 24 * time.Hour)
	for range 3 {
		g.e.Tick(g.now)
		g.m.tick()
	}
	g.compare()
	if s := g.e.Stats(); s.Sessions != 0 || s.Bytes != 0 || s.Locked != 0 {
		g.t.Fatalf("%d sessions, %d bytes and %d locks remain", s.Sessions, s.Bytes, s.Locked)
	}
}
