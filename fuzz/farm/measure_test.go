//go:build unix

package farm

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// latencies are how long something took, again and again.
type latencies []time.Duration

// at is the latency that a share of them stays within.
func (l latencies) at(share float64) time.Duration {
	s := slices.Sorted(slices.Values(l))
	return s[min(len(s)-1, int(share*float64(len(s))))]
}

// budget is what something may take. It is for a machine on which a read of a session that is there takes at most calm, 99 times of 100; where reads that
// are done in between take longer, because of what else the machine does, it is stretched by as much, and under the race detector by raceFactor.
type budget struct{ median, p99 time.Duration }

const calm = 500 * time.Microsecond

// attempts is how often something is measured that took too long: others may have kept the machine busy for a moment.
const attempts = 3

// hold measures something n times, and in between, reads of a session that is there, and holds the first to a budget.
func (b budget) hold(t *testing.T, n int, control func() answer, do func(i int) time.Duration) {
	t.Helper()
	for try := 1; ; try++ {
		var took, reads latencies
		for i := range n {
			a := control()
			if a.status != 200 {
				t.Fatalf("the control read: %v", a)
			}
			reads = append(reads, a.took)
			took = append(took, do(i))
		}
		stretch := max(1, float64(reads.at(0.99))/float64(calm)) * raceFactor
		median, p99 := stretched(b.median, stretch), stretched(b.p99, stretch)
		t.Logf("median %v, p99 %v, most %v; a local read: median %v, p99 %v", took.at(0.5), took.at(0.99), took.at(1), reads.at(0.5), reads.at(0.99))
		if (b.median == 0 || took.at(0.5) <= median) && took.at(0.99) <= p99 {
			return
		}
		if try == attempts {
			t.Errorf("median %v and p99 %v; want at most %v and %v, and that is %.1f times what a quiet machine gets", took.at(0.5), took.at(0.99), median, p99, stretch)
			return
		}
	}
}

func stretched(d time.Duration, by float64) time.Duration { return time.Duration(float64(d) * by) }

// soon is a time that only has to be far below a timeout. It is stretched under the race detector, and prolonged by what the machine has kept this very process
// waiting lately, several times over, since an answer takes several processes. To be called when what is measured is over.
func soon(d time.Duration) time.Duration {
	return raceFactor*d + 10*lateness.lately()
}

// lateness watches by how much a timer is late.
var lateness = lateWatch{}

type lateWatch struct {
	mu   sync.Mutex
	most [30]time.Duration // in each tenth of a second; guarded by mu
	at   int64             // the latest of them; guarded by mu
}

// watch runs for ever.
func (l *lateWatch) watch() {
	const nap = 2 * time.Millisecond
	timer := time.NewTimer(nap)
	for began := time.Now(); ; began = time.Now() {
		timer.Reset(nap)
		<-timer.C
		l.note(time.Now(), time.Since(began)-nap)
	}
}

func (l *lateWatch) note(now time.Time, late time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := now.UnixMilli() / 100
	for ; l.at < at; l.at = max(l.at+1, at-int64(len(l.most))) {
		l.most[(l.at+1)%int64(len(l.most))] = 0
	}
	i := at % int64(len(l.most))
	l.most[i] = max(l.most[i], late)
}

// lately is the most of the last seconds.
func (l *lateWatch) lately() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Max(l.most[:])
}
