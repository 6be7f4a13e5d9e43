package top

import (
	"maps"
	"math"
	"slices"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
)

// Figures are what a node did between two looks at it.
type Figures struct {
	PerSecond float64 // requests; NaN = not known
	P50, P99  float64 // in seconds; NaN = there were no requests
	counts    map[float64]int64
}

// unknown is what is known of a node that was seen once, or has been started again in between: nothing.
func unknown() Figures { return Figures{PerSecond: math.NaN(), P50: math.NaN(), P99: math.NaN()} }

// Since is what a node did since it was started. Its PerSecond is the mean over all this time.
func Since(s *api.Status) Figures {
	return figures(histogram(s), s.Uptime)
}

// Between is what a node did between two looks.
func Between(before, after *api.Status) Figures {
	seconds := after.Now.Sub(before.Now).Seconds() // both by its own clock
	if !before.Started.Equal(after.Started) || before.Node != after.Node || seconds <= 0 {
		return unknown()
	}
	counts := histogram(after)
	for le, n := range histogram(before) {
		if counts[le] -= n; counts[le] < 0 {
			return unknown()
		}
	}
	return figures(counts, seconds)
}

// Sum is what several nodes did together.
func Sum(all []Figures) Figures {
	sum := Figures{PerSecond: math.NaN(), counts: map[float64]int64{}}
	for _, f := range all {
		if math.IsNaN(f.PerSecond) {
			continue
		}
		if math.IsNaN(sum.PerSecond) {
			sum.PerSecond = 0
		}
		sum.PerSecond += f.PerSecond
		for le, n := range f.counts {
			sum.counts[le] += n
		}
	}
	sum.P50, sum.P99 = quantile(sum.counts, 0.5), quantile(sum.counts, 0.99)
	return sum
}

// histogram counts the requests of all operations by the upper bound of how long they took.
func histogram(s *api.Status) map[float64]int64 {
	counts := map[float64]int64{}
	for _, l := range s.Latency {
		for _, b := range l.Buckets {
			counts[b.Le] += b.Count
		}
	}
	return counts
}

func figures(counts map[float64]int64, seconds float64) Figures {
	var all int64
	for _, n := range counts {
		all += n
	}
	f := Figures{PerSecond: float64(all) / seconds, P50: quantile(counts, 0.5), P99: quantile(counts, 0.99), counts: counts}
	if seconds <= 0 {
		f.PerSecond = math.NaN()
	}
	return f
}

// quantile is the upper bound of the bucket that has the request of this rank, so never less than what is asked for.
func quantile(counts map[float64]int64, q float64) float64 {
	var all, below int64
	for _, n := range counts {
		all += n
	}
	if all == 0 {
		return math.NaN()
	}
	rank := max(1, int64(math.Ceil(q*float64(all))))
	for _, le := range slices.Sorted(maps.Keys(counts)) {
		if below += counts[le]; below >= rank {
			return le
		}
	}
	return math.NaN() // not reached
}
