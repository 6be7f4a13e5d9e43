package peer

import "time"

// What others read of the driver's is a copy that it makes: when somebody asks, and every second, because how long something has been so is known only if it is looked at.

const (
	// askTime is how long who reads waits for the driver. Then he gets what is there.
	askTime = 500 * time.Millisecond
	// freshFor is how old what is read may be without the driver being asked: so it makes no more than ten copies a second, however many read.
	freshFor = int64(100 * time.Millisecond)
)

// ask has the driver do something. It returns when that is done, after askTime, or when the farm is closed.
func (f *Farm) ask(do func()) {
	timer := time.NewTimer(askTime)
	defer timer.Stop()
	select {
	case <-f.told(do):
	case <-timer.C:
	case <-f.quit:
	}
}

// freshen has the driver read counters and gauges, unless it has lately.
func (f *Farm) freshen() {
	if f.now()-f.readAt() < freshFor {
		return
	}
	sessions := f.engine.Stats().Sessions
	f.ask(func() {
		if f.now()-f.readAt() >= freshFor { // somebody else may have asked
			f.read(f.now(), sessions)
		}
	})
}

func (f *Farm) readAt() int64 {
	f.shared.mu.Lock()
	defer f.shared.mu.Unlock()
	return f.shared.readAt
}

// readSoon has the driver read counters and gauges when it has done what it has been told so far. Called by the driver.
func (f *Farm) readSoon() {
	sessions := f.engine.Stats().Sessions
	f.inbox.put(func(now int64) { f.read(now, sessions) })
}

// read reads counters and gauges. For sessions see readCopies. Called by the driver.
func (f *Farm) read(now, sessions int64) {
	counts, gauges, copies := f.core.Counts(), f.core.Gauges(), f.readCopies(now, sessions) // Gauges looks at all queries
	f.shared.mu.Lock()
	defer f.shared.mu.Unlock()
	f.shared.counts, f.shared.gauges, f.shared.copies, f.shared.readAt = counts, gauges, copies, now
}

// shortage is how long sessions have been short of copies. Owned by the driver.
type shortage struct {
	since int64 // 0 = none is
}

// note takes down how many are short, and returns for how long some have been, whenever that was looked at.
func (s *shortage) note(now, short int64) time.Duration {
	switch {
	case short == 0:
		s.since = 0
		return 0
	case s.since == 0:
		s.since = now
	}
	return time.Duration(now - s.since)
}
