package metrics

import (
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/appkey"
	"github.com/farmstate/farmstate/netpoll"
	"github.com/farmstate/farmstate/peer"
)

// Sources is where the metrics are read when somebody asks for them.
type Sources struct {
	Engine  func() engine.Stats
	Network func() netpoll.Stats
	Farm    func() peer.Stats // nil without a farm
	// Snapshots is nil without a directory for them.
	Snapshots func() Snapshots
	Dropped   func() int64 // notices that were not logged
	// Events counts events by what they are; nil shows none.
	Events func() map[EventKey]int64
	// NotReady is why the node is not ready, as /readyz says: each reason one of a few words; none if it is ready. Nil shows nothing about it.
	NotReady func() []string
	Now      func() time.Time // nil is time.Now
	Build    prometheus.Labels
}

// New is a registry with the metrics of the node, of the process and of the
// Go runtime.
func New(s Sources) *prometheus.Registry {
	if s.Now == nil {
		s.Now = time.Now
	}
	r := prometheus.NewRegistry()
	r.MustRegister(
		&collector{s, s.Now()},
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(
			collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/cpu/classes/gc/total:cpu-seconds$`)}, // the collector's share
		)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

// collector reads all sources once for each scrape: so no counter is kept
// twice, and serving a request costs nothing here.
type collector struct {
	Sources
	started time.Time // the counts are of the time since then, or a moment longer
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("farmstate_"+name, help, labels, nil)
}

var (
	sessions      = desc("sessions", "Sessions that the node holds.")
	sessionBytes  = desc("session_memory_bytes", "Memory that sessions take, and bodies on their way in.")
	memoryLimit   = desc("session_memory_limit_bytes", "Memory that sessions may take (max_memory); 0 is no limit.")
	locked        = desc("sessions_locked", "Sessions that are locked.")
	waiting       = desc("lock_waiters", "Requests that wait for the lock of a session.")
	queued        = desc("requests_queued", "Requests that are queued for a session.")
	operations    = desc("operations_total", "Operations on sessions, by kind and outcome.", "operation", "outcome")
	created       = desc("sessions_created_total", "Sessions that were created.")
	removed       = desc("sessions_removed_total", "Sessions that were removed by their application.")
	expired       = desc("sessions_expired_total", "Sessions whose time was up.")
	granted       = desc("lock_waits_granted_total", "Waits for a lock that ended with the lock.")
	waitTimeouts  = desc("lock_wait_timeouts_total", "Waits for a lock that ended at lock_wait.")
	identical     = desc("saves_identical_total", "Saves that changed nothing.")
	locksLeft     = desc("locks_left_total", "Locks that were left behind (stale_lock).")
	nearMisses    = desc("near_misses_total", "Requests for a session that lives under another application key, by probable cause.", "cause")
	connections   = desc("connections", "Connections to the state port.")
	connLimit     = desc("connections_limit", "Connections that may be open at one time.")
	opened        = desc("connections_opened_total", "Connections that were accepted.")
	closed        = desc("connections_closed_total", "Connections that ended, by reason.", "reason")
	acceptErrors  = desc("accept_errors_total", "Failures to accept a connection.")
	malformed     = desc("malformed_requests_total", "Requests that were malformed and answered 400, by reason.", "reason")
	stalled       = desc("stalled_requests_total", "Requests that stopped arriving and were dropped.")
	truncated     = desc("truncated_requests_total", "Requests whose connection ended inside them.")
	outputBytes   = desc("output_queued_bytes", "Answers that clients have not taken yet.")
	intakeBytes   = desc("input_pending_bytes", "Bodies of saves that are still arriving.")
	faults        = desc("faults_total", "Faults of farmstate itself that were survived, in the serving of requests; the log has them.")
	wallClock     = desc("time_seconds", "What the clock of the machine says, in seconds since 1970.")
	noticeDropped = desc("notices_dropped_total", "Notices that were not logged because too many came at once.")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(c, ch)
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	ch <- prometheus.MustNewConstMetric(
		prometheus.NewDesc("farmstate_build_info", "Always 1; the labels say what was built.", nil, c.Build),
		prometheus.GaugeValue, 1)

	e := c.Engine()
	gauge(sessions, e.Sessions)
	gauge(sessionBytes, e.Bytes)
	gauge(memoryLimit, e.MaxMemory)
	gauge(locked, e.Locked)
	gauge(waiting, e.Waiting)
	gauge(queued, e.Queued)
	for _, op := range engine.Ops() {
		for _, status := range engine.Statuses() {
			if n := e.Answers[op][status]; n > 0 || possible(op, status) {
				counter(operations, n, op.String(), status.String())
			}
		}
	}
	counter(created, e.Created)
	counter(removed, e.Removed)
	counter(expired, e.Expired)
	counter(granted, e.Granted)
	counter(waitTimeouts, e.WaitTimeouts)
	counter(identical, e.Identical)
	counter(locksLeft, e.LocksLeft)
	for cause := appkey.None + 1; int(cause) < len(e.NearMisses); cause++ {
		counter(nearMisses, e.NearMisses[cause], cause.String())
	}

	n := c.Network()
	gauge(connections, n.Connections)
	gauge(connLimit, n.MaxConnections)
	counter(opened, n.Opened)
	for reason, count := range n.Closed {
		counter(closed, count, reason)
	}
	counter(acceptErrors, n.AcceptErrors)
	for reason, count := range n.Malformed {
		counter(malformed, count, reason)
	}
	counter(stalled, n.Stalled)
	counter(truncated, n.Truncated)
	gauge(outputBytes, n.OutputBytes)
	gauge(intakeBytes, n.IntakeBytes)

	counter(faults, n.Panics)
	c.latency(n.Latency, ch)

	counter(noticeDropped, c.Dropped())
	ch <- prometheus.MustNewConstMetric(wallClock, prometheus.GaugeValue, float64(c.Now().UnixMilli())/1000)
	if c.Events != nil {
		for key, count := range c.Events() {
			counter(events, count, key.Event, key.Level)
		}
	}
	if c.NotReady != nil {
		health(c.NotReady(), gauge)
	}

	counter(farmCuts, e.FarmCuts, "timeout")
	counter(farmCuts, e.TransferCuts, "contention")
	if c.Farm != nil {
		s := c.Farm()
		farm(s, gauge, counter)
		copies(s, e.Mirrored, gauge, counter)
	}
	if c.Snapshots != nil {
		snapshots(c.Snapshots(), ch)
	}
}

// possible reports whether an operation of a client can have the outcome. Such
// series exist from the start, so that a rate over them is right from the
// first event on; the others are shown only when they have happened.
func possible(op engine.Op, status engine.Status) bool {
	switch status {
	case engine.OK:
		return op != engine.Leave
	case engine.Locked:
		return op != engine.Touch && op != engine.Leave
	case engine.NotFound:
		return op != engine.Set && op != engine.Leave
	case engine.NoCookie:
		return op == engine.Release
	case engine.Refused:
		return op == engine.Set
	}
	return op != engine.Leave && status != engine.Sought
}
