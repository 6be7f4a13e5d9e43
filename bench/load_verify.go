package bench

import (
	"errors"
	"sync"
)

// Faults in the order of saves.
var (
	errStale      = errors.New("read is older than a save that had been acknowledged before")
	errLostUpdate = errors.New("two saves that follow from the same read were both acknowledged")
	errVanished   = errors.New("session is gone although a save of it had been acknowledged")
)

// tracker knows what may be expected of one session. All of it follows from answers: the order of two events is certain only if
// the answer to the first came before the request for the second was sent.
type tracker struct {
	mu sync.Mutex

	// Guarded by mu.

	epoch  uint32 // moves on whenever floor is forgotten
	ending int32  // pages that are deleting and creating the session; nothing can be said while there are any
	floor  uint64 // highest counter acknowledged in this epoch, 0 if none
	acked  uint64 // bit i: counter floor-i has been acknowledged
}

// mark is what a tracker knew when a request was sent.
type mark struct {
	epoch   uint32
	floor   uint64
	certain bool // nobody was deleting the session
}

// now returns what may be expected of an answer to a request that is sent after the call.
func (t *tracker) now() mark {
	t.mu.Lock()
	defer t.mu.Unlock()
	return mark{epoch: t.epoch, floor: t.floor, certain: t.ending == 0}
}

// Requires t.mu held.
func (t *tracker) holdsLocked(m mark) bool {
	return m.certain && t.ending == 0 && t.epoch == m.epoch
}

// read takes in the counter that an answer showed.
func (t *tracker) read(m mark, counter uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holdsLocked(m) && counter < m.floor {
		t.forgetLocked()
		return errStale
	}
	return nil
}

// missing takes in that an answer said the session does not exist.
func (t *tracker) missing(m mark) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holdsLocked(m) && m.floor > 0 {
		t.forgetLocked()
		return errVanished
	}
	return nil
}

// saved takes in that the save number counter was acknowledged; m is the mark of the acquire from which the number follows.
// Acknowledgements may arrive here in another order than they were made, so a lower number alone says nothing: the same number
// twice does.
func (t *tracker) saved(m mark, counter uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.holdsLocked(m) {
		return nil
	}
	if counter > t.floor {
		t.acked = t.acked<<(counter-t.floor) | 1 // a shift by more than 63 leaves nothing
		t.floor = counter
		return nil
	}
	back := t.floor - counter
	if t.acked>>back&1 != 0 {
		t.forgetLocked()
		return errLostUpdate
	}
	t.acked |= 1 << back
	return nil
}

// beginEnd comes before a request that deletes the session.
func (t *tracker) beginEnd() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ending++
	t.forgetLocked()
}

// endEnd comes after the answer to the request that created it anew. Others may have created it too in between, and overwritten
// this one or been overwritten, so knowledge begins with the next save.
func (t *tracker) endEnd() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ending--
	t.forgetLocked()
}

// forget ends all certainty about the session.
func (t *tracker) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgetLocked()
}

// Requires t.mu held.
func (t *tracker) forgetLocked() {
	t.epoch++
	t.floor, t.acked = 0, 0
}
