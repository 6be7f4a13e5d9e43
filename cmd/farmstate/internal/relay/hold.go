package relay

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// holding is one message that waits until another one of its direction has passed, on whatever connection.
type holding struct {
	waiting *waiting
	until   time.Time
	gone    atomic.Bool
	conn    *net.TCPConn // where its flow reads: a deadline in the past wakes it
}

// waiting are the held messages of one direction.
type waiting struct {
	mu  sync.Mutex
	all map[*holding]bool
}

// add makes a message wait; nil if another one does, which can follow this one now.
func (w *waiting) add(conn *net.TCPConn, until time.Time) *holding {
	h := &holding{waiting: w, until: until, conn: conn}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.all) > 0 {
		return nil
	}
	if w.all == nil {
		w.all = map[*holding]bool{}
	}
	w.all[h] = true
	return h
}

// passed lets all held messages go.
func (w *waiting) passed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for h := range w.all {
		h.gone.Store(true)
		_ = h.conn.SetReadDeadline(time.Unix(1, 0)) // it has ended otherwise
		delete(w.all, h)
	}
}

// over reports whether the wait has ended.
func (h *holding) over(now time.Time) bool { return h.gone.Load() || !now.Before(h.until) }

// end is called when nobody waits any more.
func (h *holding) end() {
	h.waiting.mu.Lock()
	defer h.waiting.mu.Unlock()
	delete(h.waiting.all, h)
}
