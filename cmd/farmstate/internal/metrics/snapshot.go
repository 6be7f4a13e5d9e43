package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Snapshots is what there is to tell about snapshots.
type Snapshots struct {
	// Of the latest one that was written.

	Written  time.Time // zero if none has been
	Duration time.Duration
	Sessions int64
	Bytes    int64 // of the file

	Failures int64 // since the start
}

var (
	snapshotWritten  = desc("snapshot_last_success_timestamp_seconds", "When the latest snapshot was written, in seconds since 1970; 0 if none has been since the start.")
	snapshotDuration = desc("snapshot_duration_seconds", "How long the latest snapshot took.")
	snapshotSessions = desc("snapshot_sessions", "Sessions in the latest snapshot.")
	snapshotBytes    = desc("snapshot_bytes", "Length of the latest snapshot.")
	snapshotFailures = desc("snapshot_failures_total", "Snapshots that could not be written.")
)

// snapshots reads the metrics of snapshots.
func snapshots(s Snapshots, ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	written := 0.0
	if !s.Written.IsZero() {
		written = float64(s.Written.UnixMilli()) / 1000
	}
	gauge(snapshotWritten, written)
	gauge(snapshotDuration, s.Duration.Seconds())
	gauge(snapshotSessions, float64(s.Sessions))
	gauge(snapshotBytes, float64(s.Bytes))
	ch <- prometheus.MustNewConstMetric(snapshotFailures, prometheus.CounterValue, float64(s.Failures))
}
