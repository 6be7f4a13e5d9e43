//go:build linux

package history

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/farmstate/farmstate/bench/farm"
	"github.com/farmstate/farmstate/bench/proc"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// topology is a farm, and which of its nodes may be stopped without the others losing each other.
type topology struct {
	name      string
	links     [][]int
	linked    []int // to how many others each node is linked
	stoppable []int
}

var topologies = []topology{
	{"ring", proc.Ring(3), []int{2, 2, 2}, []int{0, 1, 2}},
	{"line", proc.Line(4), []int{1, 2, 2, 1}, []int{0, 3}},
	{"star", proc.Star(4), []int{3, 1, 1, 1}, []int{1, 2, 3}},
	{"mesh", proc.Mesh(5), []int{4, 4, 4, 4, 4}, []int{0, 1, 2, 3, 4}},
}

// TestHistory lets clients work on a few sessions through all nodes of a farm, while links are cut, in both directions or in one, and nodes are stopped and
// started again. What the clients were told must be linearizable: as if there were one node that executes one request after the other.
func TestHistory(t *testing.T) {
	seed := seeds(t)
	for i, top := range topologies {
		t.Run(top.name, func(t *testing.T) {
			h := newHistory(t, top, seed+uint64(i))
			h.run(*timeFlag / time.Duration(len(topologies)))
			h.finish()
			h.judge()
		})
	}
}

// TestNoFarm does the same with two nodes that know nothing of each other. The history must be refused.
func TestNoFarm(t *testing.T) {
	h := newHistory(t, topology{"none", [][]int{{}, {}}, []int{0, 0}, nil}, seeds(t))
	var clients sync.WaitGroup
	for i := range historyClients {
		clients.Go(func() { h.newClient(i).work() })
	}
	wait(t.Context(), 500*time.Millisecond)
	h.over.Store(true)
	clients.Wait()
	if len(h.wrong()) == 0 {
		t.Error("nobody has noticed")
	}
}

const (
	historyKeys    = 6
	historyClients = 6
	historyThink   = 4 * time.Millisecond // of a client between two requests, at most
	breakAfter     = 1                    // seconds: the age of a lock that is broken
)

// history is one run.
type history struct {
	t      *testing.T
	top    topology
	seed   uint64
	farm   *proc.Farm
	addrs  []string
	relays map[[2]int]*relay // by who dials and who is dialled; twice the same: before all that deliver to a node
	began  time.Time
	bodies atomic.Int64
	lost   atomic.Int64 // acquires without an answer, numbered
	over   atomic.Bool

	mu    sync.Mutex
	ops   [historyKeys][]porcupine.Operation // guarded by mu
	again int                                // guarded by mu; as are the following
	undone,
	unknown int
}

func newHistory(t *testing.T, top topology, seed uint64) *history {
	t.Helper()
	h := &history{t: t, top: top, seed: seed, relays: map[[2]int]*relay{}}
	h.farm = startFarm(t, proc.FarmOptions{
		Links: top.links, Args: []string{"--lock-wait=100ms"},
		Via: func(from, to int, addr string) string {
			r := newRelay(t, addr)
			h.relays[[2]int{from, to}] = r
			return r.addr
		},
	}, top.linked...)
	h.addrs = farm.StatePorts(h.farm)
	h.began = time.Now()
	return h
}

// run lets clients work and faults happen for a while.
func (h *history) run(d time.Duration) {
	var clients sync.WaitGroup
	for i := range historyClients {
		clients.Go(func() { h.newClient(i).work() })
	}
	h.faults(d)
	h.over.Store(true)
	clients.Wait()
}

// faults makes one fault after the other. Cuts may overlap, but no node is stopped that somebody cannot reach: what it has could not be handed over.
func (h *history) faults(d time.Duration) {
	rnd := rand.New(rand.NewPCG(h.seed, 1))
	var cuts sync.WaitGroup
	defer cuts.Wait()
	ctx, cancel := context.WithTimeout(h.t.Context(), d)
	defer cancel()
	for wait(ctx, time.Duration(100+rnd.IntN(300))*time.Millisecond) {
		var err error
		switch rnd.IntN(5) {
		case 0, 1:
			cuts.Wait()
			err = h.restart(rnd)
		case 2:
			cuts.Go(h.cut(ctx, rnd))
		default:
			h.cut(ctx, rnd)()
		}
		if err != nil {
			h.t.Error(err)
			return
		}
	}
}

