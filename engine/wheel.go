package engine

// The wheel of one shard finds sessions whose time may be up.
//
// A request that slides a session's timer does not touch the wheel: the session stays in the slot for the expiry it had when it was put there.
// When that slot comes due and the session still has life, it moves to the slot for its present expiry. So a hit costs
// nothing, a session is looked at about once per lifetime, and memory of the expired is freed at most a slot's width late; that they
// are absent is decided at access, exactly.
const (
	slotBits  = 34 // a slot is 2^34 ns, about 17 s, wide
	numSlots  = 128
	noSlot    = -1
	wheelSpan = numSlots - 1 // slots ahead that can be told apart; later ones wait in the last and are moved on from there
)

// wheel is a ring of doubly linked lists through the sessions themselves. Guarded by its shard's mu.
//
// Invariant: a session with a slot is in that slot's list; one with minutes == 0 has none.
type wheel struct {
	slots [numSlots]*session
	next  int64 // the first slot, counted from Mono 0, that has not been emptied yet; moved by Engine.Tick only
}

// add puts s into the slot for its expiry.
func (w *wheel) add(s *session) {
	if s.minutes == 0 {
		s.slot = noSlot
		return
	}
	// One slot later than the expiry's own: when it comes due, all its sessions' time is up.
	w.put(s, s.expires>>slotBits+1)
}

// put puts s, which is in no slot, into slot at or the nearest that can be told apart.
func (w *wheel) put(s *session, at int64) {
	s.slot = int16(min(max(at, w.next), w.next+wheelSpan) % numSlots)
	head := w.slots[s.slot]
	s.prev, s.next = nil, head
	if head != nil {
		head.prev = s
	}
	w.slots[s.slot] = s
}

// remove takes s out of its slot, if it is in one.
func (w *wheel) remove(s *session) {
	if s.slot == noSlot {
		return
	}
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		w.slots[s.slot] = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.prev, s.next, s.slot = nil, nil, noSlot
}

// due returns a session of a slot whose time has come, or nil if all such slots are empty.
func (w *wheel) due(now Time) *session {
	w.next = max(w.next, now.Mono>>slotBits-wheelSpan) // after a long sleep once round is enough
	for ; w.next <= now.Mono>>slotBits; w.next++ {
		if s := w.slots[w.next%numSlots]; s != nil {
			return s
		}
	}
	return nil
}
