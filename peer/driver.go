package peer

import (
	"crypto/rand"
	"runtime/debug"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/message"
)

func newID() (id message.ID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

func newNode() message.Node { return message.Node(newID()) }

// now is the time by the engine's clock.
func (f *Farm) now() int64 { return f.opt.Now().Mono }

// longSleep is how long the driver sleeps when nothing waits for the time.
const longSleep = time.Second

// run is the driver.
func (f *Farm) run() {
	timer := time.NewTimer(longSleep)
	defer timer.Stop()
	var events []event
	for {
		select {
		case <-f.quit:
			f.windUp(events)
			return
		case <-f.inbox.wake:
		case <-timer.C:
		}
		f.repair.pace.wake(f.now())
		events = f.inbox.take(events)
		f.carry(events)
		f.guard(func() { f.core.Tick(f.now()) })
		f.act()
		f.core.Flush()
		f.act()
		f.out.Flush() // Must come before anything that takes long, and before the driver sleeps.
		f.guard(f.periodic)
		f.act()
		f.out.Flush()
		f.repair.pace.sleep(f.now())
		timer.Reset(f.sleep())
	}
}

// carry takes note of events, and does what follows from each.
func (f *Farm) carry(events []event) {
	for i := range events {
		f.guard(func() { f.note(&events[i]) })
		events[i] = event{}
		f.act()
	}
}

// note takes note of one event.
func (f *Farm) note(e *event) {
	switch {
	case e.change != nil:
		f.changed(f.now(), e.change)
	case e.batch != nil:
		f.step(e.from, e.batch)
	default:
		e.do(f.now())
	}
}

// windUp ends what is under way when no link is left: sessions that nobody has taken are served here again, and the memory of copies that are not ours is given back.
func (f *Farm) windUp(events []event) {
	f.engine.SetMirroring(engine.MirrorNone)
	f.inbox.close() // from now on no session can be taken out of service, and no change is told
	f.carry(f.inbox.take(events))
	f.guard(func() { f.core.Stop(f.now()) })
	f.act()
	f.guard(func() { f.place(f.now()) })
	f.out.Flush()
}

// guard does f, and goes on if f panics: a fault of the farm must not lose the sessions of the node. What the fault was about has deadlines, in the core and in the
// engine.
func (f *Farm) guard(do func()) {
	defer func() {
		if p := recover(); p != nil {
			f.faults.Add(1)
			f.loggerFor("fault").Error("a fault in the farm; the node goes on. Please report it", "event", "farm_fault", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	do()
}

// periodic does what is due whatever happens.
func (f *Farm) periodic() {
	now := f.now()
	f.tendFellows(now)
	if f.joining && f.joined(now) {
		f.joining = false
		f.core.Joining(now, false)
	}
	f.place(now)
	f.oustAll()
	f.mirror(now)
	f.mend(now)
	f.handOver(now)
	f.knockAll(now)
	f.alone.Store(f.core.Alone(now))
	_, takers := f.core.Window(now)
	f.engine.Close(f.leave.Load() && !takers)
	if now >= f.gaugesDue {
		f.gaugesDue = now + int64(longSleep)
		f.readSoon()
	}
	f.shared.mu.Lock()
	defer f.shared.mu.Unlock()
	f.shared.counts, f.shared.takers, f.shared.handing = f.core.Counts(), takers, f.core.Handing()
}

// sleep is how long the driver may sleep.
func (f *Farm) sleep() time.Duration {
	d := longSleep
	if at, ok := f.core.Next(); ok {
		d = min(d, time.Duration(at-f.now()))
	}
	if f.repair.busy() {
		d = min(d, f.repairWait())
	}
	if len(f.placing) > 0 || len(f.ousting) > 0 || f.joining || f.drain != nil {
		d = min(d, 2*time.Millisecond)
	}
	for _, k := range f.knocks {
		d = min(d, time.Duration(knockAgain))
		if k.next != 0 {
			d = min(d, time.Duration(k.next-f.now()))
		}
	}
	if f.fellowsDue {
		d = min(d, fellowEvery)
	}
	return max(d, 0)
}

// act carries out what the core has decided, and what follows from that.
func (f *Farm) act() {
	for actions := f.core.Ready(); len(actions) > 0; actions = f.core.Ready() {
		for _, a := range actions {
			f.guard(func() { f.carryOut(a) })
		}
	}
}

func (f *Farm) carryOut(a core.Action) {
	switch a := a.(type) {
	case core.Send:
		f.out.Send(a.To, a.Addr, a.Msg) // what is dropped is counted there, and asked again by the core
	case core.Take:
		f.take(a)
	case core.Left:
		f.engine.Left(engine.NoLane, a.Move.Handle.(*engine.Leaving))
	case core.Stayed:
		f.engine.Stayed(engine.NoLane, a.Move.Handle.(*engine.Leaving))
	case core.Arrived:
		f.arrive(a)
	case core.Missing:
		if a.Undecided {
			f.engine.Undecided(f.opt.Now(), engine.NoLane, a.Fetch)
		} else {
			f.engine.Missing(f.opt.Now(), engine.NoLane, a.Fetch)
		}
	case core.Remember:
		f.misses.add(f.engine.Hash([]byte(a.Key)), a.Key, f.now())
	case core.Forget:
		if a.Key == "" {
			f.alone.Store(f.core.Alone(f.now()))
			f.misses.clear()
		} else {
			f.misses.drop(f.engine.Hash([]byte(a.Key)), a.Key)
		}
	case core.Drop:
		f.engine.Unreserve(cap(a.Parcel.Body))
	case core.Confirm:
		f.paceBy(a.Change)
		f.engine.Confirm(f.opt.Now(), engine.NoLane, a.Change.Handle.(*engine.Change))
	case core.Supersede:
		f.supersede(a)
	case core.Oust:
		f.oust(a)
	case core.Lift:
		if a.Change != nil {
			f.engine.LiftChange(a.Change.Handle.(*engine.Change), a.Gen)
		} else {
			f.engine.Lift([]byte(a.Key), a.Gen)
		}
	case core.Charge:
		f.engine.Charge(a.Bytes)
	case core.Quarantine:
		f.setAside(a)
	case core.Notice:
		f.notice(a)
	case core.Ask:
		f.askOriginals(a)
	case core.Deliver:
		f.deliver(a)
	case core.Verdict:
		f.verdict(a)
	}
}

// taker takes one session out of service.
type taker struct {
	farm   *Farm
	move   *core.Move
	ticket engine.Ticket
}

// take asks the engine for a session. The answer comes by way of the inbox, also if it is there at once: it is given with the session's gate held.
func (f *Farm) take(a core.Take) {
	t := &taker{farm: f, move: a.Move}
	t.ticket = engine.Ticket{Op: engine.Leave, Key: []byte(a.Key), Urgent: a.Urgent, Look: a.Look, Caller: t}
	t.ticket.Hash = f.engine.Hash(t.ticket.Key)
	f.engine.Do(f.opt.Now(), engine.NoLane, &t.ticket)
}

// Park implements engine.Caller.
func (*taker) Park(*engine.Ticket) {}

// Answer implements engine.Caller. When the driver has ended the session stays.
func (t *taker) Answer(*engine.Ticket, int) bool {
	return t.farm.inbox.put(t.taken)
}

// taken tells the core what became of it.
func (t *taker) taken(now int64) {
	f := t.farm
	switch status := t.ticket.Out.Status; {
	case status == engine.OK && t.ticket.Look:
		f.core.Taken(now, t.move, core.TakenHere, nil)
	case status == engine.OK:
		t.move.Handle = t.ticket.Leaving
		p := f.engine.Parcel(f.opt.Now(), t.ticket.Leaving)
		f.core.Taken(now, t.move, core.TakenOK, &p)
	case status == engine.Sought:
		f.core.Taken(now, t.move, core.TakenSought, nil)
	case status == engine.NotFound:
		f.core.Taken(now, t.move, core.TakenAbsent, nil)
	default:
		f.core.Taken(now, t.move, core.TakenLocked, nil)
	}
}

// placement is a session that could not be put into service at once, because somebody is in the one that is here.
type placement struct {
	parcel *engine.Parcel
	rank   uint32
}

// arrive puts a session into service.
func (f *Farm) arrive(a core.Arrived) {
	if a.Fetch != nil {
		if waiting := f.engine.Arrived(f.opt.Now(), engine.NoLane, a.Fetch, *a.Parcel); waiting >= 0 {
			f.core.Settled(f.now(), a.Parcel.Key, waiting, nil)
			return
		}
	}
	f.placing = append(f.placing, placement{a.Parcel, a.Rank})
	f.place(f.now())
}

// place tries what could not be put into service before.
func (f *Farm) place(now int64) {
	all := f.placing
	f.placing = nil
	for _, p := range all {
		f.guard(func() {
			if !f.placed(now, p) {
				f.placing = append(f.placing, p)
			}
		})
	}
}

// placed puts a session into service, or finds that the one that is here is newer. It returns false if nothing can be said yet.
func (f *Farm) placed(now int64, a placement) bool {
	p := a.parcel
	result, clash := f.engine.Meet(f.opt.Now(), engine.NoLane, *p, a.rank)
	switch result {
	case engine.PlacedBusy:
		return false
	case engine.KeptNewer:
		if p.Reserved {
			f.engine.Unreserve(cap(p.Body))
		}
	}
	f.core.Settled(now, p.Key, 0, clash)
	return true
}
