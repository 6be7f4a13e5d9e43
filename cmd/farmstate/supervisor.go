package main

import (
	"context"
	"log/slog"
	"time"
)

// supervisor is who has started the node and wants to know how it is: systemd,
// or the service manager of Windows. Its methods are called by one goroutine.
type supervisor interface {
	// starting says that the start goes on, stopping the same of a stop, with
	// the sessions that are left. Each grants supervisorGrace more time.
	starting()
	stopping(left int64)
	// ready says that everything listens.
	ready(sessions int64)
	// alive says that a check has passed since it was called last.
	alive(sessions int64)
	// watchdog is how often alive must be called; 0 means that nobody waits for it.
	watchdog() time.Duration
}

const (
	// supervisorBeat is how often a supervisor is told that a start or a stop goes on.
	supervisorBeat = time.Second
	// supervisorGrace is how long it is to wait when it hears nothing more.
	supervisorGrace = 30 * time.Second
	// supervisorPatience bounds how long it is told so: a disk that takes
	// longer to read a snapshot, or to write one, counts as stuck.
	supervisorPatience = 30 * time.Minute
)

// reporter tells a supervisor about the node, from before its start until it
// has stopped.
type reporter struct {
	to     supervisor
	phases chan reportPhase
	done   chan struct{}

	serving context.Context // ends when the node no longer only serves
	stop    context.CancelFunc
}

// reportPhase is a part of the node's life: what the supervisor is told at its
// beginning, and how often again.
type reportPhase struct {
	every time.Duration // 0 = only at the beginning
	begin func()
	again func()
}

// startReporter begins with the start of the node. Without a supervisor it
// returns nil, which may be used like any other.
func startReporter(to supervisor) *reporter {
	if to == nil {
		return nil
	}
	r := &reporter{to: to, phases: make(chan reportPhase, 2), done: make(chan struct{})}
	r.serving, r.stop = context.WithCancel(context.Background())
	go r.run(r.pending(supervisorPatience, to.starting))
	return r
}

// pending is a phase that takes time, but no longer than atMost.
func (r *reporter) pending(atMost time.Duration, tell func()) reportPhase {
	end := time.Now().Add(atMost)
	return reportPhase{every: supervisorBeat, begin: tell, again: func() {
		if time.Now().Before(end) {
			tell()
		}
	}}
}

// ready tells that the node serves. check finds out whether it does so still;
// it is called three times within the supervisor's patience, and has a third
// of that. Must be called once at most, before stopping.
func (r *reporter) ready(logger *slog.Logger, sessions func() int64, check func(ctx context.Context) error) {
	if r == nil {
		return
	}
	every := r.to.watchdog() / 3
	r.phases <- reportPhase{every: every, begin: func() { r.to.ready(sessions()) }, again: func() {
		ctx, cancel := context.WithTimeout(r.serving, every)
		defer cancel()
		switch err := check(ctx); {
		case err == nil:
			r.to.alive(sessions())
		case r.serving.Err() == nil:
			logger.Error("the state port does not answer this node itself; if that goes on, the supervisor will restart it", "event", "watchdog_failed", "err", err)
		}
	}}
}

// stopping tells that the node stops, which takes atMost, and what it takes to
// write a snapshot. Must be called once at most.
func (r *reporter) stopping(atMost time.Duration, sessions func() int64) {
	if r == nil {
		return
	}
	r.stop()
	r.phases <- r.pending(atMost+supervisorPatience, func() { r.to.stopping(sessions()) })
}

// close ends the reports, and waits for the goroutine.
func (r *reporter) close() {
	if r == nil {
		return
	}
	r.stop()
	close(r.phases)
	<-r.done
}

func (r *reporter) run(p reportPhase) {
	defer close(r.done)
	ticker := time.NewTicker(supervisorBeat)
	defer ticker.Stop()
	for {
		var beat <-chan time.Time
		if p.every > 0 {
			ticker.Reset(p.every)
			beat = ticker.C
		}
		p.begin()
		for same := true; same; {
			select {
			case <-beat:
				p.again()
			case next, ok := <-r.phases:
				if !ok {
					return
				}
				p, same = next, false
			}
		}
	}
}
