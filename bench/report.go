package bench

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// LoadResult is what a run has measured, without its warm-up unless a field says otherwise. As JSON its names stay as they are;
// units are part of them.
type LoadResult struct {
	Config    LoadConfig     `json:"config"` // with defaults filled in
	Started   time.Time      `json:"started"`
	Preload   *PreloadResult `json:"preload,omitempty"`
	ElapsedS  float64        `json:"elapsed_s"`  // until the last page had ended
	MeasuredS float64        `json:"measured_s"` // what rates are made of: the time in which pages were begun

	// Latency of pages counts from when they were due, and includes every wait for a lock; failed pages are in it. Latency of
	// requests counts from when they were sent, and has only those that were answered. The last entry of both is the sum, named
	// "all". Kinds that did not occur are left out.

	Pages    []KindLatency `json:"pages"`
	Requests []KindLatency `json:"requests"`
	Answers  []AnswerCount `json:"answers"`

	BodyBytesSent     int64 `json:"body_bytes_sent"`
	BodyBytesReceived int64 `json:"body_bytes_received"`

	Polls               int64 `json:"polls"`         // requests repeated because the session was locked
	LocksBroken         int64 `json:"locks_broken"`  // by pages that took them for dead
	SavesRefused        int64 `json:"saves_refused"` // answered 404 or 423, which ASP.NET does not look at
	ConnectionsOpened   int64 `json:"connections_opened"`
	ConnectionsReplaced int64 `json:"connections_replaced"` // found closed when they were used again; the request was sent once more

	OpenLoop *OpenLoopResult `json:"open_loop,omitempty"`

	PagesFailed  int64    `json:"pages_failed"`
	ErrorSamples []Sample `json:"error_samples"` // most frequent first; at most 16 different ones, and "others"

	Verify *VerifyResult `json:"verify,omitempty"`
}

// KindLatency is the latency of one kind of page or request.
type KindLatency struct {
	Kind string `json:"kind"`
	Latency
}

// AnswerCount is how often a kind of request was answered with a status.
type AnswerCount struct {
	Request string `json:"request"`
	Status  int    `json:"status"`
	Count   int64  `json:"count"`
}

// OpenLoopResult is how well a fixed rate could be kept.
type OpenLoopResult struct {
	PagesLate    int64   `json:"pages_late"`    // began more than 1 ms after they were due, because all connections were busy
	MaxLateUS    float64 `json:"max_late_us"`   // the latest beginning
	PagesUnbegun int64   `json:"pages_unbegun"` // due, and never begun: the rate was too high
}

// VerifyResult is what LoadConfig.Verify has found, the warm-up included.
type VerifyResult struct {
	Bodies int64    `json:"bodies"` // looked at; without the warm-up
	Faults int64    `json:"faults"`
	Kinds  []Sample `json:"kinds"`
}

// Sample is a text and how often it occurred.
type Sample struct {
	Text  string `json:"text"`
	Count int64  `json:"count"`
}

// kindAll names the sum of all kinds.
const kindAll = "all"

// result sums up what the workers have counted. They have all ended.
func (r *run) result(now time.Time) *LoadResult {
	var t tally
	var last time.Time
	for _, rec := range r.recorders {
		rec.mu.Lock()
		t.add(&rec.measured)
		if rec.last.After(last) {
			last = rec.last
		}
		rec.mu.Unlock()
	}
	elapsed := max(0, last.Sub(r.measureFrom))
	window := elapsed
	if r.pace.over(last) {
		window = r.pace.end.Sub(r.measureFrom)
	}
	res := &LoadResult{
		Config:    r.cfg,
		Started:   r.pace.start,
		ElapsedS:  seconds(elapsed),
		MeasuredS: seconds(window),
		Pages:     latencies(t.pages[:], window, func(i int) string { return pageKind(i).String() }),
		Requests:  latencies(t.ops[:], window, func(i int) string { return opKind(i).String() }),
		Answers:   t.answerCounts(),

		BodyBytesSent:       t.sent,
		BodyBytesReceived:   t.received,
		Polls:               t.polls,
		LocksBroken:         t.broken,
		SavesRefused:        t.refused,
		ConnectionsOpened:   t.dialled,
		ConnectionsReplaced: t.replaced,
		PagesFailed:         t.failed,
		ErrorSamples:        t.errors.list(),
	}
	if r.cfg.Rate > 0 {
		res.OpenLoop = &OpenLoopResult{
			PagesLate:    t.late,
			MaxLateUS:    micros(float64(t.maxLate)),
			PagesUnbegun: r.pace.unstarted(now),
		}
	}
	if r.cfg.Verify {
		res.Verify = &VerifyResult{Bodies: t.checked, Faults: t.faults.total, Kinds: t.faults.list()}
	}
	return res
}

// latencies sums up each kind that occurred, and all of them.
func latencies(kinds []kindTally, window time.Duration, name func(int) string) []KindLatency {
	list := []KindLatency{}
	var all kindTally
	for i := range kinds {
		if kinds[i].times.h == nil {
			continue
		}
		list = append(list, KindLatency{Kind: name(i), Latency: kinds[i].latency(window)})
		all.add(&kinds[i])
	}
	return append(list, KindLatency{Kind: kindAll, Latency: all.latency(window)})
}

func (t *tally) answerCounts() []AnswerCount {
	list := []AnswerCount{}
	for op := range t.answers {
		for _, s := range [...]wire.Status{wire.StatusOK, wire.StatusBadRequest, wire.StatusNotFound, wire.StatusLocked} {
			if n := t.answers[op][s]; n > 0 {
				list = append(list, AnswerCount{Request: opKind(op).String(), Status: statusCodes[s], Count: n})
			}
		}
	}
	return list
}

// list returns what has been counted, most frequent first.
func (s *samples) list() []Sample {
	list := []Sample{}
	for text, n := range s.byTxt {
		list = append(list, Sample{Text: text, Count: n})
	}
	slices.SortFunc(list, func(a, b Sample) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Text, b.Text))
	})
	if s.other > 0 {
		list = append(list, Sample{Text: "others", Count: s.other})
	}
	return list
}

// seconds turns d into seconds with three decimals.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1e3) / 1e3 }
