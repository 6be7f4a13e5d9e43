package main

import (
	"context"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/snapshot"
)

// exporter brings sessions from the engine to a file, not too fast.
type exporter struct {
	ctx   context.Context // ends it
	w     *snapshot.Writer
	began time.Time
	rate  int64            // bytes a second; 0 = as fast as can be
	paced int64            // bytes written when the pace was last looked at
	err   error            // the first
	note  func(key string) // is called for each session that is taken; nil = nobody wants to know
}

const (
	// paceSlack is how far ahead of its pace a snapshot may be: waits are then long enough to be worth it, and bursts too short to be noticed.
	paceSlack = 5 * time.Millisecond
	// occupiedPause is how long somebody who is in a session is given to leave it.
	occupiedPause = time.Millisecond
)

// Take implements engine.Exporter.
func (x *exporter) Take(p engine.Parcel, shared bool) {
	x.w.Take(p, shared)
	if x.note != nil {
		x.note(p.Key)
	}
}

// Next implements engine.Exporter.
func (x *exporter) Next(occupied bool) bool {
	if x.err = x.w.Spill(); x.err == nil && occupied {
		x.pause(occupiedPause)
	}
	if written := x.w.Written(); x.err == nil && x.rate > 0 && written > x.paced {
		x.paced = written
		due := time.Duration(float64(written) / float64(x.rate) * float64(time.Second))
		if ahead := due - time.Since(x.began); ahead > paceSlack {
			x.pause(ahead)
		}
	}
	return x.err == nil
}

func (x *exporter) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-x.ctx.Done():
		x.err = errGivenUp
	}
}
