package metrics

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/appkey"
	"github.com/farmstate/farmstate/netpoll"
)

// gather reads the metrics of a node whose counts are those of e and n.
func gather(t *testing.T, e engine.Stats, n netpoll.Stats) []*dto.MetricFamily {
	t.Helper()
	families, err := New(Sources{
		Engine:  func() engine.Stats { return e },
		Network: func() netpoll.Stats { return n },
		Dropped: func() int64 { return 3 },
		Build:   prometheus.Labels{"version": "1.2.3"},
	}).Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// value finds one series by its name and the values of its labels.
func value(families []*dto.MetricFamily, name string, labels ...string) (float64, bool) {
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, l.GetValue())
			}
			slices.Sort(have)
			want := slices.Sorted(slices.Values(labels))
			if slices.Equal(have, want) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue(), true
			}
		}
	}
	return 0, false
}

// TestValues: each count is shown under its name.
func TestValues(t *testing.T) {
	e := engine.Stats{Sessions: 1, Bytes: 2, MaxMemory: 3, Locked: 4, Waiting: 5, Queued: 6, Created: 7, Removed: 8, Expired: 9,
		Granted: 10, WaitTimeouts: 11, Identical: 12, LocksLeft: 13}
	e.Answers[engine.Acquire][engine.Locked] = 14
	e.Answers[engine.Leave][engine.OK] = 15
	e.NearMisses[appkey.PathCase] = 16
	n := netpoll.Stats{Connections: 20, MaxConnections: 21, OutputBytes: 22, IntakeBytes: 23, Opened: 24, AcceptErrors: 25, Stalled: 26, Truncated: 27,
		Malformed: map[string]int64{"bad_byte": 28}, Closed: map[string]int64{"idle": 29}}
	families := gather(t, e, n)
	for _, v := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{1, "farmstate_sessions", nil}, {2, "farmstate_session_memory_bytes", nil}, {3, "farmstate_session_memory_limit_bytes", nil},
		{4, "farmstate_sessions_locked", nil}, {5, "farmstate_lock_waiters", nil}, {6, "farmstate_requests_queued", nil},
		{7, "farmstate_sessions_created_total", nil}, {8, "farmstate_sessions_removed_total", nil}, {9, "farmstate_sessions_expired_total", nil},
		{10, "farmstate_lock_waits_granted_total", nil}, {11, "farmstate_lock_wait_timeouts_total", nil}, {12, "farmstate_saves_identical_total", nil},
		{13, "farmstate_locks_left_total", nil}, {14, "farmstate_operations_total", []string{"acquire", "locked"}},
		{15, "farmstate_operations_total", []string{"leave", "ok"}}, {0, "farmstate_operations_total", []string{"set", "refused"}},
		{16, "farmstate_near_misses_total", []string{"path_case"}}, {0, "farmstate_near_misses_total", []string{"site_id"}},
		{20, "farmstate_connections", nil}, {21, "farmstate_connections_limit", nil}, {22, "farmstate_output_queued_bytes", nil},
		{23, "farmstate_input_pending_bytes", nil}, {24, "farmstate_connections_opened_total", nil}, {25, "farmstate_accept_errors_total", nil},
		{26, "farmstate_stalled_requests_total", nil}, {27, "farmstate_truncated_requests_total", nil},
		{28, "farmstate_malformed_requests_total", []string{"bad_byte"}}, {29, "farmstate_connections_closed_total", []string{"idle"}},
		{3, "farmstate_notices_dropped_total", nil}, {1, "farmstate_build_info", []string{"1.2.3"}},
	} {
		if got, ok := value(families, v.name, v.labels...); !ok || got != v.want {
			t.Errorf("%s%v is %v, %v; want %v", v.name, v.labels, got, ok, v.want)
		}
	}
	if _, ok := value(families, "farmstate_operations_total", "leave", "locked"); ok {
		t.Error("a series for what clients cannot do and nobody did")
	}
	if _, ok := value(families, "go_goroutines"); !ok {
		t.Error("no metrics of the runtime")
	}
}

// TestNames: our names follow the conventions of Prometheus.
func TestNames(t *testing.T) {
	families := gather(t, engine.Stats{}, netpoll.Stats{})
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, f := range families {
		name := f.GetName()
		if !strings.HasPrefix(name, "farmstate_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("name %s", name)
		}
	}
}
