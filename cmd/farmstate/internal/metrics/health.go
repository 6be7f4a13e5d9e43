package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	ready    = desc("ready", "1 while /readyz says that the node takes requests, otherwise 0.")
	notReady = desc("not_ready", "1 for each reason for which the node is not ready; a reason that does not hold is missing.", "reason")
)

// health shows whether the node is ready, and why not.
func health(reasons []string, gauge func(*prometheus.Desc, int64, ...string)) {
	gauge(ready, number(len(reasons) == 0))
	for _, reason := range slices.Compact(slices.Sorted(slices.Values(reasons))) {
		gauge(notReady, 1, reason)
	}
}
