package engine

import (
	"maps"
	"testing"
)

// check verifies every invariant of the engine that can be told from outside a session. Nobody may be in the engine meanwhile.
func (w *world) check() {
	w.tb.Helper()
	w.forget()
	live := w.live()
	all := maps.Clone(live)
	for _, c := range w.calls {
		if s := c.t.session; s != nil {
			all[s] = true
		}
	}
	run := checkRunList(w.tb, &w.e.queue, all)
	waiting, queued, own := 0, 0, 0
	for s := range all {
		checkGate(w.tb, s, run[s], w.away[s])
		checkMailbox(w.tb, s)
		if !live[s] {
			checkDead(w.tb, s)
		} else {
			w.checkWheel(s)
			w.checkPlaceholder(s)
		}
		if s.box != nil {
			waiting += s.box.waiters.n
			queued += s.box.tickets.n
			for t := s.box.tickets.head; t != nil; t = t.next {
				if t.Caller == (nobody{}) {
					own++ // a lock is being taken back
				}
			}
		}
	}
	checkLine(w.tb, &w.e.queue, waiting, queued)
	w.checkTrips()
	confirming := w.checkChanges()
	if waiting+queued-own+confirming != len(w.calls) {
		w.tb.Errorf("%d wait, %d are queued, %d are to be confirmed, but %d have no answer", waiting, queued-own, confirming, len(w.calls))
	}
	if len(run) > 0 && !w.poked {
		w.tb.Error("the run list is not empty, and nobody has been told")
	}
	w.checkGauges(live, waiting, queued)
}

// checkTrips verifies that the queue lists the sessions that are away, and no other.
func (w *world) checkTrips() {
	q, n := &w.e.queue, 0
	var prev *trip
	for x := q.tripHead; x != nil; prev, x = x, x.next {
		n++
		s := x.session
		if !w.away[s] || s.box == nil || s.box.trip != x || x.prev != prev || x.over.Load() || x.inward != (s.life == sought) ||
			x.change != nil && (&x.change.trip != x || !w.waits(x.change)) {
			w.tb.Fatalf("%q is on a trip that is not its own", s.key())
		}
	}
	if prev != q.tripTail || n != q.trips || n != len(w.away) {
		w.tb.Errorf("%d trips are listed, %d counted, and %d sessions away", n, q.trips, len(w.away))
	}
}

// checkChanges verifies that those who wait until a change has been confirmed know it, and returns how many there are.
func (w *world) checkChanges() (pending int) {
	sessions := map[*session]bool{}
	for _, c := range w.changes {
		s := c.session
		if c.over.Load() || s.box == nil || s.box.trip != &c.trip || s.life != alive || sessions[s] {
			w.tb.Fatalf("the change of %q is not under way", c.Key)
		}
		sessions[s] = true
		n, grants := 0, 0
		var prev *Ticket
		for t := c.answers.head; t != nil; prev, t = t, t.next {
			n++
			if t.prev != prev || t.place != confirming || t.session != s || t.held != c || n > c.answers.n || t.Op == Set && t.Body != nil {
				w.tb.Fatalf("%q: answer %d of a change does not belong there", c.Key, n)
			}
			if t == c.grant {
				grants++
			}
		}
		if prev != c.answers.tail || n != c.answers.n {
			w.tb.Fatalf("%q: a change has to answer %d, and says %d", c.Key, n, c.answers.n)
		}
		if c.grant != nil && (!s.lock.held || s.lock.cookie != c.cookie || (grants == 0) != c.revoked) {
			w.tb.Errorf("%q: a lock has been given; held %v, cookie %d, %d wait for the answer, revoked %v", c.Key, s.lock.held, s.lock.cookie, grants, c.revoked)
		}
		pending += n
	}
	return pending
}

// checkPlaceholder verifies that everybody can see that there is no session in this record.
func (w *world) checkPlaceholder(s *session) {
	hollow := s.life == sought || s.life == void
	if marked := s.box != nil && s.box.hollow; marked != hollow {
		w.tb.Errorf("%q: life %d, hollow %v", s.key(), s.life, marked)
	}
	if hollow && (s.slot != noSlot || s.lock.held || s.body != (blob{}) || s.minutes != 0) {
		w.tb.Errorf("%q holds something: %+v", s.key(), s)
	}
	if s.life == void && s.gate.bits.Load() == 0 {
		w.tb.Errorf("%q is void, and nobody is queued", s.key())
	}
}

