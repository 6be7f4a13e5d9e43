package peer

import (
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
)

// repair makes copies that are missing. Owned by the driver.
//
// A walk goes over all sessions. It begins anew when the farm has changed meanwhile.
type repair struct {
	layout uint64 // for which the walk is, or was
	walk   walk
	wants  []string
	later  []string // somebody was in them

	pace   pace
	tokens int64 // bytes that may be sent now
	filled int64 // when tokens were given last

	of      int64 // sessions that there were when the walk began
	made    int64 // copies that it has made
	bytes   int64
	ended   int64
	tending bool  // the shelf has more to do
	tendAt  int64 // when it is looked after next, if there is nothing to mend

	touchShard int   // next to be looked at for requests since
	touchAt    int64 // when that round began
	touched    [engine.NumShards]int64
}

const (
	// repairTurn is how many sessions are looked at, and repairCopies how many copied, before what is urgent has a turn.
	repairTurn   = 1024
	repairCopies = 64
	// repairTime is how long what is urgent waits for that, about.
	repairTime = int64(200 * time.Microsecond)
	// tendBytes is how many bytes of sessions without an owner are taken over before what is urgent has a turn.
	tendBytes = 32 << 10
	// repairBurst is how many bytes may go at once, at most.
	repairBurst = 1 << 20
	// repairPause is how long the driver sleeps at most while there is something to do.
	repairPause = 2 * time.Millisecond
	// tendPause is how often the shelf is looked after when no copy on it is known to have lost its owner. A driver that is busy goes round far more often, and
	// each time some hundreds of copies would be looked at, most of which have left the processor's caches.
	tendPause = 10 * time.Millisecond
)

// mend makes some of the copies that are missing, if it is time and the rate allows it.
func (f *Farm) mend(now int64) {
	r := &f.repair
	if !r.pace.due(now) {
		return
	}
	r.pace.begin(now)
	if f.opt.Copies.N < 2 {
		f.tend(now, repairBurst)
	} else {
		f.mendTurn(now)
		f.touch(now)
	}
}

// mendTurn makes some of the copies that are missing.
func (f *Farm) mendTurn(now int64) {
	r := &f.repair
	f.fill(now)
	layout, at := f.core.Layout()
	if layout != r.layout && now >= at {
		r.layout, r.of, r.made, r.bytes, r.tending = layout, f.engine.Stats().Sessions, 0, 0, true
		r.walk.begin(now)
	}
	r.wants = append(append(r.wants, f.core.Wants()...), r.later...)
	r.later = r.later[:0]
	if len(r.wants) > maxWants {
		r.wants, r.layout = nil, 0 // all are looked at instead, as soon as there is room
	}
	copies := 0
	for range repairTurn {
		if r.tokens <= 0 || copies >= repairCopies || !f.core.Room() {
			return
		}
		if f.now()-now > repairTime {
			break
		}
		key, ok := f.nextShort()
		if !ok {
			if r.walk.on {
				continue
			}
			break
		}
		if f.supply(now, key) {
			copies++
		}
	}
	f.tend(now, r.tokens)
}

// fill gives tokens for the time that has passed.
func (f *Farm) fill(now int64) {
	r := &f.repair
	if f.opt.Copies.RepairRate == 0 {
		r.tokens = repairBurst
		return
	}
	elapsed := min(now-r.filled, int64(time.Second))
	r.filled = now
	r.tokens = min(repairBurst, r.tokens+int64(float64(elapsed)/float64(time.Second)*float64(f.opt.Copies.RepairRate)))
}

// nextShort is the next session to be looked at; ok is false if there is none, or, while the walk goes on, if the next call may find one.
func (f *Farm) nextShort() (key string, ok bool) {
	r := &f.repair
	if n := len(r.wants); n > 0 {
		key = r.wants[0]
		r.wants = r.wants[1:]
		return key, true
	}
	on := r.walk.on
	now := f.opt.Now()
	key, ok = r.walk.next(now.Mono, func(shard int, want func(idle, left int64) bool, found func(key string, idle, left int64)) {
		f.engine.Idle(now, shard, want, found)
	})
	if on && !r.walk.on {
		r.ended = now.Mono
	}
	return key, ok
}

