package bench

import (
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// The gate: no hot path may allocate, or take more time than its budget. Time is compared as a ratio to a calibration workload of the same
// run, so that a slow machine does not fail it, and as the least of many short measurements, so that a busy one rarely does.

var gateTimes = flag.Bool("gate", false, "TestGate compares times with their budgets too, not allocations alone")

//go:embed budgets.json
var budgetsJSON []byte

// budget is what one operation may cost.
type budget struct {
	Ratio  float64 `json:"ratio"`
	Allocs float64 `json:"allocs"`
}

// workload is one operation that has a budget. prepare, if any, is run before each measurement of n operations, and not measured.
type workload struct {
	name    string
	least   int // operations of a measurement; 0 = as many as take long enough
	prepare func(n int)
	run     func()
}

// cost is what was measured.
type cost struct {
	ns     float64
	allocs float64
}

const (
	gateRounds = 25
	gateSlice  = 4 * time.Millisecond // of one measurement
	allocNoise = 0.01                 // of the test's own machinery, spread over thousands of operations
)

// calibration mixes what our hot paths are made of: hashing a key, following pointers, copying a body.
func calibration() workload {
	key := appendKey(nil, 1)
	from, to := makeBody(1<<10), make([]byte, 1<<10)
	table := map[uint64][]byte{}
	for i := range 1000 {
		table[xxhash.Sum64(appendKey(nil, i))] = from
	}
	return workload{name: "calibration", run: func() {
		copy(to, table[xxhash.Sum64(key)])
	}}
}

// workloads are the hot paths.
func workloads(tb testing.TB) []workload {
	lim := wire.Limits{MaxHead: 16 << 10, MaxBody: 64 << 20}
	format, err := wire.NewFormat("4.0.30319", false)
	if err != nil {
		tb.Fatal(err)
	}
	var (
		req      wire.Request
		key, out []byte
		get, put = getHead(wire.Acquire), putHead(1 << 10)
		body     = makeBody(1 << 10)
		s        = newStore(tb, 10_000, 1<<10)
		large    = newStore(tb, 100, 64<<10)
		births   = newStore(tb, 0, 8)
		next     int
	)
	parse := func(head []byte) func() {
		return func() {
			if n, f := wire.ParseHead(head, 0, &lim, &req); n != len(head) || f != wire.OK {
				tb.Fatal(n, f)
			}
			key = wire.AppendKey(key[:0], req.Target)
		}
	}
	s.use(7)
	large.use(7)
	absent := &store{Engine: s.Engine}
	absent.t.Caller = new(taker)
	absent.use(-1)
	return []workload{
		{name: "parse_get", run: parse(get)},
		{name: "parse_put", run: parse(put)},
		{name: "answer", run: func() {
			out = format.AppendHead(out[:0], &wire.Answer{HasCookie: true, Cookie: 7, HasTimeout: true, Timeout: 20, ContentLength: 1 << 10})
		}},
		{name: "hash", run: func() { s.t.Hash = s.Hash(s.key) }},
		{name: "get", run: func() { must(tb, s.do(engine.Get), engine.OK) }},
		{name: "acquire_release", run: func() { s.lock(); must(tb, s.do(engine.Release), engine.OK) }},
		{name: "acquire_save", run: func() { s.lock(); body[0]++; must(tb, s.save(body), engine.OK) }},
		{name: "save_same_size", run: func() { body[0]++; must(tb, s.save(body), engine.OK) }},
		{name: "save_identical", run: func() { must(tb, s.save(body), engine.OK) }},
		{name: "touch", run: func() { must(tb, s.do(engine.Touch), engine.OK) }},
		{name: "miss", run: func() { must(tb, absent.do(engine.Get), engine.NotFound) }},
		{name: "create_remove", run: func() {
			births.use(-2)
			must(tb, births.save(body), engine.OK)
			must(tb, births.do(engine.Remove), engine.OK)
		}},
		{name: "remove", prepare: func(n int) {
			next = 0
			for i := range n {
				births.use(i)
				must(tb, births.save(body), engine.OK)
			}
		}, run: func() {
			births.use(next)
			next++
			must(tb, births.do(engine.Remove), engine.OK)
		}},
		{name: "get_64k", run: func() { must(tb, large.do(engine.Get), engine.OK) }},
	}
}

// measure runs the workloads in turn, each many times for a short while, and returns the least time of each and the most allocations of
// the calmest run.
func measure(all []workload, rounds int) map[string]cost {
	costs := map[string]cost{}
	for range rounds {
		for _, w := range all {
			c, seen := costs[w.name]
			now := w.once()
			if !seen {
				c = now
			}
			costs[w.name] = cost{min(c.ns, now.ns), min(c.allocs, now.allocs)}
		}
	}
	return costs
}

// once measures as many operations as fit into a slice.
func (w workload) once() cost {
	n := max(64, w.least)
	for {
		if w.prepare != nil {
			w.prepare(n)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		took := since(func() {
			for range n {
				w.run()
			}
		})
		runtime.ReadMemStats(&after)
		if took >= gateSlice || n >= 1<<20 {
			return cost{float64(took) / float64(n), float64(after.Mallocs-before.Mallocs) / float64(n)}
		}
		n = int(min(float64(16*n), max(float64(2*n), 1.2*float64(n)*float64(gateSlice)/float64(took+1))))
	}
}

// judge returns an error for each cost over its budget, and for each that has none.
func judge(costs map[string]cost, budgets map[string]budget, unit float64, times bool) error {
	var errs []error
	for name, c := range costs {
		b, ok := budgets[name]
		ratio := c.ns / unit
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("%s has no budget in budgets.json", name))
			continue
		case c.allocs > b.Allocs+allocNoise:
			errs = append(errs, fmt.Errorf("%s: %.2f allocations, its budget is %v", name, c.allocs, b.Allocs))
		}
		if times && ratio > b.Ratio {
			errs = append(errs, fmt.Errorf("%s: %.2f calibration rounds (%.0f ns), its budget is %.2f; profile it before you raise the budget", name, ratio, c.ns, b.Ratio))
		}
	}
	for name := range budgets {
		if _, ok := costs[name]; !ok {
			errs = append(errs, fmt.Errorf("budgets.json has a budget for %s, which nothing measures", name))
		}
	}
	return errors.Join(errs...)
}

