package peer

import (
	"fmt"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// TestShortOfCopies: sessions of which nobody takes a copy are counted, and so is for how long that goes on.
func TestShortOfCopies(t *testing.T) {
	a := startNodeWith(t, twoCopies)
	b := startNodeOf(t, func(o *Options) { o.Copies, o.Link.MaxBody = twoCopies, 100 }, a)
	a.linked(1)
	b.linked(1)
	large := fmt.Sprintf("%200d", 1)
	for i := range 5 {
		body := large
		if i < 3 {
			body = "small"
		}
		out, got := a.do(engine.Set, fmt.Sprintf("app/%d", i), body, 0)
		want(t, "create", out, got, engine.OK, "")
	}
	var c CopiesStatus
	waitFor(t, "two are short of copies for more than a second", func() bool {
		c = a.farm.CopiesStatus()
		return c.Short == 2 && c.ShortFor > 1
	})
	if c.Copied != 3 || c.Nodes != 2 || c.Full != 1 || !c.Mirroring {
		t.Errorf("%+v", c)
	}
	for i := 3; i < 5; i++ {
		out, got := a.do(engine.Remove, fmt.Sprintf("app/%d", i), "", 0)
		want(t, "remove", out, got, engine.OK, "")
	}
	if c = a.farm.CopiesStatus(); c.Short != 0 || c.ShortFor != 0 {
		t.Errorf("when they are removed: %+v", c)
	}
}

// TestStatsAreFresh: what is read is as it is now, unless somebody else has just read it.
func TestStatsAreFresh(t *testing.T) {
	a := startNodeWith(t, twoCopies)
	b := startNodeWith(t, twoCopies, a)
	a.linked(1)
	b.linked(1)
	a.farm.tell(func() { a.farm.gaugesDue = 1 << 62 }) // nothing is read but when somebody asks
	for i := range 3 {
		waitFor(t, "what was read is old", func() bool { return a.farm.now()-a.farm.readAt() >= freshFor })
		out, got := a.do(engine.Set, fmt.Sprintf("app/%d", i), "body", 0)
		want(t, "create", out, got, engine.OK, "")
		if c := a.farm.Stats().Copies; c.Copied != i+1 || c.Short != 0 {
			t.Errorf("of %d sessions: %+v", i+1, c)
		}
	}
}

// TestStatsWithoutDriver: who reads waits for the driver for a moment only.
func TestStatsWithoutDriver(t *testing.T) {
	a := startNodeWith(t, twoCopies)
	b := startNodeWith(t, twoCopies, a)
	a.linked(1)
	b.linked(1)
	out, got := a.do(engine.Set, "app/s", "body", 0)
	want(t, "create", out, got, engine.OK, "")
	waitFor(t, "it is read", func() bool { return a.farm.Stats().Copies.Copied == 1 })
	held := make(chan struct{})
	a.farm.inbox.put(func(int64) { <-held })
	defer close(held)
	began := time.Now()
	if c := a.farm.CopiesStatus(); c.Copied != 1 {
		t.Errorf("while the driver is busy: %+v", c)
	}
	waitFor(t, "what was read is old", func() bool { return a.farm.now()-a.farm.readAt() >= freshFor })
	if c := a.farm.Stats().Copies; c.Copied != 1 {
		t.Errorf("while the driver is busy: %+v", c)
	}
	if took := time.Since(began); took < askTime || took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestShortage: sessions are short for as long as each look has found some.
func TestShortage(t *testing.T) {
	var s shortage
	second := int64(time.Second)
	for i, c := range []struct {
		now, short int64
		want       time.Duration
	}{{5, 0, 0}, {6, 2, 0}, {9, 1, 3 * time.Second}, {10, 0, 0}, {11, 7, 0}, {12, 7, time.Second}} {
		if got := s.note(c.now*second, c.short); got != c.want {
			t.Errorf("%d: %s, want %s", i, got, c.want)
		}
	}
}
