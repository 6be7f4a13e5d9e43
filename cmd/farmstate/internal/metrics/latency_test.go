package metrics

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/farmstate/farmstate/netpoll"
)

// requestOf reads a session that is not there.
func requestOf(t *testing.T, port *netpoll.Server) {
	t.Helper()
	nc, err := net.DialTimeout("tcp", port.Addr().String(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(nc, "GET /none HTTP/1.1\r\nHost: x\r\nTimeout: 20\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(nc).ReadString('\n'); err != nil || !strings.Contains(line, "404") {
		t.Fatalf("%q, %v", line, err)
	}
}

// TestNativeHistogram: our counts make the histogram that Prometheus' own library makes of the same durations.
func TestNativeHistogram(t *testing.T) {
	s := full(t)
	l := s.Network().Latency
	for deadline := time.Now().Add(time.Minute); l.All().Count < 20 && time.Now().Before(deadline); {
		l = s.Network().Latency // the answer is there a moment before it has been counted
	}
	h := l.Of(netpoll.TimedOps()[0], false)
	if h.Count != 20 {
		t.Fatalf("%d requests are counted", h.Count)
	}
	// 1.1 asks for the schema with 8 buckets to each doubling. Each of our buckets is told by its upper bound.
	theirs := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "x", NativeHistogramBucketFactor: 1.1, NativeHistogramZeroThreshold: zeroThreshold, Buckets: bounds(h),
	})
	for b := range h.Buckets() {
		for range b.Count {
			theirs.Observe(b.Bound * (1 - 1e-9)) // clear of rounding
		}
	}
	want, got := new(dto.Metric), new(dto.Metric)
	if err := errors.Join(theirs.Write(want), newHistogram(requestDuration, h, time.Unix(1e9, 0), "get", "no").Write(got)); err != nil {
		t.Fatal(err)
	}
	w, g := want.GetHistogram(), got.GetHistogram()
	g.SampleSum, g.CreatedTimestamp = w.SampleSum, w.CreatedTimestamp // the sum of theirs is of bounds
	if g.String() != w.String() {
		t.Errorf("ours:\n%v\ntheirs:\n%v", g, w)
	}
}

func bounds(h netpoll.Histogram) (all []float64) {
	for _, step := range h.Steps() {
		all = append(all, step.Bound)
	}
	return all
}

// TestFormats: whoever asks for protobuf gets native histograms beside the classic ones, and OpenMetrics is spoken.
func TestFormats(t *testing.T) {
	s := full(t)
	header, body := scrape(t, s, "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	families := map[string]*dto.MetricFamily{}
	decoder := expfmt.NewDecoder(bytes.NewReader(body), expfmt.ResponseFormat(header))
	for {
		f := new(dto.MetricFamily)
		err := decoder.Decode(f)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		families[f.GetName()] = f
	}
	f := families["farmstate_request_duration_seconds"]
	if f.GetType() != dto.MetricType_HISTOGRAM || len(f.GetMetric()) != 2*len(netpoll.TimedOps()) {
		t.Fatalf("no histogram, or not of all: %v", f)
	}
	h := f.GetMetric()[0].GetHistogram()
	if h.GetSchema() != netpoll.LatencySchema || h.GetZeroThreshold() != zeroThreshold || len(h.GetBucket()) == 0 {
		t.Errorf("not native and classic: %v", h)
	}
	spans := 0
	for _, m := range f.GetMetric() {
		spans += len(m.GetHistogram().GetPositiveSpan())
	}
	if spans == 0 {
		t.Error("all native histograms are empty")
	}

	header, body = scrape(t, s, "application/openmetrics-text;version=1.0.0")
	if !strings.HasPrefix(header.Get("Content-Type"), "application/openmetrics-text") || !bytes.HasSuffix(body, []byte("# EOF\n")) {
		t.Errorf("no OpenMetrics but %s", header.Get("Content-Type"))
	}
	header, body = scrape(t, s, "")
	if !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
		t.Errorf("no plain text but %s", header.Get("Content-Type"))
	}
	for _, line := range []string{
		`farmstate_request_duration_seconds_bucket{operation="get",waited="no",le="60"} `,
		`farmstate_request_duration_seconds_count{operation="acquire",waited="yes"} 0`,
		`farmstate_events_total{event="near_miss",level="warn"} 3`, `farmstate_ready 0`, `farmstate_not_ready{reason="draining"} 1`,
	} {
		if !strings.Contains(string(body), line) {
			t.Errorf("%s is missing", line)
		}
	}
}

// TestReady: without a reason a node is ready, and a reason that is given twice is one.
func TestReady(t *testing.T) {
	s := full(t)
	s.NotReady = func() []string { return nil }
	if _, body := scrape(t, s, ""); !strings.Contains(string(body), "\nfarmstate_ready 1\n") || strings.Contains(string(body), "farmstate_not_ready{") {
		t.Error("a node that is ready does not say so")
	}
	s.NotReady = func() []string { return []string{"b", "a", "b"} }
	if header, body := scrape(t, s, ""); strings.Count(string(body), "farmstate_not_ready{") != 2 {
		t.Errorf("%v: %.200s", header, body)
	}
	s.NotReady, s.Events = nil, nil
	if _, body := scrape(t, s, ""); strings.Contains(string(body), "farmstate_ready") || strings.Contains(string(body), "farmstate_events") {
		t.Error("what nobody tells is shown")
	}
}
