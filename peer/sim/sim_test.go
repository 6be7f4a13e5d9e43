package sim

import (
	"bytes"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
)

var (
	seedFlag   = flag.Uint64("sim.seed", 0, "replay this seed")
	fromFlag   = flag.Uint64("sim.from", 1, "the first seed")
	seedsFlag  = flag.Int("sim.seeds", 0, "how many seeds; 0 means a few hundred, or fewer with -short")
	engineFlag = flag.Bool("sim.engine", false, "real engines in all farms")
	traceFlag  = flag.Bool("sim.v", false, "print what happens")
)

// seeds returns the first seed and how many there are.
func seeds(normal int) (from uint64, n int) {
	switch {
	case *seedFlag != 0:
		return *seedFlag, 1
	case *seedsFlag != 0:
		return *fromFlag, *seedsFlag
	case testing.Short():
		return *fromFlag, normal / 5
	}
	return *fromFlag, normal
}

func TestSim(t *testing.T) {
	from, n := seeds(400)
	begun := time.Now()
	steps, failed := 0, 0
	total := Result{Answers: map[engine.Status]int{}, Notices: map[core.Event]int{}}
	for seed := from; seed < from+uint64(n); seed++ {
		opt := Random(seed)
		opt.Engine = opt.Engine || *engineFlag
		if *traceFlag {
			opt.Trace = os.Stderr
			t.Logf("%+v", opt)
		}
		r := Run(opt)
		steps += r.Steps
		total.add(&r)
		if r.Err != nil {
			t.Errorf("%v\n\treplay with: go test ./peer/sim -run TestSim -sim.seed=%d -sim.v", r.Err, seed)
			if failed++; failed == 10 {
				break
			}
		}
	}
	t.Logf("%+v", total)
	t.Logf("%d seeds, %d steps, %.0f seeds/s", n, steps, float64(n)/time.Since(begun).Seconds())
}

// add adds up what simulations have come to.
func (r *Result) add(o *Result) {
	r.Steps += o.Steps
	r.Messages += o.Messages
	r.Asked += o.Asked
	r.Crashes += o.Crashes
	r.Leaves += o.Leaves
	r.Resurrected += o.Resurrected
	for k, n := range o.Answers {
		r.Answers[k] += n
	}
	for k, n := range o.Notices {
		r.Notices[k] += n
	}
	r.Counts.Add(o.Counts)
}

// TestSameSeed: a seed says everything.
func TestSameSeed(t *testing.T) {
	for _, seed := range []uint64{3, 14, 24, 41} {
		for _, engines := range []bool{false, true} {
			var traces [2]bytes.Buffer
			for i := range traces {
				opt := Random(seed)
				opt.Engine = engines
				opt.Trace = &traces[i]
				Run(opt)
			}
			if traces[0].Len() == 0 || !bytes.Equal(traces[0].Bytes(), traces[1].Bytes()) {
				t.Errorf("seed %d, engines %v: two runs differ", seed, engines)
			}
		}
	}
}
