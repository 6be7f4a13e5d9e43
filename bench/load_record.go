package bench

import (
	"sync"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// opKind is a request. See docs/protocol.md §9.2.
type opKind uint8

// The kinds.
const (
	opGet     opKind = iota // plain GET
	opAcquire               // GET, Exclusive: acquire
	opRelease               // GET, Exclusive: release
	opSave                  // PUT
	opCreate                // PUT, ExtraFlags: 1
	opTouch                 // HEAD
	opRemove                // DELETE

	numOps
)

var opNames = [numOps]string{"get", "acquire", "release", "save", "create", "touch", "remove"}

func (k opKind) String() string { return opNames[k] }

// statusCodes are the numbers of the statuses of the protocol.
var statusCodes = [...]int{
	wire.StatusOK:         200,
	wire.StatusBadRequest: 400,
	wire.StatusNotFound:   404,
	wire.StatusLocked:     423,
}

// lateAfter is from when a page that begins after it was due counts as late: anything shorter is the machine's own unrest.
const lateAfter = time.Millisecond

// maxSamples bounds how many different texts are kept of errors, and of faults that verifying found.
const maxSamples = 16

// A tally is what workers count. Two may be added up, so that not all workers have to share one.
type tally struct {
	pages   [numPages]kindTally
	ops     [numOps]kindTally
	answers [numOps][len(statusCodes)]int64

	sent, received int64 // bytes

	polls    int64 // requests repeated because the session was locked
	broken   int64 // locks released by a page that did not hold them, because they were too old
	refused  int64 // saves with a cookie that were answered 404 or 423
	dialled  int64 // connections opened
	replaced int64 // connections that had been closed when they were used again

	late    int64
	maxLate time.Duration

	failed  int64 // pages
	errors  samples
	checked int64 // bodies
	faults  samples
}

func (t *tally) add(o *tally) {
	for i := range t.pages {
		t.pages[i].add(&o.pages[i])
	}
	for i := range t.ops {
		t.ops[i].add(&o.ops[i])
		for j := range t.answers[i] {
			t.answers[i][j] += o.answers[i][j]
		}
	}
	t.sent += o.sent
	t.received += o.received
	t.polls += o.polls
	t.broken += o.broken
	t.refused += o.refused
	t.dialled += o.dialled
	t.replaced += o.replaced
	t.late += o.late
	t.maxLate = max(t.maxLate, o.maxLate)
	t.failed += o.failed
	t.errors.add(&o.errors)
	t.checked += o.checked
	t.faults.add(&o.faults)
}

// A kindTally counts the pages, or the requests, of one kind.
type kindTally struct {
	times  histogram
	inTime int64 // that ended in the measured time. Those that ended behind it have a latency, but no place in the rate
}

func (k *kindTally) record(d time.Duration, inTime bool) {
	k.times.record(d)
	if inTime {
		k.inTime++
	}
}

func (k *kindTally) add(o *kindTally) {
	k.times.merge(&o.times)
	k.inTime += o.inTime
}

// latency sums k up; window is the measured time.
func (k *kindTally) latency(window time.Duration) Latency {
	l := k.times.latency()
	l.PerS = perSecond(k.inTime, window)
	return l
}

// A recorder is a tally that several workers share, and what progress is made of.
type recorder struct {
	mu sync.Mutex

	// Guarded by mu.

	measured tally     // without the warm-up
	pages    int64     // ended, warm-up and failed ones included
	requests int64     // answered, warm-up included
	failed   int64     // pages, warm-up included
	last     time.Time // end of the latest page
}

// samples counts texts. The zero value is empty.
type samples struct {
	total int64
	byTxt map[string]int64
	other int64 // of texts that found no room
}

func (s *samples) count(text string, n int64) {
	s.total += n
	if _, known := s.byTxt[text]; !known && len(s.byTxt) >= maxSamples {
		s.other += n
		return
	}
	if s.byTxt == nil {
		s.byTxt = make(map[string]int64)
	}
	s.byTxt[text] += n
}

func (s *samples) add(o *samples) {
	for text, n := range o.byTxt {
		s.count(text, n)
	}
	s.total += o.other
	s.other += o.other
}
