package engine

import (
	"errors"
	"fmt"
	"time"
)

// Bounds and defaults of the options. See docs/protocol.md §1.4.
const (
	DefaultLockWait     = 700 * time.Millisecond
	DefaultLockQueue    = 64
	DefaultSessionQueue = 50
	DefaultStaleLock    = 2 * time.Minute

	DefaultFarmWait      = 2500 * time.Millisecond
	DefaultTransferQueue = 20

	// MaxLockWait is below the shortest life of a session (one minute), so that a session cannot expire under its waiters,
	// each of which has slid its timer on arrival.
	MaxLockWait = 30 * time.Second

	// MinFarmWait is the least that makes sense: a round trip, and the ticks by which it is measured. MaxFarmWait is above what any client waits for.
	MinFarmWait = 10 * time.Millisecond
	MaxFarmWait = time.Minute
)

// Options configure an Engine. The zero value is a usable engine without lock wait and without a memory cap.
type Options struct {
	// MaxMemory caps the bytes that sessions and bodies on their way in may take; 0 means no cap. At the cap new sessions and
	// growing saves are refused; a live session is never evicted. See docs/protocol.md §6.5, §7.10.
	MaxMemory int64
	// LockWait is how long an acquire of a locked session may be held, 0 to MaxLockWait; 0 refuses at once. See docs/protocol.md §8.
	LockWait time.Duration
	// LockQueue is how many acquires may wait for one session's lock; 0 means DefaultLockQueue. See docs/protocol.md §8.2.
	LockQueue int
	// SessionQueue is how many requests may be queued for one session that is entered, hot or away; 0 means DefaultSessionQueue.
	// One more is cut: a read or acquire is told "locked" with age 0, so that the client comes back; a save is refused.
	SessionQueue int
	// StaleLock is the age from which a lock counts as left behind; 0 switches the search off.
	StaleLock time.Duration
	// Seed of the key hash. Two engines with the same seed place sessions alike.
	Seed uint64
	// Ready is told that the run list is no longer empty: somebody must call Run soon. Lane is the one of the call during which this happened.
	// It may be called from any goroutine, also under a gate; it must neither block nor call the engine. Nil means the caller polls.
	Ready func(lane int)
	// Elsewhere is asked for sessions that are not here. Nil means there is no other place, and a miss is final at once. See SetElsewhere.
	Elsewhere Elsewhere
	// FarmWait is how long a request may wait for a session that is being looked for or is leaving, MinFarmWait to MaxFarmWait; 0 means DefaultFarmWait. Then it
	// is cut. Measured by Tick.
	FarmWait time.Duration
	// TransferQueue is how many requests may be queued that long for one session that is away; 0 means DefaultTransferQueue. Reads and acquires behind them
	// are cut after a moment.
	TransferQueue int
	// Events are told what a person may want to know. Fields may be nil.
	Events Events
}

func (o *Options) setDefaults() {
	if o.LockQueue == 0 {
		o.LockQueue = DefaultLockQueue
	}
	if o.SessionQueue == 0 {
		o.SessionQueue = DefaultSessionQueue
	}
	if o.FarmWait == 0 {
		o.FarmWait = DefaultFarmWait
	}
	if o.TransferQueue == 0 {
		o.TransferQueue = DefaultTransferQueue
	}
	if o.Ready == nil {
		o.Ready = func(int) {}
	}
	o.Events.setDefaults()
}

// validate reports every option that is out of range.
func (o *Options) validate() error {
	var errs []error
	bad := func(name string, value any, want string) {
		errs = append(errs, fmt.Errorf("engine: %s is %v: want %s", name, value, want))
	}
	if o.MaxMemory < 0 {
		bad("MaxMemory", o.MaxMemory, "0 (no cap) or a number of bytes")
	}
	if o.LockWait < 0 || o.LockWait > MaxLockWait {
		bad("LockWait", o.LockWait, "0 to "+MaxLockWait.String())
	}
	if o.LockQueue < 0 {
		bad("LockQueue", o.LockQueue, "a positive number")
	}
	if o.SessionQueue < 0 {
		bad("SessionQueue", o.SessionQueue, "a positive number")
	}
	if o.FarmWait != 0 && (o.FarmWait < MinFarmWait || o.FarmWait > MaxFarmWait) {
		bad("FarmWait", o.FarmWait, "0 (the default) or "+MinFarmWait.String()+" to "+MaxFarmWait.String())
	}
	if o.TransferQueue < 0 {
		bad("TransferQueue", o.TransferQueue, "a positive number")
	}
	if o.StaleLock < 0 {
		bad("StaleLock", o.StaleLock, "0 (off) or a duration")
	}
	return errors.Join(errs...)
}
