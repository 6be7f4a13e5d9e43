package netpoll

import (
	"iter"
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// How long requests take is counted in buckets whose bounds are those of a Prometheus native histogram with 8 buckets to each doubling (schema 3), and
// besides those of a classic histogram in round numbers: a native bucket in which such a number lies is two buckets here. So both kinds are exact.
const (
	// LatencySchema is the schema of the native histogram.
	LatencySchema = 3
	// latencyLow is the index of the bucket that ends at 2^-20 s, a little less than a microsecond; what is faster lies in it, too.
	latencyLow = -20 << LatencySchema
	// latencyHigh is the index of the bucket that ends at 304 s; what is slower lies in it, too. See native.
	latencyHigh = 66
)

// latencySteps are the bounds of the classic histogram.
var latencySteps = []time.Duration{
	10 * time.Microsecond, 25 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
	10 * time.Second, 30 * time.Second, time.Minute,
}

// latencyBuckets describes the buckets, in the order of their bounds.
var latencyBuckets = makeLatencyBuckets()

// latencyOctaves has, for each number of binary digits that a duration in nanoseconds may have, the first bucket in which such a one can lie.
var latencyOctaves = makeLatencyOctaves()

// latencyBucket is one of the buckets.
type latencyBucket struct {
	upTo   int64   // ns; what takes as long, and longer than the bucket before, lies in it
	bound  float64 // s; as exactly as can be
	native int     // index in the native histogram
}

// numLatencyBuckets is what latencyBuckets has. A constant, because it is the size of an array.
const numLatencyBuckets = latencyHigh - latencyLow + 1 + 21

func makeLatencyBuckets() []latencyBucket {
	var all []latencyBucket
	steps := latencySteps
	for i := latencyLow; i <= latencyHigh; i++ {
		end := math.Exp2(float64(i) / (1 << LatencySchema))
		for len(steps) > 0 && steps[0].Seconds() < end {
			all = append(all, latencyBucket{int64(steps[0]), steps[0].Seconds(), i})
			steps = steps[1:]
		}
		all = append(all, latencyBucket{int64(end * 1e9), end, i})
	}
	all[len(all)-1].upTo = math.MaxInt64
	return all
}

func makeLatencyOctaves() (first [65]uint8) {
	for digits := 1; digits < len(first); digits++ {
		lowest := int64(1) << (digits - 1)
		first[digits] = uint8(slices.IndexFunc(latencyBuckets, func(b latencyBucket) bool { return max(lowest, 1) <= b.upTo }))
	}
	return first
}

// latencyIndex finds the bucket of a duration in nanoseconds; a negative one counts as 0.
func latencyIndex(ns int64) int {
	ns = max(ns, 0)
	i := int(latencyOctaves[bits.Len64(uint64(ns))])
	for ns > latencyBuckets[i].upTo {
		i++
	}
	return i
}

// numTimed is the number of operations that the state port has: all before engine.Leave.
const numTimed = int(engine.Leave)

// Rows of latencies.
const (
	straight = iota
	waited
	numWays
)

// latencies counts how long requests took. Each event loop has its own, so that two do not write to one cache line; connections with a lane of their
// own share a few. All but the reading is free of allocations and locks.
type latencies [numTimed][numWays]struct {
	buckets [numLatencyBuckets]atomic.Int64
	sum     atomic.Int64 // ns
}

// add counts n requests that took as long.
func (l *latencies) add(op engine.Op, way int, ns, n int64) {
	h := &l[op][way]
	h.buckets[latencyIndex(ns)].Add(n)
	h.sum.Add(max(ns, 0) * n)
}

// turn is what one batch of requests of the current connection has been answered, until its answers are written. Owned by the lane.
type turn struct {
	began   int64            // Time.Mono that all of them but the early one have as their beginning
	counts  [numTimed]uint32 // answered at once, by Op
	pending bool             // counts is not all 0, or early is set
	early   bool             // one of them had begun in an earlier event: its last bytes came later than its first
	earlyOp engine.Op
	earlyAt int64 // Time.Mono
}

// add notes a request that was answered at once.
func (t *turn) add(op engine.Op, began, now int64) {
	t.pending = true
	if began != now {
		t.early, t.earlyOp, t.earlyAt = true, op, began
		return
	}
	t.began = now
	t.counts[op]++
}

// written counts what has been noted: its answers have been written.
func (t *turn) written(l *latencies, now int64) {
	if t.early {
		l.add(t.earlyOp, straight, now-t.earlyAt, 1)
	}
	for op, n := range t.counts {
		if n > 0 {
			l.add(engine.Op(op), straight, now-t.began, int64(n))
		}
	}
	*t = turn{}
}

// Latency is how long requests took that were answered, since the server's start or, after Sub, since an earlier reading. Malformed requests are not
// among them: nobody knows what they ask for.
//
// A request's time begins when the server, having read at least its first byte, turns to it, and ends when its answer has been handed to the
// connection: when the socket, or with gnet the queue before it, has taken it. So waiting for a lock, for another node or for a copy is part of it, and
// so is the rest of a body that comes slowly; the network is not, nor the time before an event loop comes to read what has arrived. Of requests that
// a client sends without waiting for answers, those that are worked through in one go have one beginning and one end; one behind a request that waits begins
// when that has been answered. With the standard library's network the end may be late, because a client takes a large answer slowly.
type Latency struct {
	rows [numTimed][numWays]Histogram
}

// Of is how long the requests of one operation took that were answered at once, or those that waited for anything. An operation that the state port
// does not have has none.
func (l Latency) Of(op engine.Op, waiting bool) Histogram {
	if int(op) >= numTimed {
		return Histogram{}
	}
	if waiting {
		return l.rows[op][waited]
	}
	return l.rows[op][straight]
}

// All is how long all requests took together.
func (l Latency) All() (sum Histogram) {
	for op := range l.rows {
		for way := range l.rows[op] {
			sum = sum.Add(l.rows[op][way])
		}
	}
	return sum
}

// Sub is what came after an earlier reading of the same server.
func (l Latency) Sub(earlier Latency) (since Latency) {
	for op := range l.rows {
		for way := range l.rows[op] {
			since.rows[op][way] = l.rows[op][way].Sub(earlier.rows[op][way])
		}
	}
	return since
}

// TimedOps lists the operations that Latency has.
func TimedOps() []engine.Op {
	var ops []engine.Op
	for op := range numTimed {
		ops = append(ops, engine.Op(op))
	}
	return ops
}

// Histogram is how many durations there were of which length. The zero value has none. It is never changed once it is there.
type Histogram struct {
	Count int64
	Sum   time.Duration // of all; requests for 292 years fit in

	counts []int64 // by bucket; nil if there are none
}

// Bucket is a part of a histogram: durations that are longer than Above and at most Bound.
type Bucket struct {
	Above, Bound float64 // s; Above of the first is 0, Bound of the last is 304 although longer ones lie in it, too
	Native       int     // index of the bucket of a native histogram, with LatencySchema, in which it lies; of the first it may be taken for the zero bucket
	Count        int64
}

// Buckets yields the buckets that are not empty, the shortest durations first.
func (h Histogram) Buckets() iter.Seq[Bucket] {
	return func(yield func(Bucket) bool) {
		for i, n := range h.counts {
			if n == 0 {
				continue
			}
			b := Bucket{Bound: latencyBuckets[i].bound, Native: latencyBuckets[i].native, Count: n}
			if i > 0 {
				b.Above = latencyBuckets[i-1].bound
			}
			if !yield(b) {
				return
			}
		}
	}
}

// Step is a bound of the classic histogram.
type Step struct {
	Bound float64 // s
	Count uint64  // of durations that are not longer
}

// Steps are the bounds of the classic histogram, the shortest first. They are the same for all.
func (h Histogram) Steps() []Step {
	all := make([]Step, 0, len(latencySteps))
	sum := int64(0)
	for i, b := range latencyBuckets {
		if h.counts != nil {
			sum += h.counts[i]
		}
		if n := len(all); n < len(latencySteps) && b.upTo == int64(latencySteps[n]) {
			all = append(all, Step{b.bound, uint64(sum)})
		}
	}
	return all
}

// Quantile is a duration that a share p of all, 0 to 1, did not exceed. It is off by 9 % at most, except that what is longer than 304 s counts as 304 s. Without any it is 0.
func (h Histogram) Quantile(p float64) time.Duration {
	if h.Count <= 0 {
		return 0
	}
	rank := max(1, int64(math.Ceil(min(max(p, 0), 1)*float64(h.Count))))
	for b := range h.Buckets() {
		if rank <= b.Count {
			return time.Duration((b.Above + (b.Bound-b.Above)*float64(rank)/float64(b.Count)) * float64(time.Second))
		}
		rank -= b.Count
	}
	return time.Duration(latencyBuckets[len(latencyBuckets)-1].bound * float64(time.Second))
}

// Mean is the average. Without any it is 0.
func (h Histogram) Mean() time.Duration {
	if h.Count <= 0 {
		return 0
	}
	return h.Sum / time.Duration(h.Count)
}

// Add joins two histograms.
func (h Histogram) Add(o Histogram) Histogram { return h.with(o, 1) }

// Sub is what came after an earlier reading.
func (h Histogram) Sub(earlier Histogram) Histogram { return h.with(earlier, -1) }

func (h Histogram) with(o Histogram, sign int64) Histogram {
	sum := Histogram{Count: h.Count + sign*o.Count, Sum: h.Sum + time.Duration(sign)*o.Sum}
	if h.counts == nil && o.counts == nil {
		return sum
	}
	sum.counts = make([]int64, numLatencyBuckets)
	copy(sum.counts, h.counts)
	for i, n := range o.counts {
		sum.counts[i] += sign * n
	}
	return sum
}

// latency reads what all lanes have counted. Requests go on meanwhile, so Sum may be off by what some of them took; Count is that of the buckets.
func (s *Server) latency() (l Latency) {
	for op := range l.rows {
		for way := range l.rows[op] {
			h := &l.rows[op][way]
			counts := make([]int64, numLatencyBuckets)
			for _, lane := range s.latencies {
				from := &lane[op][way]
				for i := range counts {
					n := from.buckets[i].Load()
					counts[i] += n
					h.Count += n
				}
				h.Sum += time.Duration(from.sum.Load())
			}
			if h.Count > 0 {
				h.counts = counts
			}
		}
	}
	return l
}
