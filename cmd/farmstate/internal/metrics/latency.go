package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/farmstate/farmstate/netpoll"
)

var requestDuration = desc("request_duration_seconds",
	"How long requests took, from their first byte to their answer, by operation; waited says whether they had to wait for a lock, another node or a copy.",
	"operation", "waited")

// zeroThreshold is the end of netpoll's first bucket, in seconds: what is faster lies in the zero bucket of the native histogram.
const zeroThreshold = 1.0 / (1 << 20)

// latency shows how long requests took, as native histograms with classic ones beside them: who asks for protobuf gets both, who asks for text the
// classic ones.
func (c *collector) latency(l netpoll.Latency, ch chan<- prometheus.Metric) {
	for _, op := range netpoll.TimedOps() {
		for _, waited := range []bool{false, true} {
			word := "no"
			if waited {
				word = "yes"
			}
			ch <- newHistogram(requestDuration, l.Of(op, waited), c.started, op.String(), word)
		}
	}
}

// histogram is a native histogram with classic buckets.
type histogram struct {
	prometheus.Metric
	h netpoll.Histogram
}

func newHistogram(d *prometheus.Desc, h netpoll.Histogram, started time.Time, labels ...string) prometheus.Metric {
	var zero uint64
	native := map[int]int64{}
	for b := range h.Buckets() {
		if b.Bound <= zeroThreshold {
			zero = uint64(b.Count)
			continue
		}
		native[b.Native] += b.Count
	}
	m, err := prometheus.NewConstNativeHistogram(d, uint64(h.Count), h.Sum.Seconds(), native, nil, zero, netpoll.LatencySchema, zeroThreshold, started, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return histogram{m, h}
}

// Write implements prometheus.Metric.
func (m histogram) Write(out *dto.Metric) error {
	if err := m.Metric.Write(out); err != nil {
		return err
	}
	for _, b := range m.h.Steps() {
		out.Histogram.Bucket = append(out.Histogram.Bucket, &dto.Bucket{UpperBound: &b.Bound, CumulativeCount: &b.Count})
	}
	return nil
}
