package event

import (
	"sync"
	"sync/atomic"
)

const (
	// MaxFollowers is how many may follow at one time.
	MaxFollowers = 32
	// followerQueue is how many events may wait for a follower.
	followerQueue = 1024
	// maxNames bounds the counts: names are constants of the program, so it is never met unless something is wrong.
	maxNames = 1000
	// A hub keeps a share of its room, and a few at least, of what comes of one kind in one minute: when thousands of sessions are taken over, what they were taken over
	// for must still be there.
	kindShare, kindLeast = 4, 10
)

// tally is what a hub knows of one kind of event.
type tally struct {
	count  int64
	minute int64 // of the latest; since 1970
	kept   int   // in that minute
}

// Hub keeps and distributes events. May be used from any goroutine.
type Hub struct {
	detailed atomic.Int32 // followers that want events of the level debug, too

	mu        sync.Mutex
	recent    []Event // a ring: the event with the id n stands at (n-1) modulo its length. Guarded by mu.
	last      uint64  // id of the latest. Guarded by mu.
	counts    map[Key]*tally
	followers map[*Follower]struct{}
}

// NewHub returns a hub that keeps the latest so many events, but for those of the level debug, and for the rest
// of those of which very many come: who follows gets these as they come.
func NewHub(keep int) *Hub {
	return &Hub{recent: make([]Event, keep), counts: map[Key]*tally{}, followers: map[*Follower]struct{}{}}
}

// put takes an event; its id is given here.
func (h *Hub) put(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if keep := h.countLocked(&e); e.Level == Debug || !keep { // a flood of details would push out what somebody has to know
		e.ID = h.last
	} else {
		h.last++
		e.ID = h.last
		h.recent[(h.last-1)%uint64(len(h.recent))] = e
	}
	for f := range h.followers {
		f.putLocked(e)
	}
}

// countLocked counts an event. It reports whether there is room to keep one more of its kind.
func (h *Hub) countLocked(e *Event) (keep bool) {
	key := Key{e.Name, e.Level}
	t := h.counts[key]
	if t == nil {
		if len(h.counts) >= maxNames {
			return false
		}
		t = &tally{}
		h.counts[key] = t
	}
	t.count++
	if minute := e.Time.Unix() / 60; minute != t.minute {
		t.minute, t.kept = minute, 0
	}
	t.kept++
	return t.kept <= max(len(h.recent)/kindShare, kindLeast)
}

// Counts returns how many events there were of each kind.
func (h *Hub) Counts() map[Key]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	counts := make(map[Key]int64, len(h.counts))
	for key, t := range h.counts {
		counts[key] = t.count
	}
	return counts
}

// Recent returns the latest events of at least this level, the oldest first: at most n, and only those with an id above after.
func (h *Hub) Recent(after uint64, least Level, n int) []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.recentLocked(after, least, n)
}

func (h *Hub) recentLocked(after uint64, least Level, n int) []Event {
	if after >= h.last {
		return []Event{} // whatever a client says that it knows: counting on from there could begin anew at 0
	}
	first := max(after, h.last-min(h.last, uint64(len(h.recent)))) + 1
	all := []Event{}
	for id := h.last; id >= first && len(all) < n; id-- {
		if e := h.recent[(id-1)%uint64(len(h.recent))]; e.Level.AtLeast(least) {
			all = append(all, e)
		}
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// Follower gets events as they come.
type Follower struct {
	C <-chan Event // never closed

	hub     *Hub
	c       chan Event
	least   Level
	dropped atomic.Int64
}

// Follow returns a follower of events of at least this level, and those of the latest n that have an id above after. It returns nil when there are MaxFollowers
// already. The follower has to be closed. An after that is above all ids is of an earlier process, and counts as 0.
func (h *Hub) Follow(after uint64, least Level, n int) (*Follower, []Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.followers) >= MaxFollowers {
		return nil, nil
	}
	c := make(chan Event, followerQueue)
	f := &Follower{C: c, hub: h, c: c, least: least}
	h.followers[f] = struct{}{}
	if least == Debug {
		h.detailed.Add(1)
	}
	if after > h.last {
		after = 0
	}
	return f, h.recentLocked(after, least, n)
}

func (f *Follower) putLocked(e Event) {
	if !e.Level.AtLeast(f.least) {
		return
	}
	select {
	case f.c <- e:
	default:
		f.dropped.Add(1)
	}
}

// Dropped is how many events the follower has missed since it was last asked.
func (f *Follower) Dropped() int64 { return f.dropped.Swap(0) }

// Close ends the following. It may be called once.
func (f *Follower) Close() {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	delete(f.hub.followers, f)
	if f.least == Debug {
		f.hub.detailed.Add(-1)
	}
}