// live returns the sessions that the index finds under the keys used so far.
func (w *world) live() map[*session]bool {
	live := map[*session]bool{}
	for key := range w.keys {
		if s := w.e.index.find(w.e.Hash([]byte(key)), []byte(key)); s != nil {
			live[s] = true
			if string(s.key()) != key {
				w.tb.Errorf("%q is found under %q", s.key(), key)
			}
		}
	}
	return live
}

// checkRunList returns the sessions on the run list, and adds them to all.
func checkRunList(tb testing.TB, q *queue, all map[*session]bool) map[*session]bool {
	run := map[*session]bool{}
	var last *session
	for s := q.runHead; s != nil; s = s.box.nextRun {
		if run[s] {
			tb.Fatalf("%q stands on the run list twice", s.key())
		}
		if s.box == nil {
			tb.Fatalf("%q is on the run list without a mailbox", s.key())
		}
		run[s], all[s], last = true, true, s
	}
	if last != q.runTail {
		tb.Error("the run list's tail is not its last session")
	}
	for _, box := range q.spare {
		if *box != (mailbox{}) {
			tb.Error("a spare mailbox is in use")
		}
	}
	return run
}

// checkGate verifies the invariant of gate.
func checkGate(tb testing.TB, s *session, onRunList, away bool) {
	bits := s.gate.bits.Load()
	if entered := bits&gateEntered != 0; entered != away {
		tb.Errorf("%q: entered %v, away %v", s.key(), entered, away)
	}
	if onRunList != (bits == gateQueued) {
		tb.Errorf("%q: gate %b, on the run list %v", s.key(), bits, onRunList)
	}
	if s.box == nil && bits&gateQueued != 0 {
		tb.Errorf("%q is queued without a mailbox", s.key())
	}
	if s.box != nil && s.box.tickets.n > 0 && bits&gateQueued == 0 {
		tb.Errorf("%q: tickets are queued, but the gate does not say so", s.key())
	}
	if s.box != nil && s.box.tickets.n == 0 && s.box.waiters.n == 0 && bits&gateQueued == 0 && s.box.trip == nil {
		tb.Errorf("%q keeps an empty mailbox", s.key())
	}
}

// checkMailbox verifies that tickets and mailbox know each other.
func checkMailbox(tb testing.TB, s *session) {
	if s.box == nil {
		return
	}
	for name, l := range map[place]list{queued: s.box.tickets, waiting: s.box.waiters} {
		n, leaves := 0, 0
		var prev *Ticket
		for t := l.head; t != nil; prev, t = t, t.next {
			n++
			if t.Op == Leave {
				leaves++
			}
			if t.prev != prev || t.place != name || t.session != s || n > l.n {
				tb.Fatalf("%q: ticket %d of list %d does not belong there", s.key(), n, name)
			}
		}
		if name == queued && leaves != s.box.leaves {
			tb.Fatalf("%q: %d peers are queued, %d counted", s.key(), leaves, s.box.leaves)
		}
		if prev != l.tail || n != l.n {
			tb.Fatalf("%q: list %d holds %d tickets and says %d", s.key(), name, n, l.n)
		}
	}
	if s.box.waiters.n > 0 && (!s.marks.has(waiters) || !s.lock.held || s.life != alive) {
		tb.Errorf("%q: somebody waits; flag %v, locked %v, life %d", s.key(), s.marks.has(waiters), s.lock.held, s.life)
	}
}

// checkDead verifies that a session that the index does not find any more has left nothing behind.
func checkDead(tb testing.TB, s *session) {
	if s.life != dead || s.lock.held || s.slot != noSlot || s.body != (blob{}) {
		tb.Errorf("%q is gone: life %d, locked %v, slot %d, body of %d bytes", s.key(), s.life, s.lock.held, s.slot, s.body.len())
	}
}

