package sim

import (
	"bytes"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
)

// regressions are seeds that have found something once. What a seed does changes with the simulator, so they are no proof; see peer/core for scripts.
var regressions = []uint64{829, 2427, 2936, 2978, 3491, 4680, 4753, 5026, 8460, 9448, 9616, 12526, 12956, 13156, 15407, 16511, 20331}

// TestSimCopies runs farms whose nodes have copies of each other's sessions.
func TestSimCopies(t *testing.T) {
	from, n := seeds(400)
	var extra []uint64
	if *seedFlag == 0 && *fromFlag == 1 {
		extra = regressions
	}
	begun := time.Now()
	var mu sync.Mutex
	var next atomic.Uint64
	failed := 0
	total := MeshResult{Answers: map[engine.Status]int{}, Notices: map[core.Event]int{}}
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= uint64(len(extra)+n) {
					return
				}
				var seed uint64
				if i < uint64(len(extra)) {
					seed = extra[i]
				} else {
					seed = from + i - uint64(len(extra))
				}
				opt := RandomMesh(seed)
				if *traceFlag {
					opt.Trace = os.Stderr
					t.Logf("%+v", opt)
				}
				r := RunMesh(opt)
				mu.Lock()
				total.add(&r)
				if r.Err != nil {
					t.Errorf("%v\n\treplay with: go test ./peer/sim -run TestSimCopies -sim.seed=%d -sim.v", r.Err, seed)
					failed++
				}
				stop := failed >= 10
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%+v", total)
	t.Logf("%d seeds, %d steps, %.0f seeds/s", n, total.Steps, float64(n)/time.Since(begun).Seconds())
}

// add adds up what simulations have come to.
func (r *MeshResult) add(o *MeshResult) {
	r.Steps += o.Steps
	r.Messages += o.Messages
	r.Asked += o.Asked
	r.Crashes += o.Crashes
	r.Freezes += o.Freezes
	r.Breaks += o.Breaks
	r.Cuts += o.Cuts
	r.Partitions += o.Partitions
	r.Leaves += o.Leaves
	r.Cycles += o.Cycles
	r.Loosened += o.Loosened
	r.Quarantined += o.Quarantined
	r.Settling = max(r.Settling, o.Settling)
	for k, n := range o.Answers {
		r.Answers[k] += n
	}
	for k, n := range o.Notices {
		r.Notices[k] += n
	}
	r.Counts.Add(o.Counts)
}

// TestSameMesh: a seed says everything.
func TestSameMesh(t *testing.T) {
	for seed := uint64(1); seed <= 6; seed++ {
		var traces [2]bytes.Buffer
		for i := range traces {
			opt := RandomMesh(seed)
			opt.Trace = &traces[i]
			RunMesh(opt)
		}
		if traces[0].Len() == 0 || !bytes.Equal(traces[0].Bytes(), traces[1].Bytes()) {
			t.Errorf("seed %d: two runs differ", seed)
		}
	}
}
