package engine

// tickBudget bounds the sessions that one Tick looks at for expiry, so that a million sessions that expire together do not hold up anybody; the
// rest follows in the next ticks, and is absent for every request meanwhile.
const tickBudget = 4096

// Tick says that time has passed. It refuses the waiters whose deadline is over, cuts requests that have waited too long for a session that is away, removes sessions whose time is up, looks for
// locks left behind, and makes what Survey and Hot return. It should be called every 20 ms or so, from one goroutine at a time; its work per call is bounded.
func (e *Engine) Tick(now Time) {
	for t := e.queue.overdue(now); t != nil; t = e.queue.overdue(now) {
		e.counts.add(NoLane, countWaitTimeouts)
		t.late = true
		e.do(now, NoLane, t)
	}
	e.trimTrips(now)
	e.sweep(now, tickBudget)
	e.findStaleLocks(now)
	e.walkOn(now)
	e.hot.fold(now)
}

// sweep removes sessions whose time is up.
func (e *Engine) sweep(now Time, budget int) {
	var expired [64]*session // entered
	for i := range e.shards {
		h := &e.shards[i]
		if h.wheel.next > now.Mono>>slotBits { // only sweep moves it, so no lock is needed to look
			continue
		}
		for more := true; more; {
			n := 0
			h.mu.Lock()
			for n < len(expired) {
				s := h.wheel.due(now)
				if more = s != nil && budget > 0; !more {
					break
				}
				budget--
				h.wheel.remove(s)
				switch {
				case !s.gate.tryEnter():
					h.wheel.put(s, h.wheel.next+1) // whoever is in it sees that it has expired
				case s.expired(now):
					expired[n] = s
					n++
				default:
					h.wheel.add(s)
					e.leave(NoLane, s)
				}
			}
			h.mu.Unlock()
			for _, s := range expired[:n] {
				e.expire(NoLane, s)
				e.leave(NoLane, s)
			}
		}
		if budget <= 0 {
			return
		}
	}
}
