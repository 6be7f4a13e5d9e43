package bench

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Bounds of what a histogram tells apart. Longer times are counted as the longest; an exchange ends long before that.
const (
	histLowest  = time.Microsecond
	histHighest = 10 * time.Minute
	histDigits  = 3
)

// histogram counts latencies to three digits. The zero value is empty and takes no memory; one that has counted takes about
// 200 KB. Not safe for concurrent use.
type histogram struct {
	h *hdrhistogram.Histogram
}

func (h *histogram) record(d time.Duration) {
	if h.h == nil {
		h.h = hdrhistogram.New(int64(histLowest), int64(histHighest), histDigits)
	}
	// The only error is that of a value out of range.
	_ = h.h.RecordValue(int64(min(max(d, 0), histHighest)))
}

// merge adds what other has counted.
func (h *histogram) merge(other *histogram) {
	if other.h == nil {
		return
	}
	if h.h == nil {
		h.h = hdrhistogram.New(int64(histLowest), int64(histHighest), histDigits)
	}
	h.h.Merge(other.h)
}

// Latency is what a histogram comes to, in microseconds.
type Latency struct {
	Count int64   `json:"count"`
	PerS  float64 `json:"per_s"` // of those that ended in the measured time
	Mean  float64 `json:"mean_us"`
	P50   float64 `json:"p50_us"`
	P90   float64 `json:"p90_us"`
	P99   float64 `json:"p99_us"`
	P999  float64 `json:"p999_us"`
	Max   float64 `json:"max_us"`
}

// latency sums h up, but for PerS.
func (h *histogram) latency() Latency {
	if h.h == nil {
		return Latency{}
	}
	at := func(percentile float64) float64 { return micros(float64(h.h.ValueAtPercentile(percentile))) }
	return Latency{
		Count: h.h.TotalCount(),
		Mean:  micros(h.h.Mean()),
		P50:   at(50),
		P90:   at(90),
		P99:   at(99),
		P999:  at(99.9),
		Max:   micros(float64(h.h.Max())),
	}
}

// micros turns nanoseconds into microseconds with one decimal.
func micros(ns float64) float64 { return math.Round(ns/100) / 10 }

func perSecond(count int64, elapsed time.Duration) float64 {
	if elapsed <= 0 {
		return 0
	}
	return math.Round(float64(count)/elapsed.Seconds()*10) / 10
}
