package sim

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
)

// healing is a farm that falls into two parts, which go on without each other, save, and meet again.
type healing struct {
	*mesh
	rand  *rand.Rand
	side  []int                // by place
	saved [2]map[string]*saved // by side
	what  string
}

// saved is what one side has saved of a session.
type saved struct {
	last  uint64 // the latest save that was acknowledged
	saves int
}

func newHealing(seed uint64) *healing {
	r := rand.New(rand.NewPCG(seed, 7))
	o := MeshOptions{
		Seed: seed, Nodes: 2 + r.IntN(3), Copies: 1 + r.IntN(3), QueryTimeout: 2500 * time.Millisecond, TouchPeriod: 5 * time.Second, Minutes: 20,
		Latency: []int64{50e3, 1e6, 5e6}[r.IntN(3)], Notice: 20e6, Silence: 1500e6, Members: r.IntN(2) == 0, Keys: 3, BusyUntil: 60e9,
	}
	if r.IntN(4) == 0 {
		o.Ack = core.AckOne
	}
	h := &healing{mesh: newMesh(o), rand: r, side: make([]int, o.Nodes)}
	h.loosen()
	for i := range h.saved {
		h.saved[i] = map[string]*saved{}
	}
	h.side[0] = 1
	for i := 2; i < o.Nodes; i++ {
		h.side[i] = r.IntN(2)
	}
	return h
}

// some is a node of a side.
func (h *healing) some(side int) *mate {
	for {
		if n := h.mates[h.rand.IntN(len(h.mates))]; h.side[n.place] == side {
			return n
		}
	}
}

// save saves a session at a node until that is acknowledged, so many times.
func (h *healing) save(n *mate, key string, times int, done func(write uint64)) {
	if times == 0 {
		return
	}
	write := uint64(h.asked + 1)
	h.requestAt(n, engine.Set, key, 0, func(a answer) {
		if !a.failed && a.status == engine.OK {
			done(write)
			times--
		}
		h.after(50e6, func() { h.save(n, key, times, done) })
	})
}

// divide cuts the sides from each other, or lets all pass again.
func (h *healing) divide(cut bool) {
	for a := range h.mates {
		for b := range h.mates {
			if h.side[a] == h.side[b] {
				continue
			}
			if cut {
				h.cutWay(a, b)
			} else {
				h.mendWay(a, b)
			}
		}
	}
}

// run has the farm fall apart and meet again, and says what is wrong then.
func (h *healing) run() error {
	h.until(h.now + 3e9)
	before := map[string]bool{}
	for _, key := range h.keys[1:] { // the first one is made on both sides
		if before[key] = h.rand.IntN(2) == 0; before[key] {
			h.save(h.mates[h.rand.IntN(len(h.mates))], key, 1+h.rand.IntN(2), func(uint64) {})
		}
	}
	h.until(h.now + 2e9)
	h.divide(true)
	h.until(h.now + 15e9)
	for side := range h.saved {
		for _, key := range h.keys {
			s := &saved{}
			h.saved[side][key] = s
			h.save(h.some(side), key, 1+h.rand.IntN(3), func(write uint64) { s.last, s.saves = write, s.saves+1 })
		}
	}
	h.until(h.now + 12e9)
	h.divide(false)
	h.until(h.now + h.rand.Int64N(400e6))
	switch h.rand.IntN(4) {
	case 0:
		h.what = "nobody asks"
	case 1:
		h.what = "one is drained"
		if len(h.mates) == 2 && h.opt.Copies < 2 { // the other one takes its sessions
			h.what = "one of two is drained"
		}
		h.leaveAny()
	default:
		h.what = "all are asked"
		for range 12 {
			h.after(h.within(300e6), func() {
				n := h.mates[h.rand.IntN(len(h.mates))]
				h.requestAt(n, engine.Get, h.keys[h.rand.IntN(len(h.keys))], 0, func(answer) {})
			})
		}
	}
	h.until(h.now + 5e9)
	for _, key := range h.keys { // without mirrors the two do not meet before somebody asks for the session at a third node, or where one leaves
		if h.opt.Copies > 1 {
			break
		}
		h.requestAt(h.mates[0], engine.Get, key, 0, func(answer) {})
	}
	h.sealed = true
	h.opt.BusyUntil = h.now
	if h.opt.Copies > 1 {
		h.settle()
	} else {
		h.until(h.now + 10e9)
	}
	for _, key := range h.keys {
		h.lost(key)
	}
	return h.err
}

// lost looks whether each side's latest save is served, or in a quarantine.
func (h *healing) lost(key string) {
	var served []uint64
	for _, n := range h.mates {
		if p, sight := n.engine.Peek(n.time(), []byte(key)); n.alive && sight == engine.SightHere {
			served = append(served, content(p.Body))
		}
	}
	for side := range h.saved {
		s := h.saved[side][key]
		if s.saves == 0 {
			continue
		}
		kept := slices.ContainsFunc(h.kept, func(k kept) bool { return k.key == key && k.write == s.last })
		if !slices.Contains(served, s.last) && !kept {
			h.fail("%s: save %d of %s by side %d is gone; served: %d", h.what, s.last, key, side, served)
		}
	}
	a, b := h.saved[0][key], h.saved[1][key]
	if h.opt.Copies > 1 && len(served) != 1 {
		h.fail("%s: %s is served as %d", h.what, key, served)
	}
	if more := max(a.saves, b.saves); key == h.keys[0] && len(h.mates) == 2 && len(served) == 1 && a.saves > 0 && b.saves > 0 && a.saves != b.saves { // otherwise it may have moved within a side
		if a.saves == more && served[0] != a.last || b.saves == more && served[0] != b.last {
			h.fail("%s: of %s the state with fewer saves has stayed: %d; %d saves to %d, %d to %d", h.what, key, served[0], a.saves, a.last, b.saves, b.last)
		}
	}
}

// TestHealing: when two parts of a farm meet again, of each session the state stays that is newer, and what was acknowledged in the other part is in a quarantine.
func TestHealing(t *testing.T) {
	from, n := seeds(100)
	both := 0
	for seed := from; seed < from+uint64(n); seed++ {
		h := newHealing(seed)
		if *traceFlag {
			h.opt.Trace = os.Stderr
		}
		err := h.run()
		if err != nil {
			t.Errorf("seed %d, %d nodes, %d copies: %v", seed, h.opt.Nodes, h.opt.Copies, err)
		}
		for _, key := range h.keys {
			if h.saved[0][key].saves > 0 && h.saved[1][key].saves > 0 {
				both++
			}
		}
	}
	if t.Logf("%d sessions were saved on both sides", both); both < n {
		t.Error(fmt.Sprint("hardly anything was tested: ", both))
	}
}
