package netpoll

import (
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// clock reads the time for the engine. It is the only place in this package that does, so tests can put another in its place.
type clock struct {
	start time.Time
	epoch atomic.Int64 // engine.Time.Date of start, as the wall clock says now
}

func newClock() *clock {
	c := &clock{start: time.Now()}
	c.refresh()
	return c
}

// now costs one reading of the monotonic clock.
func (c *clock) now() engine.Time {
	mono := int64(time.Since(c.start))
	return engine.Time{Mono: mono, Date: c.epoch.Load() + mono/100}
}

// refresh follows the wall clock. The ticker calls it every second: clocks are set, and summer time begins and ends, while we run.
func (c *clock) refresh() {
	now := time.Now()
	_, offset := now.Zone()
	c.epoch.Store(engine.Ticks(now.UnixNano(), offset) - int64(now.Sub(c.start))/100)
}