// checkWheel verifies that a living session stands in one slot of its wheel, and that this slot comes due soon enough after its expiry.
func (w *world) checkWheel(s *session) {
	if s.life == dead {
		w.tb.Errorf("%q is dead and still found", s.key())
	}
	if s.minutes == 0 {
		if s.slot != noSlot {
			w.tb.Errorf("%q lives for ever and is in slot %d", s.key(), s.slot)
		}
		return
	}
	if s.slot < 0 || s.slot >= numSlots {
		w.tb.Errorf("%q is in no slot", s.key())
		return
	}
	wheel := &w.e.shardOf(s).wheel
	found := 0
	var prev *session
	for x := wheel.slots[s.slot]; x != nil; prev, x = x, x.next {
		if x == s {
			found++
		}
		if x.prev != prev || x.slot != s.slot {
			w.tb.Fatalf("slot %d of %q is broken", s.slot, s.key())
		}
	}
	due := wheel.next + (int64(s.slot)-wheel.next%numSlots+numSlots)%numSlots
	if latest := max(s.expires, w.now.Mono)>>slotBits + 1; found != 1 || due > latest {
		w.tb.Errorf("%q stands %d times in the slot due at %d, must be due by %d", s.key(), found, due, latest)
	}
}

// checkLine verifies the list of all waiters and the counts beside it.
func checkLine(tb testing.TB, q *queue, waitingHere, queuedHere int) {
	n := 0
	var prev *Ticket
	for t := q.waitHead; t != nil; prev, t = t, t.waitNext {
		n++
		if t.waitPrev != prev || t.place != waiting {
			tb.Fatalf("waiter %d does not belong there", n)
		}
		if prev != nil && prev.deadline > t.deadline {
			tb.Error("the waiters do not stand by deadline")
		}
	}
	if prev != q.waitTail || n != q.waiting || n != waitingHere {
		tb.Errorf("%d stand in line, %d are counted, %d wait for sessions", n, q.waiting, waitingHere)
	}
	if queuedHere != q.queued {
		tb.Errorf("%d are queued, %d are counted", queuedHere, q.queued)
	}
}

// checkGauges verifies that Stats and the memory account tell the truth.
func (w *world) checkGauges(live map[*session]bool, waiting, queued int) {
	want := Stats{Bytes: w.reserved, MaxMemory: w.e.opt.MaxMemory, Waiting: int64(waiting), Queued: int64(queued)}
	for s := range live {
		want.Bytes += s.cost()
		if s.life == alive {
			want.Sessions++
		}
		if s.lock.held {
			want.Locked++
		}
	}
	got := w.e.Stats()
	got = Stats{
		Sessions: got.Sessions, Bytes: got.Bytes, MaxMemory: got.MaxMemory, Locked: got.Locked, Waiting: got.Waiting, Queued: got.Queued,
	}
	if got != want {
		w.tb.Errorf("gauges: %+v, want %+v", got, want)
	}
}

// checkIndex verifies that the index holds exactly the sessions of the keys used.
func (w *world) checkIndex() {
	w.tb.Helper()
	n := 0
	for i := range w.e.index.maps {
		n += w.e.index.maps[i].Size()
	}
	crowded := w.e.index.collided.Size()
	if n+crowded != len(w.live()) || w.e.index.crowded.Load() != int64(crowded) {
		w.tb.Errorf("the index holds %d and %d sessions, says %d collided, and finds %d", n, crowded, w.e.index.crowded.Load(), len(w.live()))
	}
}

// empty removes every session and verifies that nothing remains of them.
func (w *world) empty() {
	w.tb.Helper()
	w.confirmAll()
	w.run()
	for key := range w.keys {
		if c := w.do(get(key)); c.got.Status == Locked {
			w.do(remove(key, c.got.Cookie))
		} else {
			w.do(remove(key))
		}
	}
	w.run()
	w.check()
	w.checkIndex()
	if s := w.e.Stats(); s.Bytes != w.reserved || s.Sessions != 0 || s.Locked != 0 || s.Waiting != 0 || s.Queued != 0 {
		w.tb.Errorf("everything is removed, and there remain %d bytes, %d sessions, %d locks, %d waiting, %d queued",
			s.Bytes-w.reserved, s.Sessions, s.Locked, s.Waiting, s.Queued)
	}
}
