package engine

import (
	"sync/atomic"

	"github.com/farmstate/farmstate/engine/appkey"
)

// counter names one of the engine's counts beside those of the answers.
type counter uint8

const (
	countCreated counter = iota
	countRemoved
	countExpired
	countLocked
	countUnlocked
	countGranted
	countWaitTimeouts
	countIdentical
	countLocksLeft
	countFetches
	countArrived
	countLeft
	countUndecided
	countFarmCuts
	countTransferCuts
	countReplaced
	countKeptNewer
	countMirrored
	countSuperseded
	numCounts
)

// counts are striped by lane, so that two event loops do not write to one cache line for each request.
type counts struct {
	stripes    [numStripes]stripe
	nearMisses [appkey.NumCauses]atomic.Int64
}

const numStripes = 16

type stripe struct {
	answers [numOps][numStatuses]atomic.Int64
	other   [numCounts]atomic.Int64
	_       [64]byte // the next stripe's first line is another lane's
}

func (c *counts) stripe(lane int) *stripe { return &c.stripes[uint(lane)%numStripes] }

func (c *counts) add(lane int, n counter) { c.addN(lane, n, 1) }

func (c *counts) addN(lane int, n counter, by int64) { c.stripe(lane).other[n].Add(by) }

// answered counts an answer. It returns how many of its kind this stripe has counted.
func (c *counts) answered(lane int, op Op, status Status) int64 {
	return c.stripe(lane).answers[op][status].Add(1)
}

func (c *counts) nearMiss(cause appkey.Cause) { c.nearMisses[cause].Add(1) }

func (c *counts) sum(n counter) (sum int64) {
	for i := range c.stripes {
		sum += c.stripes[i].other[n].Load()
	}
	return sum
}

// Stats is a reading of the engine's gauges and counters. Counters begin at 0 with the engine. The reading is not one moment: requests go on
// meanwhile.
type Stats struct {
	// Gauges.

	Sessions  int64
	Bytes     int64 // of the memory account: sessions, and bodies on their way in
	MaxMemory int64 // 0 = no cap
	Locked    int64 // sessions
	Waiting   int64 // acquires waiting for a lock
	Queued    int64 // requests queued for a session

	// Counters.

	Answers      [numOps][numStatuses]int64 // by Op and Status
	Created      int64
	Removed      int64
	Expired      int64
	Granted      int64 // locks handed to a waiter
	WaitTimeouts int64 // waiters refused at their deadline
	Identical    int64 // saves that changed nothing
	LocksLeft    int64 // locks left behind
	Fetches      int64 // sessions looked for elsewhere
	Arrived      int64 // sessions that came from elsewhere, asked for or not
	Left         int64
	Undecided    int64                   // searches of which nobody could tell the result
	FarmCuts     int64                   // requests cut because their session was away for too long
	TransferCuts int64                   // requests cut because too many others waited for their session to come
	Replaced     int64                   // sessions replaced by a newer copy from elsewhere
	KeptNewer    int64                   // copies from elsewhere that were not newer than the session here
	Mirrored     int64                   // changes told to mirrors
	Superseded   int64                   // sessions taken out of service because another node has them, or may have
	NearMisses   [appkey.NumCauses]int64 // by Cause
}

// sessions is Stats.Sessions alone.
func (e *Engine) sessions() int64 {
	c := &e.counts
	return c.sum(countCreated) + c.sum(countArrived) - c.sum(countRemoved) - c.sum(countExpired) - c.sum(countLeft)
}

// Ops and Statuses list the values that index Stats.Answers.
func Ops() [numOps]Op {
	var ops [numOps]Op
	for i := range ops {
		ops[i] = Op(i)
	}
	return ops
}

// Statuses lists the values that index the rows of Stats.Answers.
func Statuses() [numStatuses]Status {
	var all [numStatuses]Status
	for i := range all {
		all[i] = Status(i)
	}
	return all
}

// Stats reads the gauges and counters.
func (e *Engine) Stats() Stats {
	c := &e.counts
	s := Stats{
		Bytes: e.memory.used.Load(), MaxMemory: e.memory.max,
		Created: c.sum(countCreated), Removed: c.sum(countRemoved), Expired: c.sum(countExpired),
		Granted: c.sum(countGranted), WaitTimeouts: c.sum(countWaitTimeouts), Identical: c.sum(countIdentical),
		LocksLeft: c.sum(countLocksLeft), Fetches: c.sum(countFetches), Arrived: c.sum(countArrived), Left: c.sum(countLeft),
		Undecided: c.sum(countUndecided), FarmCuts: c.sum(countFarmCuts), TransferCuts: c.sum(countTransferCuts),
		Replaced: c.sum(countReplaced), KeptNewer: c.sum(countKeptNewer), Mirrored: c.sum(countMirrored), Superseded: c.sum(countSuperseded),
	}
	s.Sessions = s.Created + s.Arrived - s.Removed - s.Expired - s.Left
	s.Locked = c.sum(countLocked) - c.sum(countUnlocked)
	for i := range c.stripes {
		for op := range s.Answers {
			for status := range s.Answers[op] {
				s.Answers[op][status] += c.stripes[i].answers[op][status].Load()
			}
		}
	}
	for i := range s.NearMisses {
		s.NearMisses[i] = c.nearMisses[i].Load()
	}
	e.queue.mu.Lock()
	s.Waiting, s.Queued = int64(e.queue.waiting), int64(e.queue.queued)
	e.queue.mu.Unlock()
	return s
}