// budgetFile is budgets.json.
type budgetFile struct {
	Budgets map[string]budget `json:"budgets"`
	Farm    map[string]budget `json:"farm"`
	Copies  map[string]budget `json:"copies"`
}

func budgets(tb testing.TB) (file budgetFile) {
	if err := json.Unmarshal(budgetsJSON, &file); err != nil {
		tb.Fatalf("budgets.json: %v", err)
	}
	return file
}

// TestGate fails if a hot path allocates, or, with -gate, takes longer than its budget.
func TestGate(t *testing.T) {
	gate(t, workloads(t), budgets(t).Budgets)
}

// TestGateFarm does the same for what two nodes do together. They have goroutines of their own, so the budgets are wide.
func TestGateFarm(t *testing.T) {
	gate(t, farmWorkloads(t), budgets(t).Farm)
}

// TestGateCopies does the same for what copies cost without the network, and for a page when there are none.
func TestGateCopies(t *testing.T) {
	gate(t, copyWorkloads(t), budgets(t).Copies)
}

func gate(t *testing.T, all []workload, budgets map[string]budget) {
	t.Helper()
	rounds := 2
	if *gateTimes {
		rounds = gateRounds
	}
	costs := measure(append(all, calibration()), rounds)
	unit := costs["calibration"].ns
	delete(costs, "calibration")
	for name, c := range costs {
		t.Logf("%-16s %8.1f ns  ratio %6.2f  %.2f allocs", name, c.ns, c.ns/unit, c.allocs)
	}
	if err := judge(costs, budgets, unit, *gateTimes); err != nil {
		t.Error(err)
	}
}

// TestGateCanFail puts worse code in the place of a hot path: the gate must notice what allocates and what is slow, and nothing else.
func TestGateCanFail(t *testing.T) {
	fast := calibration()
	fast.name = "fast"
	var leak []byte
	all := []workload{
		calibration(), fast,
		{name: "allocates", run: func() { fast.run(); leak = append([]byte(nil), "0123456789abcdef"...) }},
		{name: "slow", run: func() {
			for range 8 {
				fast.run()
			}
		}},
	}
	costs := measure(all, 5)
	_ = leak
	unit := costs["calibration"].ns
	delete(costs, "calibration")
	err := judge(costs, map[string]budget{"fast": {4, 0}, "allocates": {1000, 0}, "slow": {4, 0}}, unit, true)
	if err == nil {
		t.Fatal("the gate let everything pass")
	}
	for _, name := range []string{"allocates", "slow"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the gate did not notice %s: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "fast") {
		t.Errorf("the gate refused what is good: %v", err)
	}
}
