package notice

import "time"

// throttle lets each subject be logged once per interval, and counts.
//
// Its size is bounded: at maxSubjects a new subject takes the place of the one
// that was quiet longest, if that may be logged again anyway; else it is only
// counted. So the number of lines is bounded too, whatever clients make up.
type throttle[K comparable] struct {
	rows   map[K]*row
	others int64 // events of subjects that found no place since the last line
}

// row is what is known of a subject.
type row struct {
	count  int64 // events
	hidden int64 // of them, those since the last line
	first  time.Time
	last   time.Time
	logged time.Time
}

func newThrottle[K comparable]() throttle[K] {
	return throttle[K]{rows: make(map[K]*row)}
}

// pass counts an event of the subject. It reports whether a line is due, and
// how many events of the subject went without a line since the last one.
func (t *throttle[K]) pass(now time.Time, subject K) (hidden int64, due bool) {
	r := t.rows[subject]
	if r == nil {
		if len(t.rows) >= maxSubjects && !t.evict(now) {
			t.others++
			return 0, false
		}
		r = &row{first: now}
		t.rows[subject] = r
	}
	r.count++
	r.last = now
	if !r.logged.IsZero() && now.Sub(r.logged) < interval {
		r.hidden++
		return 0, false
	}
	hidden, r.hidden, r.logged = r.hidden, 0, now
	return hidden, true
}

// evict makes room for a subject, if it can.
func (t *throttle[K]) evict(now time.Time) bool {
	var quietest K
	var found *row
	for subject, r := range t.rows {
		if now.Sub(r.logged) >= interval && (found == nil || r.last.Before(found.last)) {
			quietest, found = subject, r
		}
	}
	if found == nil {
		return false
	}
	delete(t.rows, quietest)
	return true
}

// takeOthers is the number of events of subjects that found no place, since it
// was last asked.
func (t *throttle[K]) takeOthers() int64 {
	n := t.others
	t.others = 0
	return n
}
