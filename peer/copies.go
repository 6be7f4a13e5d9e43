package peer

import (
	"math"
	"slices"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/message"
)

// Copies configure the copies of sessions. See docs/design/0011-copies.md.
type Copies struct {
	// N is how many nodes have each session, its owner included; 0 and 1 mean that there are no copies.
	N int
	// Ack says when a change is answered.
	Ack core.Ack
	// Backlog is how many bytes of updates may wait for one mirror before those for which no request waits are left out.
	Backlog int
	// TouchPeriod is how far behind a copy's timer may be.
	TouchPeriod time.Duration
	// RepairRate bounds the bytes a second that are copied because copies are missing; 0 means no bound.
	RepairRate int64
	// Quarantine is how many bytes of states that have given way to others are kept.
	Quarantine int64
	// Seed of the placement; the same in all nodes of a farm, and best known to nobody else.
	Seed uint64
}

// mirrorEvents is what the engine tells of changes.
type mirrorEvents Farm

// Changed implements engine.Mirror.
func (e *mirrorEvents) Changed(c *engine.Change) bool {
	return (*Farm)(e).inbox.putEvent(event{change: c})
}

// changed tells the core of a change.
func (f *Farm) changed(now int64, c *engine.Change) {
	f.repair.pace.need(now)
	ch := &core.Change{Key: c.Key, Parcel: c.Parcel, Content: c.Content, Removed: c.Removed, Awaited: c.Awaited, Handle: c, At: now}
	if c.Awaited {
		ch.Full = func() engine.Parcel { return f.engine.State(f.opt.Now(), c) }
	}
	f.core.Changed(now, ch)
}

// Expired implements engine.Mirror.
func (e *mirrorEvents) Expired(key string) {
	f := (*Farm)(e)
	f.inbox.put(func(now int64) { f.core.Expired(now, key) })
}

// mirror says to the engine how changes are told from now on, and until when it may answer with what it has.
func (f *Farm) mirror(now int64) {
	mode := engine.MirrorNone
	switch {
	case f.solo || f.opt.Copies.N < 2 || !f.core.Company(now):
		if f.social || f.core.Met() { // somebody may come, or come back, with old copies
			mode = engine.MirrorRemovals
		}
	case f.opt.Copies.Ack == core.AckNone:
		mode = engine.MirrorTell
	default:
		mode = engine.MirrorAwait
	}
	f.engine.SetLease(f.core.Lease())
	if mode != f.mode {
		f.mode = mode
		f.engine.SetMirroring(mode)
	}
}

// Shelve keeps a session that is not served before the farm has been asked for a newer state of it; owner is the process that had it, which has ended. Its body
// becomes the farm's, and is accounted for here. It returns false if the farm has been closed.
func (f *Farm) Shelve(owner message.Node, p engine.Parcel) bool {
	return f.inbox.put(func(now int64) {
		f.core.Shelve(now, owner, &p)
	})
}

// Orphans calls take with the sessions that are not served, as far as is known here, because their owner has ended, until it returns false. Their bodies must not be
// changed. What comes or goes meanwhile may be missed, or be met twice.
func (f *Farm) Orphans(take func(p engine.Parcel) bool) {
	const turn = 1024
	for next, more := 0, true; more; more = more && next > 0 {
		var list []engine.Parcel
		f.tell(func() {
			first := next == 0
			if list, next = f.core.Orphans(f.now(), next, turn); first {
				for _, p := range f.placing { // the engine has no room for them at this moment
					own := *p.parcel
					own.Body = slices.Clone(own.Body)
					list = append(list, own)
				}
			}
		})
		for _, p := range list {
			if !take(p) {
				return
			}
		}
	}
}

// Bury keeps in mind which sessions have been removed; from a snapshot. It returns false if the farm has been closed.
func (f *Farm) Bury(all []core.Tomb) bool {
	return f.inbox.put(func(now int64) {
		for _, t := range all {
			f.core.Bury(now, t)
		}
	})
}

// Tombs returns up to most of the removals that are kept in mind, from behind a position on, and the position to go on from. An empty list is the end.
func (f *Farm) Tombs(from uint64, most int) (list []core.Tomb, next uint64) {
	f.tell(func() { list, next = f.core.Tombs(f.now(), from, most) })
	return list, next
}

// Settle answers every change that waits for mirrors, lets none wait any more, and takes no session over from now on: what is here now is to be written down, and the
// node to end. See core.Core.Settle. What is to be written is what the engine has when it returns, and Orphans.
func (f *Farm) Settle() {
	f.tell(func() {
		f.solo = true
		f.mirror(f.now())
		f.core.Settle(f.now())
		f.act() // Must come before who waits goes on.
	})
}

// supersede puts a session out of service of which a change waits.
func (f *Farm) supersede(a core.Supersede) {
	p, ok := f.engine.Supersede(f.opt.Now(), engine.NoLane, a.Change.Handle.(*engine.Change))
	if !ok {
		f.core.Ousted(f.now(), a, nil)
		return
	}
	f.notice(core.Notice{What: sessionSuperseded, Key: a.Change.Key, Node: a.Node})
	f.core.Ousted(f.now(), a, &p)
}

// oust puts a session out of service. While somebody is in it that is tried again.
func (f *Farm) oust(a core.Oust) {
	gen, version := uint32(math.MaxUint32), uint32(math.MaxUint32)
	if a.Newer {
		gen, version = a.Gen, a.Version // what we have by now may be newer still
	}
	p, sight := f.engine.OustOlder(f.opt.Now(), engine.NoLane, []byte(a.Key), gen, version)
	switch {
	case sight == engine.SightHere:
		f.notice(core.Notice{What: sessionSuperseded, Key: a.Key, Node: a.Node})
		f.core.Ousted(f.now(), a, &p)
	case sight == engine.SightAbsent || sight == engine.SightSought:
		f.core.Ousted(f.now(), a, nil)
	case !f.core.Blocked(a):
		f.ousting = append(f.ousting, a)
	}
}

// oustAll tries again what could not be put out of service before.
func (f *Farm) oustAll() {
	all := f.ousting
	f.ousting = nil
	for _, a := range all {
		f.guard(func() { f.oust(a) })
		f.act()
	}
}