// wait waits for d, and reports whether ctx goes on.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// cut chooses one link, or what is delivered to one node, which the result cuts for a while.
func (h *history) cut(ctx context.Context, rnd *rand.Rand) func() {
	a := rnd.IntN(len(h.addrs))
	for len(h.top.links[a]) == 0 {
		a = rnd.IntN(len(h.addrs))
	}
	b := h.top.links[a][rnd.IntN(len(h.top.links[a]))]
	if rnd.IntN(4) == 0 {
		b = a
	}
	there, back, closed := true, true, rnd.IntN(3) == 0
	if !closed {
		way := rnd.IntN(3)
		there, back = way != 0, way != 1
	}
	d := time.Duration(20+rnd.IntN(500)) * time.Millisecond
	if rnd.IntN(3) == 0 {
		d = time.Duration(rnd.IntN(3000)) * time.Millisecond
	}
	return func() {
		h.t.Logf("%v: cut %d-%d, there %v, back %v, closed %v, for %v", h.now(), a, b, there, back, closed, d)
		h.hold(a, b, there, back)
		if closed {
			h.each(a, b, (*relay).cut)
		}
		wait(ctx, d)
		h.hold(a, b, false, false)
	}
}

func (h *history) hold(a, b int, there, back bool) {
	if r := h.relays[[2]int{a, b}]; r != nil {
		r.hold(0, there)
		r.hold(1, back)
	}
	if r := h.relays[[2]int{b, a}]; r != nil && a != b {
		r.hold(0, back)
		r.hold(1, there)
	}
}

func (h *history) each(a, b int, do func(*relay)) {
	for _, pair := range [][2]int{{a, b}, {b, a}} {
		if r := h.relays[pair]; r != nil {
			do(r)
		}
	}
}

// restart stops a node as it should be stopped, and starts it again.
func (h *history) restart(rnd *rand.Rand) error {
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer cancel()
	if err := h.farm.Linked(ctx, h.top.linked...); err != nil { // or it had nobody to hand its sessions to
		return err
	}
	i := h.top.stoppable[rnd.IntN(len(h.top.stoppable))]
	h.t.Logf("%v: stop %d", h.now(), i)
	if err := h.farm.Nodes[i].Stop(25 * time.Second); err != nil {
		return err
	}
	for pair, r := range h.relays {
		if pair[1] == i {
			r.shut()
		}
	}
	wait(ctx, time.Duration(rnd.IntN(300))*time.Millisecond)
	if err := h.farm.Nodes[i].Start(ctx); err != nil {
		return err
	}
	h.t.Logf("%v: started %d", h.now(), i)
	for pair, r := range h.relays {
		if pair[1] == i {
			if err := r.open(); err != nil {
				return err
			}
		}
	}
	return h.farm.Linked(ctx, h.top.linked...)
}

func (h *history) now() time.Duration { return time.Since(h.began) }

// finish asks every node for every session: whatever has happened, the farm must be able to say where each is.
func (h *history) finish() {
	c := h.newClient(historyClients)
	defer c.c.Close()
	for key := range historyKeys {
		for node := range h.addrs {
			for end := time.Now().Add(20 * time.Second); !c.ask(node, key, asked{op: opGet}); {
				if time.Now().After(end) {
					h.t.Errorf("%v: node %d still cannot tell what became of session %d", h.now(), node, key)
					break
				}
				wait(h.t.Context(), 20*time.Millisecond)
			}
		}
	}
}

// judge checks what the clients were told.
func (h *history) judge() {
	for _, why := range h.wrong() {
		h.t.Errorf("seed %d: %s", h.seed, why)
	}
}

// wrong says of each session whose history no order explains why.
func (h *history) wrong() (wrong []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	total := 0
	for key, ops := range h.ops {
		total += len(ops)
		if why := check(ops, 20*time.Second); why != "" {
			wrong = append(wrong, fmt.Sprintf("session %d: %s", key, why))
		}
	}
	h.t.Logf("%d operations in %v; besides %d times \"come again\", %d saves refused; %d without an answer", total, h.now(), h.again, h.undone, h.unknown)
	if total == 0 {
		h.t.Error("nothing has happened")
	}
	return wrong
}

// client makes one request at a time, to any node.
type client struct {
	h       *history
	id      int
	c       *farm.Client
	rnd     *rand.Rand
	targets [historyKeys][]byte
	mine    [historyKeys]uint32 // the lock that it has; 0 = none
	other   [historyKeys]uint32 // another's, or an old one
	old     [historyKeys]bool   // and it is to be broken
}

func (h *history) newClient(id int) *client {
	c := &client{h: h, id: id, c: farm.NewClient(h.addrs), rnd: rand.New(rand.NewPCG(h.seed, 100+uint64(id)))}
	for key := range c.targets {
		c.targets[key] = farm.Target(fmt.Sprintf("history%d", key))
	}
	return c
}

func (c *client) work() {
	defer c.c.Close()
	node := c.rnd.IntN(len(c.h.addrs))
	for !c.h.over.Load() && !c.h.t.Failed() {
		if c.rnd.IntN(2) == 0 {
			node = c.rnd.IntN(len(c.h.addrs))
		}
		key := c.rnd.IntN(historyKeys)
		for k, cookie := range c.mine { // whoever has a lock is mostly about to give it back
			if cookie != 0 && c.rnd.IntN(4) > 0 {
				key = k
			}
		}
		c.ask(node, key, c.choose(key))
		wait(c.h.t.Context(), time.Duration(c.rnd.Int64N(int64(historyThink))))
	}
}

