package sim

// loop is simulated time: what is to happen, in order of time, and of being planned where times are equal.
type loop struct {
	now     int64
	planned uint64
	heap    []event
}

type event struct {
	at int64
	n  uint64
	f  func()
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.n < o.n }

// after plans f for so many nanoseconds from now.
func (l *loop) after(d int64, f func()) { l.at(l.now+max(d, 0), f) }

func (l *loop) at(at int64, f func()) {
	l.planned++
	l.heap = append(l.heap, event{at, l.planned, f})
	h := l.heap
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(&h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

// next takes the next event that is due before a time.
func (l *loop) next(until int64) (f func(), ok bool) {
	h := l.heap
	if len(h) == 0 || h[0].at > until {
		return nil, false
	}
	first := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h[last] = event{}
	h = h[:last]
	l.heap = h
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && h[down+1].before(&h[down]) {
			down++
		}
		if !h[down].before(&h[i]) {
			break
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
	l.now = max(l.now, first.at)
	return first.f, true
}
