package conformance

import (
	"context"
	"time"
)

// wait lets time pass.
type wait struct {
	long time.Duration
	keep bool // leaves connections open, however long it is
}

// decodePause reads wait_s and keep.
func decodePause(o *object, _ *scope) action {
	seconds := require[float64](o, "wait_s")
	if seconds < 0 || seconds > 3600 {
		o.fail("wait_s: %g is outside 0..3600", seconds)
	}
	keep, _ := take[bool](o, "keep")
	return wait{time.Duration(seconds * float64(time.Second)), keep}
}

func (w wait) do(ctx context.Context, p *player) error {
	if w.long >= p.limits.pool && !w.keep {
		if err := p.checkRead("before a long wait"); err != nil {
			return err
		}
		p.hangUp()
	}
	return pause(ctx, w.long)
}

// pause blocks for that long, or until ctx ends.
func pause(ctx context.Context, long time.Duration) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// mark remembers a moment under a name.
type mark string

func decodeMark(o *object, s *scope) action {
	name := require[string](o, "mark")
	if name == "" {
		o.fail("mark: it has no name")
	}
	s.marks[name] = true
	return mark(name)
}

func (m mark) do(_ context.Context, p *player) error {
	p.marks[string(m)] = time.Now()
	return nil
}
