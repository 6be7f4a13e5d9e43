package peer

import (
	"context"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// drain is the handing over of all sessions. Owned by the driver.
type drain struct {
	keys    []string // of the shard that is being handed over, yet to go
	shard   int
	wait    int64 // nothing is begun until then
	idle    int64 // since when nobody can take sessions; 0 = somebody can
	done    chan struct{}
	ended   bool
	forever bool  // goes on when it is empty, until it is told to stop
	serving bool  // requests bring sessions here meanwhile
	before  int64 // sessions at the end of the round before; 0 in the first
	owed    int   // copies that others needed yet when this was last looked at
	owedAt  int64 // when they last became fewer; 0 = they have not been looked at
}

// Progress says how far a drain is.
type Progress struct {
	Draining bool  `json:"draining"`
	Sessions int64 `json:"sessions"` // that are here
	Moving   int64 `json:"moving"`   // of them, on their way
	Handed   int64 `json:"handed_over"`
	Takers   bool  `json:"takers"` // somebody can take sessions
}

const (
	drainPause = int64(10 * time.Millisecond) // between two rounds
	// giveUp is how long a drain waits for somebody who can take sessions.
	giveUp = int64(5 * time.Second)
)

// Drain tells the neighbours that this node takes no more sessions, and hands over those it has, until there are none, nobody can take them, or ctx ends. It returns
// how many are left. serving says that requests are served meanwhile, which bring sessions back: it then ends as soon as a round over all sessions has not
// made them half as many, too.
func (f *Farm) Drain(ctx context.Context, serving bool) (left int64) {
	d := &drain{done: make(chan struct{}), serving: serving}
	f.begin(d)
	select {
	case <-d.done:
	case <-ctx.Done():
	case <-f.quit:
	}
	f.inbox.put(func(int64) {
		if f.drain == d {
			f.drain = nil
		}
	})
	return f.engine.Stats().Sessions
}

// StartDrain begins to hand over all sessions without an end: what comes here by requests is handed over, too, when it is idle. StopDrain ends it. If the node
// drains already, it goes on as it does.
func (f *Farm) StartDrain() { f.begin(&drain{done: make(chan struct{}), forever: true}) }

// StopDrain makes this node take sessions again, unless somebody waits for Drain: a node that stops is not told to go on. It returns when that is done.
func (f *Farm) StopDrain() {
	f.tell(func() {
		if d := f.drain; d != nil && !d.forever {
			return
		}
		f.drain = nil
		f.core.Leave(false)
		f.leave.Store(false)
		f.update()
	})
}

// begin begins a drain. One that somebody waits for takes the place of any other, and no other takes its place; who has waited for that one is let go.
func (f *Farm) begin(d *drain) {
	f.tell(func() {
		f.leave.Store(true)
		f.update()
		f.core.Leave(true)
		switch old := f.drain; {
		case old == nil:
		case d.forever:
			return
		case !old.ended:
			f.endDrain(old)
		}
		f.drain = d
	})
}

// tell has the driver do something, and waits until it is done, or the farm is closed.
func (f *Farm) tell(do func()) {
	select {
	case <-f.told(do):
	case <-f.quit:
	}
}

// told has the driver do something. The channel is closed when that is done; never, if the farm has been closed.
func (f *Farm) told(do func()) <-chan struct{} {
	done := make(chan struct{})
	f.inbox.put(func(int64) {
		defer close(done)
		do()
	})
	return done
}

// handOver begins as many hand-overs as there is room for.
func (f *Farm) handOver(now int64) {
	d := f.drain
	if d == nil || d.ended || now < d.wait {
		return
	}
	room, anybody := f.core.Window(now)
	switch {
	case anybody:
		d.idle = 0
	case d.idle == 0:
		d.idle = now
	}
	if !anybody {
		if f.core.Handing() == 0 && !d.forever && (now-d.idle > f.hope() && f.core.Idle() || now-d.idle > giveUp) {
			f.endDrain(d)
		}
		d.wait = now + drainPause
		return
	}
	for ; room > 0; room-- {
		key, ok := d.next(f.engine)
		if !ok {
			f.round(now, d)
			return
		}
		f.core.HandOver(now, key)
		f.act()
	}
}

// hope is how long a drain waits for somebody who can take sessions when there is nobody now.
func (f *Farm) hope() int64 {
	switch stay, leave := f.core.Takers(); {
	case stay > 0:
		return giveUp // they are full, or have just refused
	case leave > 0 || len(f.opt.Link.Peers)+len(f.fellows) == 0:
		return 0 // all others leave, too, or there never was anybody
	}
	return giveUp / 2 // a link may come back
}

// next is the next session to be handed over; ok is false at the end of a round.
func (d *drain) next(e *engine.Engine) (key string, ok bool) {
	for len(d.keys) == 0 {
		if d.shard == engine.NumShards {
			return "", false
		}
		e.Keys(d.shard, func(key string) { d.keys = append(d.keys, key) })
		d.shard++
	}
	key = d.keys[len(d.keys)-1]
	d.keys = d.keys[:len(d.keys)-1]
	return key, true
}

// round ends a round: another one begins if there are sessions still.
func (f *Farm) round(now int64, d *drain) {
	if f.core.Handing() > 0 {
		d.wait = now + int64(time.Millisecond)
		return
	}
	sessions := f.engine.Stats().Sessions
	if sessions == 0 && !f.core.Idle() {
		d.wait = now + int64(time.Millisecond) // something is on its way from here or to here
		return
	}
	if sessions == 0 && !d.forever && f.owes(now, d) {
		d.wait = now + owedPause
		return
	}
	if !d.forever && (sessions == 0 || d.serving && d.before > 0 && sessions > d.before/2) {
		f.endDrain(d)
		return
	}
	d.shard, d.before = 0, max(1, sessions)
	d.wait = now + drainPause
}

const owedPause = int64(20 * time.Millisecond)

// owes reports whether others need copies yet that are here, and are getting what they need: the sessions' owners are making copies elsewhere, and say when these
// can go. It gives up when that makes no progress.
func (f *Farm) owes(now int64, d *drain) bool {
	if stay, _ := f.core.Takers(); stay == 0 || f.opt.Copies.N < 2 {
		return false
	}
	owed := f.core.Owed(now)
	if d.owedAt == 0 || owed < d.owed {
		d.owed, d.owedAt = owed, now
	}
	return owed > 0 && now-d.owedAt < giveUp
}

func (*Farm) endDrain(d *drain) {
	d.ended = true
	close(d.done)
}

// Progress says how far the drain is.
func (f *Farm) Progress() Progress {
	s := f.engine.Stats()
	f.shared.mu.Lock()
	defer f.shared.mu.Unlock()
	return Progress{Draining: f.leave.Load(), Sessions: s.Sessions, Handed: f.shared.counts.HandedOver, Takers: f.shared.takers, Moving: int64(f.shared.handing)}
}
