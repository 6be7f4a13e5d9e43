package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/bench/proc"
)

var updateGolden = flag.Bool("golden.update", false, "write the golden files anew")

// sampleResult is a run of three rounds in which the machine was slow for one.
func sampleResult(getFactor float64) *result {
	opt := &options{Connections: 50, Body: 1024, Sessions: 10_000, Rounds: 3, Window: 5 * time.Second, Loops: 1}
	r := newResult(opt)
	r.Date = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	r.Command = []string{"compare", "--json", "out.json"}
	r.Machine = proc.Machine{CPU: "Some Processor 9000", Cores: 2, GOMAXPROCS: 2, Kernel: "6.1.0", OS: "linux", Arch: "amd64", Go: "go1.26.8"}
	for round, slow := range []float64{1, 1.7, 1} {
		add := func(server, name string, perRun int, cpu float64) {
			cpu *= slow * (1 + float64(round)/100)
			n := int64(1_000_000 / cpu * 4)
			w := &workload{server: server, name: name, steps: make([]step, perRun)}
			r.add(w, newSample(time.Duration(float64(n)*cpu*1e3), 5*time.Second, n, perRun))
		}
		add("redis", "cycle", 2, 9.7)
		add("farmstate", "get", 1, 3.9*getFactor)
		add("farmstate", "cycle", 2, 4.6)
		add("farmstate", "put", 1, 4.4)
		add("bare", "get", 1, 3.9)
		add("bare", "put", 1, 3.8)
		add("redis", "get", 1, 4.8)
	}
	r.skip("memcached", "memcached: not installed")
	r.finish()
	return r
}

func TestTable(t *testing.T) {
	r := sampleResult(1)
	var b bytes.Buffer
	if err := r.writeTable(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > 81 {
			t.Errorf("line of %d characters: %s", len(line), line)
		}
	}
	golden(t, "table.txt", b.Bytes())
	j, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "result.json", append(j, '\n'))
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

// A round in which the machine is slow must not decide, and a limit is kept or broken to the third decimal.
func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		factor float64
		want   string
	}{{0.5, pass}, {1, pass}, {1.25, pass}, {1.252, fail}, {3, fail}} {
		r := sampleResult(test.factor)
		if got := r.Ratios[0].Verdict; got != test.want {
			t.Errorf("%v times the other: %s; want %s", test.factor, got, test.want)
		}
		if r.broken() != (test.want == fail) {
			t.Errorf("%v times the other: broken is %v", test.factor, r.broken())
		}
	}
}

// What was not measured is neither kept nor broken, and is said to be neither. A server that answered nothing has failed.
func TestVerdictWithoutMeasurement(t *testing.T) {
	r := newResult(&options{})
	r.finish()
	for _, v := range r.Ratios {
		if v.Verdict != notMeasured {
			t.Errorf("%s: %s", v.Name, v.Verdict)
		}
	}
	if len(r.Ratios) != len(promises) || r.broken() {
		t.Errorf("%d verdicts, broken is %v", len(r.Ratios), r.broken())
	}
	for _, server := range []string{"farmstate", "bare"} {
		r.add(&workload{server: server, name: "get", steps: make([]step, 1)}, newSample(time.Second, time.Second, 0, 1))
	}
	r.finish()
	if r.Ratios[0].Verdict != fail {
		t.Errorf("nothing was answered: %s", r.Ratios[0].Verdict)
	}
}

func TestNewSample(t *testing.T) {
	s := newSample(2*time.Second, 4*time.Second, 400_000, 2)
	if s != (sample{CPUPerRun: 10, CPUPerRequest: 5, RequestsPerS: 100_000, CoresInUse: 0.5, Requests: 400_000}) {
		t.Errorf("%+v", s)
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 100}, 3}} {
		if got := median(test.in); got != test.want {
			t.Errorf("%v: %v; want %v", test.in, got, test.want)
		}
	}
}

// Every round must have every turn once, and rounds must not all begin with the same.
func TestRotate(t *testing.T) {
	turns := make([]turn, 10)
	for i := range turns {
		turns[i].workload = &workload{name: strconv.Itoa(i)}
	}
	for rounds := 1; rounds <= 12; rounds++ {
		first := make(map[string]bool)
		for round := range rounds {
			order := rotate(turns, round, rounds)
			seen := make(map[string]bool)
			for _, turn := range order {
				seen[turn.workload.name] = true
			}
			if len(order) != 10 || len(seen) != 10 {
				t.Fatalf("round %d of %d: %d turns, %d of them different", round, rounds, len(order), len(seen))
			}
			first[order[0].workload.name] = true
		}
		if want := min(rounds, 3); len(first) < want {
			t.Errorf("%d rounds begin in %d ways", rounds, len(first))
		}
	}
	if rotate(nil, 1, 3) != nil {
		t.Error("turns out of nothing")
	}
}

func TestOptions(t *testing.T) {
	good := options{Connections: 50, Body: 1024, Sessions: 10_000, Rounds: 3, Window: time.Second}
	if err := good.validate(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*options){
		"connections": func(o *options) { o.Connections = 0 },
		"body":        func(o *options) { o.Body = 7 },
		"sessions":    func(o *options) { o.Sessions = 49 },
		"rounds":      func(o *options) { o.Rounds = 0 },
		"window":      func(o *options) { o.Window = 0 },
		"loops":       func(o *options) { o.Loops = -1 },
		"nginx":       func(o *options) { o.Only = []string{"nginx"} },
	} {
		o := good
		spoil(&o)
		if err := o.validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
