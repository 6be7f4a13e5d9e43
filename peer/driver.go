package peer

import (
	"crypto/rand"
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
			return
		case <-f.inbox.wake:
		case <-timer.C:
		}
		events = f.inbox.take(events)
		for i, e := range events {
			e(f.now())
			events[i] = nil
			f.act()
		}
		f.core.Tick(f.now())
		f.act()
		f.periodic()
		f.act()
		timer.Reset(f.sleep())
	}
}

// periodic does what is due whatever happens.
func (f *Farm) periodic() {
	now := f.now()
	if f.joining && (f.ups >= len(f.opt.Link.Peers) || now-f.started > joinTime) {
		f.joining = false
		f.core.Joining(now, false)
	}
	f.place(now)
	f.handOver(now)
	f.knockAll(now)
	f.alone.Store(f.core.Alone(now))
	_, takers := f.core.Window(now)
	f.engine.Close(f.leave.Load() && !takers)
	f.shared.mu.Lock()
	defer f.shared.mu.Unlock()
	f.shared.counts, f.shared.takers, f.shared.handing = f.core.Counts(), takers, f.core.Handing()
	if now >= f.gaugesDue {
		f.gaugesDue = now + int64(longSleep)
		f.shared.gauges = f.core.Gauges() // looks at everything
	}
}

// sleep is how long the driver may sleep.
func (f *Farm) sleep() time.Duration {
	d := longSleep
	if at, ok := f.core.Next(); ok {
		d = min(d, time.Duration(at-f.now()))
	}
	if len(f.placing) > 0 || f.joining || f.drain != nil {
		d = min(d, 2*time.Millisecond)
	}
	if len(f.knocks) > 0 {
		d = min(d, time.Duration(knockAgain))
	}
	return max(d, 0)
}

// act carries out what the core has decided, and what follows from that.
func (f *Farm) act() {
	for actions := f.core.Ready(); len(actions) > 0; actions = f.core.Ready() {
		for _, a := range actions {
			f.carryOut(a)
		}
	}
}

func (f *Farm) carryOut(a core.Action) {
	switch a := a.(type) {
	case core.Send:
		f.links.Send(a.To, a.Addr, a.Msg) // what is dropped is counted there, and asked again by the core
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
	t.ticket = engine.Ticket{Op: engine.Leave, Key: []byte(a.Key), Urgent: a.Urgent, Caller: t}
	t.ticket.Hash = f.engine.Hash(t.ticket.Key)
	f.engine.Do(f.opt.Now(), engine.NoLane, &t.ticket)
}

// Park implements engine.Caller.
func (*taker) Park(*engine.Ticket) {}

// Answer implements engine.Caller.
func (t *taker) Answer(*engine.Ticket, int) bool {
	t.farm.inbox.put(t.taken)
	return true
}

// taken tells the core what became of it.
func (t *taker) taken(now int64) {
	f := t.farm
	switch t.ticket.Out.Status {
	case engine.OK:
		t.move.Handle = t.ticket.Leaving
		p := f.engine.Parcel(f.opt.Now(), t.ticket.Leaving)
		f.core.Taken(now, t.move, core.TakenOK, &p)
	case engine.Sought:
		f.core.Taken(now, t.move, core.TakenSought, nil)
	case engine.NotFound:
		f.core.Taken(now, t.move, core.TakenAbsent, nil)
	default:
		f.core.Taken(now, t.move, core.TakenLocked, nil)
	}
}

// placement is a session that could not be put into service at once, because somebody is in the one that is here.
type placement struct {
	parcel *engine.Parcel
	from   message.Node
}

// arrive puts a session into service.
func (f *Farm) arrive(a core.Arrived) {
	if a.Fetch != nil {
		if waiting := f.engine.Arrived(f.opt.Now(), engine.NoLane, a.Fetch, *a.Parcel); waiting >= 0 {
			f.core.Settled(f.now(), a.Parcel.Key, waiting, false)
			return
		}
	}
	f.placing = append(f.placing, placement{a.Parcel, a.From})
	f.place(f.now())
}

// place tries what could not be put into service before.
func (f *Farm) place(now int64) {
	waiting := f.placing[:0]
	for _, p := range f.placing {
		switch f.engine.Place(f.opt.Now(), engine.NoLane, *p.parcel) {
		case engine.PlacedBusy:
			waiting = append(waiting, p)
			continue
		case engine.KeptNewer:
			if p.parcel.Reserved {
				f.engine.Unreserve(cap(p.parcel.Body))
			}
			f.core.Settled(now, p.parcel.Key, 0, true)
		case engine.PlacedNewer:
			f.core.Settled(now, p.parcel.Key, 0, true)
		default:
			f.core.Settled(now, p.parcel.Key, 0, false)
		}
	}
	clear(f.placing[len(waiting):])
	f.placing = waiting
}
