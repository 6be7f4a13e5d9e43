package netpoll

import (
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// Clock reads the time for an engine and all that calls it: they must have one clock. May be used from any goroutine.
type Clock struct {
	start time.Time
	epoch atomic.Int64 // engine.Time.Date of start, as the wall clock says now
}

// NewClock returns a clock that begins now.
func NewClock() *Clock {
	c := &Clock{start: time.Now()}
	c.refresh()
	return c
}

// Now reads the time.
func (c *Clock) Now() engine.Time { return c.now() }

// now costs one reading of the monotonic clock.
func (c *Clock) now() engine.Time {
	mono := int64(time.Since(c.start))
	return engine.Time{Mono: mono, Date: c.epoch.Load() + mono/100}
}

// refresh follows the wall clock. The ticker calls it every second: clocks are set, and summer time begins and ends, while we run.
func (c *Clock) refresh() {
	now := time.Now()
	_, offset := now.Zone()
	c.epoch.Store(engine.Ticks(now.UnixNano(), offset) - int64(now.Sub(c.start))/100)
}