// supply makes the missing copies of one session, and reports whether there were any.
func (f *Farm) supply(now int64, key string) bool {
	short := false
	f.guard(func() { short = f.core.Short(now, key) })
	if !short {
		f.act()
		return false
	}
	p, sight := f.engine.Peek(f.opt.Now(), []byte(key))
	if sight != engine.SightHere {
		if sight != engine.SightAbsent && sight != engine.SightSought && len(f.repair.later) < maxLater {
			f.repair.later = append(f.repair.later, key)
		}
		return false
	}
	n := 0
	f.guard(func() { n = f.core.Supply(now, &p) })
	f.act()
	f.repair.tokens -= int64(n)
	f.countRepair(n)
	if n > 0 {
		f.repair.made++
	}
	return n > 0
}

// maxLater bounds the sessions that are looked at again because somebody was in them. What is left out is found by the next change of it.
const maxLater = 1 << 16

// maxWants bounds the sessions that are known to be short of copies while there is no room to make any.
const maxWants = 1 << 17

// tend looks after the copies that are here.
func (f *Farm) tend(now, bytes int64) {
	r := &f.repair
	if now < r.tendAt && !f.core.Mending() {
		return
	}
	r.tendAt = now + int64(tendPause)
	sent := 0
	f.guard(func() { sent, r.tending = f.core.TendShelf(now, int(max(0, min(bytes, tendBytes)))) })
	r.tokens -= int64(sent)
	f.countRepair(sent)
	f.act()
}

// touchSlack is how much older a request may be than what comes of it: those who carry it out have looked at the clock before.
const touchSlack = 100 * time.Millisecond

// touch tells mirrors which sessions have been asked for. It goes once round the shards in each period.
func (f *Farm) touch(now int64) {
	r := &f.repair
	period := int64(f.opt.Copies.TouchPeriod)
	if f.mode < engine.MirrorTell || period == 0 {
		return
	}
	if r.touchShard == engine.NumShards {
		if now-r.touchAt < period {
			return
		}
		r.touchShard, r.touchAt = 0, now
	}
	upTo := min(int((now-r.touchAt)*engine.NumShards/period)+1, engine.NumShards)
	for ; r.touchShard < upTo; r.touchShard++ {
		since := now - r.touched[r.touchShard]
		r.touched[r.touchShard] = now
		f.engine.Idle(f.opt.Now(), r.touchShard, func(idle, left int64) bool { return left > 0 && idle < since+int64(touchSlack) }, func(key string, _, left int64) {
			f.core.Touched(now, key, left)
		})
		f.act()
	}
}

// countRepair counts bytes that were sent because copies were missing.
func (f *Farm) countRepair(bytes int) {
	if bytes == 0 {
		return
	}
	f.repair.bytes += int64(bytes)
	f.shared.mu.Lock()
	f.shared.repairBytes += int64(bytes)
	f.shared.mu.Unlock()
}

// paceBy takes note of how long a change has waited for its mirrors.
func (f *Farm) paceBy(c *core.Change) {
	now := f.now()
	f.repair.pace.waited(now, now-c.At, f.mending())
}

// busy reports whether there is anything to repair now.
func (r *repair) busy() bool {
	return r.walk.on || r.tending || len(r.wants) > 0 || len(r.later) > 0
}

// repairWait is how long the driver may sleep while there is something to repair.
func (f *Farm) repairWait() time.Duration {
	r := &f.repair
	if r.tending && !r.walk.on && len(r.wants)+len(r.later) == 0 && !f.core.Mending() {
		return tendPause
	}
	return repairPause
}
