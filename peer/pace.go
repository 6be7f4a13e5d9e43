package peer

import "time"

// pace says when repair may work, so that requests do not wait for it. Owned by the driver.
//
// It works in short turns, and then waits until the driver has been free for long enough. What follows from a turn is more than the turn: answers, acknowledgements,
// and what the repair of other nodes asks of this one, which is about as much. So all that the driver does counts. And it watches how long changes wait for their
// mirrors: if that is far more than usual, something else keeps the processors, here or there (the collector of garbage, mostly), and repair leaves them alone.
type pace struct {
	woke   int64 // when the driver began what it is doing
	worked int64 // for how long it has worked since repair last had a turn, before woke
	turn   int64 // when that was
	asked  int64 // when a request last needed the farm
	usual  int64 // how long changes wait for mirrors when nothing is repaired; 0 = not known
	held   int64 // until when repair leaves the processors alone, but for a turn every holdTime
}

const (
	// busyShare is of how many parts of the time the driver is to work in one at most while there is something to repair and requests come, and idleShare if none do: then
	// there may still be some at the other nodes.
	busyShare = 5
	idleShare = 1
	// calmAfter is how long after a request none are expected.
	calmAfter = int64(time.Second)
	// restMost is how long repair waits at most for the driver to be free: one that requests keep busy all the time must get on with it all the same.
	restMost = int64(10 * time.Millisecond)
	// A change is slow if it has waited for slowTimes the usual time, and for slowLeast. Then repair waits for holdTime.
	slowTimes = 3
	slowLeast = int64(5 * time.Millisecond)
	holdTime  = int64(50 * time.Millisecond)
	// usualOf is of how many changes the usual time is the mean, about.
	usualOf = 64
)

// wake says that the driver has something to do.
func (p *pace) wake(now int64) { p.woke = now }

// sleep says that it has done it.
func (p *pace) sleep(now int64) {
	p.worked += now - p.woke
	p.woke = now
}

// need says that a request needs the farm.
func (p *pace) need(now int64) { p.asked = now }

// waited says for how long a change has waited for its mirrors, and whether anything is being repaired.
func (p *pace) waited(now, took int64, repairing bool) {
	switch {
	case !repairing:
		p.usual += (took - p.usual) / usualOf
	case took > max(slowTimes*p.usual, slowLeast):
		p.held = now + holdTime
	}
}

// due reports whether repair may have a turn.
func (p *pace) due(now int64) bool {
	if now < p.held && now-p.turn < holdTime { // it gets on in any case: changes may be slow for good from now on
		return false
	}
	share := int64(idleShare)
	if p.asked != 0 && now-p.asked < calmAfter {
		share = busyShare
	}
	return now-p.turn >= min(share*(p.worked+now-p.woke), restMost)
}

// begin says that repair has a turn.
func (p *pace) begin(now int64) { p.turn, p.woke, p.worked = now, now, 0 }
