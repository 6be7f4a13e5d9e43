package bench

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var updateGolden = flag.Bool("golden.update", false, "write the golden files of reports anew")

// sampleResult has something in every field.
func sampleResult() *LoadResult {
	cfg := LoadConfig{
		Targets: []string{"10.0.0.1:42424", "10.0.0.2:42424"}, Rate: 2500, WarmUp: 5 * time.Second, Duration: time.Minute,
		Sessions: 1_000_000, HotShare: 10, HotSessions: 5, BodyMin: 512, BodyMax: 65536, Preload: true, Verify: true, Seed: 42,
	}
	cfg.EnsureDefaults()
	return &LoadResult{
		Config:   cfg,
		Started:  time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC),
		Preload:  &PreloadResult{Sessions: 999_998, Refused: 2, ElapsedS: 7.654},
		ElapsedS: 60.504, MeasuredS: 60,
		Pages: []KindLatency{
			{"write", Latency{105_123, 1752.1, 412.3, 301.1, 612.9, 2345.1, 14_021.1, 1_034_000.5}},
			{"unchanged", Latency{3, 0, 250, 250, 999.6, 9995.2, 99_950, 999_500}},
			{kindAll, Latency{105_126, 1752.1, 412.3, 301.1, 612.9, 2345.1, 14_021.1, 61_034_000.5}},
		},
		Requests: []KindLatency{
			{"acquire", Latency{105_223, 1753.7, 120.5, 99.4, 199.5, 401.3, 5012.2, 503_120.4}},
			{"save", Latency{1_105_123, 123_456.7, 115.5, 95.4, 189.5, 391.3, 4912.2, 203_120.4}},
			{kindAll, Latency{1_210_346, 125_210.4, 117.5, 97.4, 194.5, 396.3, 4999.2, 503_120.4}},
		},
		Answers: []AnswerCount{
			{"acquire", 200, 105_123}, {"acquire", 404, 12}, {"acquire", 423, 88},
			{"save", 200, 105_120}, {"save", 400, 1}, {"save", 423, 2},
		},
		BodyBytesSent: 3 << 30, BodyBytesReceived: 5<<20 + 1<<19,
		Polls: 88, LocksBroken: 1, SavesRefused: 2, ConnectionsOpened: 104, ConnectionsReplaced: 4,
		OpenLoop:    &OpenLoopResult{PagesLate: 1021, MaxLateUS: 955_000.1, PagesUnbegun: 17},
		PagesFailed: 21,
		ErrorSamples: []Sample{
			{"acquire: read: timeout", 20},
			{"save: dial: a name server said something that is far too long for one line of a table of 80", 1},
		},
		Verify: &VerifyResult{Bodies: 105_123, Faults: 1, Kinds: []Sample{{errStale.Error(), 1}}},
	}
}

// plainResult has nothing but what is always there.
func plainResult() *LoadResult {
	cfg := LoadConfig{Targets: []string{"127.0.0.1:42424"}, Mode: ModeGet}
	cfg.EnsureDefaults()
	get := Latency{500_000, 50_000, 95, 90, 140, 210, 480, 2100}
	return &LoadResult{
		Config: cfg, ElapsedS: 10.001, MeasuredS: 10, ConnectionsOpened: 50, BodyBytesReceived: 512_000_000,
		Pages:    []KindLatency{{"get", get}, {kindAll, get}},
		Requests: []KindLatency{{"get", get}, {kindAll, get}},
		Answers:  []AnswerCount{{"get", 200, 500_000}},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *updateGolden {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("differs from %s (-golden.update writes it anew); got:\n%s", file, got)
	}
}

func TestTable(t *testing.T) {
	for name, res := range map[string]*LoadResult{"load_full.txt": sampleResult(), "load_plain.txt": plainResult()} {
		var b bytes.Buffer
		if err := res.WriteTable(&b); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > tableWidth {
				t.Errorf("%s: line of %d characters: %s", name, n, line)
			}
		}
		golden(t, name, b.Bytes())
	}
}

// The names are read by other programs.
func TestResultJSON(t *testing.T) {
	b, err := json.MarshalIndent(sampleResult(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "load_full.json", append(b, '\n'))
}

func TestTexts(t *testing.T) {
	for us, want := range map[float64]string{
		0: "0us", 0.5: "0us", 999.4: "999us", 999.5: "1.00ms", 1234: "1.23ms", 9994: "9.99ms", 9995: "10.0ms",
		99_949: "99.9ms", 99_950: "100ms", 999_499: "999ms", 999_500: "1.00s", 61_034_000: "61.03s", 600e6: "600.00s",
	} {
		if got := span(us); got != want {
			t.Errorf("%v us is %s; want %s", us, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 123_456: "123,456", 1_234_567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := number(n); got != want {
			t.Errorf("%d is %s; want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 5 << 19: "2.5 MiB", 3 << 30: "3.0 GiB"} {
		if got := size(n); got != want {
			t.Errorf("%d bytes are %s; want %s", n, got, want)
		}
	}
}

func TestHistogram(t *testing.T) {
	var h, other, none histogram
	if h.latency() != (Latency{}) {
		t.Error("an empty histogram has a latency")
	}
	for i := range 1000 {
		target := &h
		if i%2 == 0 {
			target = &other
		}
		target.record(time.Duration(i+1) * time.Millisecond)
	}
	h.record(time.Hour) // longer than can be told apart
	h.record(-1)        // a clock that went back
	h.merge(&other)
	h.merge(&none)
	l := h.latency()
	if l.Count != 1002 {
		t.Errorf("count is %d; want 1002", l.Count)
	}
	near(t, "p50", l.P50, 500_000)
	near(t, "p90", l.P90, 901_000)
	near(t, "p99", l.P99, 991_000)
	near(t, "max", l.Max, 600e6)
	none.merge(&other)
	near(t, "max of what was empty", none.latency().Max, 999_000)
}
