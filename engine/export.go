package engine

// Exporter takes what Export finds. Its methods are called one at a time, by the goroutine that called Export.
type Exporter interface {
	// Take is called for each session, with the session entered: everybody else who wants it waits. So it copies what it needs, and neither blocks nor calls
	// the engine. p.Body is valid during the call; if shared is set it is valid, and stays as it is, for as long as it is referred to.
	Take(p Parcel, shared bool)
	// Next is called after each session, and before each further round, with nothing held: it may take its time. occupied says that a round follows in
	// which sessions are tried again that somebody was in: a moment later there is more hope. It returns false to end the walk.
	Next(occupied bool) bool
}

// Exported says what became of the sessions of an Export.
type Exported struct {
	Sessions int // given to Take
	Expired  int // left out: their time was up
	// Away is how many were left out because they were on their way to another node, which then has them, all the time.
	Away int
	// Busy is how many were left out because somebody was in them each time they were tried.
	Busy int
}

// Add adds the counts of another shard.
func (x *Exported) Add(y Exported) {
	x.Sessions += y.Sessions
	x.Expired += y.Expired
	x.Away += y.Away
	x.Busy += y.Busy
}

// exportRounds is how often a session that somebody is in is tried again.
const exportRounds = 32

// Export shows each living session of one of NumShards shards once, as it is at the moment it is shown. Sessions that come or go meanwhile may be missed; those that
// are being looked for elsewhere are none. Nothing is changed: it is no hit.
//
// What is left of lives and the ages of locks are told as of now. If that is the same for all shards, they agree, however long it takes: a session that was
// used meanwhile has more left than its life is long.
//
// A session that somebody is in is tried again, up to 32 times. One for which requests are queued is shown between two of them, so a session that is never
// free, because it is wanted all the time, is shown as well. What stays occupied is left out and counted.
func (e *Engine) Export(now Time, shard int, to Exporter) (x Exported) {
	var occupied []*session
	more := true
	e.index.each(shard, func(s *session) bool {
		if !e.export(now, s, to, &x) {
			occupied = append(occupied, s)
			return true
		}
		more = to.Next(false)
		return more
	})
	for range exportRounds {
		if len(occupied) == 0 || !more || !to.Next(true) {
			break
		}
		rest := occupied[:0]
		for _, s := range occupied {
			if !e.export(now, s, to, &x) {
				rest = append(rest, s)
			} else if more = to.Next(false); !more {
				return x
			}
		}
		occupied = rest
	}
	for _, s := range occupied {
		if away, _ := e.queue.away(s); away {
			x.Away++
		} else {
			x.Busy++
		}
	}
	return x
}

// export shows a session, unless there is none in the record any more. It returns false if it has to be tried again.
func (e *Engine) export(now Time, s *session, to Exporter, x *Exported) bool {
	if s.gate.tryEnter() {
		defer e.leave(NoLane, s)
		if x.shows(now, s) {
			to.Take(s.view(now), s.shared())
		}
		return true
	}
	p, seen := e.queue.glimpse(now, s, x)
	if p.Body != nil {
		to.Take(p, true)
	}
	return seen
}

// shows reports whether a session that nobody else is in is one to be shown, and counts it.
func (x *Exported) shows(now Time, s *session) bool {
	switch {
	case s.life != alive:
		return false
	case s.expired(now):
		x.Expired++
		return false
	}
	x.Sessions++
	return true
}

// glimpse describes a session for which requests are queued, but in which nobody is. It returns false if somebody is in it, and no Body if there is nothing to be shown.
//
// Whoever enters a session on the run list needs the queue's mutex (see gate), so while that is held and the session stands there, nobody is or gets into it. At most
// bodyShared bytes are copied meanwhile.
func (q *queue) glimpse(now Time, s *session, x *Exported) (p Parcel, seen bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.box != nil && s.box.hollow {
		return p, true
	}
	if s.gate.bits.Load() != gateQueued {
		return p, false
	}
	if x.shows(now, s) {
		p = s.parcel(now)
	}
	return p, true
}