// choose is the next request about a session.
func (c *client) choose(key int) asked {
	in := asked{cookie: c.mine[key]}
	n := c.rnd.IntN(100)
	switch {
	case c.mine[key] != 0 && n < 70:
		in.op = opSave
	case c.mine[key] != 0 && n < 85:
		in.op = opRelease
	case c.mine[key] != 0 && n < 90:
		in.op = opRemove
	case c.mine[key] != 0 && n < 91:
		c.mine[key] = 0 // its page died
		fallthrough
	case n < 30:
		in = asked{op: opGet}
	case c.old[key]:
		in = asked{op: opRelease, cookie: c.other[key]}
	case n < 72:
		in = asked{op: opAcquire}
	default:
		in = asked{op: []opKind{opSave, opSave, opInsert, opRelease, opRemove}[c.rnd.IntN(5)], cookie: c.other[key]}
	}
	if in.op == opSave || in.op == opInsert {
		in.body = int(c.h.bodies.Add(1))
	}
	return in
}

// request spells it.
func (c *client) request(key int, in asked) (*wire.Request, []byte) {
	target := c.targets[key]
	var body []byte
	if in.op == opSave || in.op == opInsert {
		for range 1 + in.body%40 {
			body = binary.LittleEndian.AppendUint64(body, uint64(in.body))
		}
	}
	switch in.op {
	case opAcquire:
		return farm.Acquire(target), nil
	case opRelease:
		return farm.Release(target, in.cookie), nil
	case opSave:
		return farm.Save(target, in.cookie), body
	case opInsert:
		r := farm.Create(target)
		r.Cookie = int32(in.cookie)
		return r, body
	case opRemove:
		return farm.Remove(target, in.cookie), nil
	case opGet, opRevoke:
	}
	return farm.Get(target), nil
}

// ask makes a request and notes what came of it. It reports whether it was executed.
func (c *client) ask(node, key int, in asked) bool {
	req, body := c.request(key, in)
	call := c.h.now()
	r, err := c.c.Do(context.Background(), node, req, body)
	end := c.h.now()
	if c.mine[key] == in.cookie && in.op != opGet && in.op != opAcquire {
		c.mine[key] = 0
	}
	switch {
	case errors.Is(err, farm.ErrUnsent):
		return false
	case err != nil:
		if end-call > 8*time.Second { // query_timeout and lock_wait are over by far
			c.h.t.Errorf("%v: no answer since %v: client %d, node %d, session %d, %s with cookie %d: %v", end, call, c.id, node, key, in.op, in.cookie, err)
		}
		c.noAnswer(key, call, in)
		return false
	case r.ComeAgain():
		c.h.count(&c.h.again)
		if in.op == opRelease || in.op == opRemove {
			c.mine[key] = in.cookie
		}
		return false
	case r.Status == wire.StatusBadRequest && body != nil:
		c.h.count(&c.h.undone)
		return false
	}
	out := told{status: r.Status, uninit: r.ActionFlags}
	if r.Status == wire.StatusLocked {
		out.cookie, c.other[key], c.old[key] = r.Cookie, r.Cookie, r.LockAge >= breakAfter
	} else {
		c.old[key] = false
	}
	if r.Status == wire.StatusOK && (in.op == opGet || in.op == opAcquire) {
		out.body = c.number(r.Body)
	}
	if r.Status == wire.StatusOK && in.op == opAcquire {
		out.cookie, c.mine[key], c.other[key] = r.Cookie, r.Cookie, r.Cookie
	}
	c.h.note(key, porcupine.Operation{ClientId: c.id, Call: int64(call), Return: int64(end), Input: in, Output: out})
	return true
}

// noAnswer notes a request whose connection was closed.
func (c *client) noAnswer(key int, call time.Duration, in asked) {
	c.h.count(&c.h.unknown)
	op := porcupine.Operation{ClientId: c.id, Call: int64(call), Return: never, Output: told{unknown: true}}
	if in.op == opAcquire {
		in.id = int(c.h.lost.Add(1))
		op.Input = asked{op: opRevoke, id: in.id}
		c.h.note(key, op)
	}
	op.Input = in
	c.h.note(key, op)
}

// number reads the number of a body, all of which must be of the same save.
func (c *client) number(body []byte) int {
	if len(body) < 8 {
		c.h.t.Errorf("a body of %d bytes", len(body))
		return -1
	}
	n := binary.LittleEndian.Uint64(body)
	for i := 0; i < len(body); i += 8 {
		if got := binary.LittleEndian.Uint64(body[i:]); got != n || len(body) != 8*(1+int(n)%40) {
			c.h.t.Errorf("a body of %d bytes begins as %d and goes on as %d", len(body), n, got)
			return -1
		}
	}
	return int(n)
}

func (h *history) count(n *int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*n++
}

func (h *history) note(key int, op porcupine.Operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops[key] = append(h.ops[key], op)
}
