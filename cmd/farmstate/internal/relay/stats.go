package relay

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are counted in microseconds up to this.
const maxLatency = 10 * time.Minute

// stats counts what passed.
type stats struct {
	mu       sync.Mutex
	ops      map[string]*hdrhistogram.Histogram
	refusals int64
	missing  int64
}

func (s *stats) answered(op string, latency time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ops == nil {
		s.ops = map[string]*hdrhistogram.Histogram{}
	}
	h := s.ops[op]
	if h == nil {
		h = hdrhistogram.New(1, maxLatency.Microseconds(), 3)
		s.ops[op] = h
	}
	us := min(max(latency.Microseconds(), 0), maxLatency.Microseconds())
	_ = h.RecordValue(us) // it is in range
}

func (s *stats) refused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals++
}

func (s *stats) unanswered(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing += int64(n)
}

// Summary is what passed a relay. Times are in milliseconds, from the last byte of a request that went on to the end of the answer's head.
type Summary struct {
	Connections int64       `json:"connections"`
	Exchanges   int64       `json:"exchanges"`  // requests with their answers
	Unanswered  int64       `json:"unanswered"` // requests whose connection ended first
	Refused     int64       `json:"refused"`    // requests that the relay answered 400, because no target could
	Operations  []Operation `json:"operations"`
	NotShown    int64       `json:"not_shown"` // messages that the display missed, because its reader was slow
}

// Operation is the summary of one kind of request: a verb, acquire or release, or other for what is not the protocol.
type Operation struct {
	Name      string  `json:"name"`
	Exchanges int64   `json:"exchanges"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`
}

func (s *stats) summary(conns int64) Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := Summary{Connections: conns, Unanswered: s.missing, Refused: s.refusals, Operations: []Operation{}}
	for _, op := range slices.Sorted(maps.Keys(s.ops)) {
		h := s.ops[op]
		ms := func(us int64) float64 { return float64(us) / 1000 }
		sum.Exchanges += h.TotalCount()
		sum.Operations = append(sum.Operations, Operation{op, h.TotalCount(), ms(h.ValueAtQuantile(50)), ms(h.ValueAtQuantile(99)), ms(h.Max())})
	}
	return sum
}

// Write writes the summary as a table.
func (s Summary) Write(w io.Writer) error {
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "%d connections, %d exchanges", s.Connections, s.Exchanges) // it cannot fail; nor do the following
	for _, extra := range []struct {
		n    int64
		what string
	}{{s.Unanswered, "requests without an answer"}, {s.Refused, "refused by the relay"}, {s.NotShown, "messages not shown"}} {
		if extra.n > 0 {
			_, _ = fmt.Fprintf(&text, ", %d %s", extra.n, extra.what)
		}
	}
	text.WriteByte('\n')
	if len(s.Operations) > 0 {
		_, _ = fmt.Fprintf(&text, "%-10s %10s %12s %12s %12s\n", "", "exchanges", "p50", "p99", "max")
	}
	for _, op := range s.Operations {
		_, _ = fmt.Fprintf(&text, "%-10s %10d %9.3f ms %9.3f ms %9.3f ms\n", op.Name, op.Exchanges, op.P50, op.P99, op.Max)
	}
	_, err := io.WriteString(w, text.String())
	return err
}
