package notice

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/engine"
)

const (
	// queueLen is how many events may wait for the goroutine that logs them.
	queueLen = 1024
	// interval is how often one and the same notice is logged at most.
	interval = time.Minute
	// maxSubjects is how many different notices of a kind are told apart, and
	// so how many lines of a kind are logged per interval at most.
	maxSubjects = 64
)

// Listener takes the events of an engine.
type Listener struct {
	logger  *slog.Logger
	client  func(uint16) string
	events  chan any // engine.NearMiss, engine.StaleLock, engine.Refusal
	dropped atomic.Int64
	done    chan struct{}

	// Owned by the goroutine.

	locks    throttle[string] // by application
	refusals throttle[string] // by application

	misses nearMisses
}

// nearMisses are the near misses seen, by what they have in common.
type nearMisses struct {
	sync.Mutex
	seen    throttle[subject]    // guarded by the mutex
	clients map[subject][]string // who asked, the first maxClients; of subjects in seen. Guarded by the mutex
}

// maxClients is how many web servers are named for a near miss.
const maxClients = 8

// Listen starts a Listener that logs to logger. client names the web server that an engine.Ticket's Client stands for; empty if it cannot. Nil: none can be named.
func Listen(logger *slog.Logger, client func(uint16) string) *Listener {
	if client == nil {
		client = func(uint16) string { return "" }
	}
	l := &Listener{
		logger:   logger,
		client:   client,
		events:   make(chan any, queueLen),
		done:     make(chan struct{}),
		locks:    newThrottle[string](),
		refusals: newThrottle[string](),
	}
	l.misses.seen, l.misses.clients = newThrottle[subject](), map[subject][]string{}
	go l.run()
	return l
}

// Events are the callbacks for the engine. They never block.
func (l *Listener) Events() engine.Events {
	return engine.Events{
		NearMiss: func(m engine.NearMiss) { l.put(m) },
		LockLeft: func(s engine.StaleLock) { l.put(s) },
		Refused:  func(r engine.Refusal) { l.put(r) },
	}
}

func (l *Listener) put(event any) {
	select {
	case l.events <- event:
	default:
		l.dropped.Add(1)
	}
}

// Dropped is the number of events that were not logged because too many came
// at once.
func (l *Listener) Dropped() int64 {
	return l.dropped.Load()
}

// Close logs what is queued and ends the goroutine. Requires that the engine
// is no longer used.
func (l *Listener) Close() {
	close(l.events)
	<-l.done
}

func (l *Listener) run() {
	defer close(l.done)
	for event := range l.events {
		now := time.Now()
		switch event := event.(type) {
		case engine.NearMiss:
			l.nearMiss(now, event)
		case engine.StaleLock:
			l.lockLeft(now, event)
		case engine.Refusal:
			l.refused(now, event)
		}
	}
}
