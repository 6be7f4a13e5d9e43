package bench

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer"
	peerlink "github.com/farmstate/farmstate/peer/link"
)

// farmNode is one node of a farm in this process: an engine and its part of the farm, without a state port.
type farmNode struct {
	*peer.Farm
	engine *engine.Engine
	t      engine.Ticket
	key    []byte
	wait   waiter
}

// waiter is a caller that waits for the answer.
type waiter struct{ answered chan struct{} }

func (*waiter) Park(*engine.Ticket) {}
func (w *waiter) Answer(*engine.Ticket, int) bool {
	w.answered <- struct{}{}
	return true
}

// farmStart is the beginning of the clock of all farms here.
var farmStart = time.Now()

func farmNow() engine.Time {
	d := int64(time.Since(farmStart))
	return engine.Time{Mono: d, Date: d / 100}
}

// newFarmNode starts a node with so many sessions of 1 KB that is linked to some others over the loopback interface, encrypted.
func newFarmNode(tb testing.TB, sessions int, peers ...*farmNode) *farmNode {
	tb.Helper()
	n := &farmNode{wait: waiter{make(chan struct{}, 1)}}
	ready, fill := make(chan struct{}, 1), makeBody(1<<10)
	e, err := engine.New(engine.Options{Seed: 1, Ready: func(int) {
		select {
		case ready <- struct{}{}:
		default:
		}
	}}, farmNow())
	if err != nil {
		tb.Fatal(err)
	}
	link := peerlink.Options{Listen: "127.0.0.1:0", Security: peerlink.Security{Secret: []byte("a secret for benchmarks")}}
	for _, p := range peers {
		link.Peers = append(link.Peers, p.Addr().String())
	}
	n.engine, n.t.Caller = e, &n.wait
	for i := range sessions { // Must come before SetElsewhere: nobody is asked whether they exist.
		must(tb, n.save(i, fill), engine.OK)
	}
	if n.Farm, err = peer.New(peer.Options{Engine: e, Now: farmNow, MaxForwards: 5, QueryTimeout: 5 * time.Second, Link: link}); err != nil {
		tb.Fatal(err)
	}
	e.SetElsewhere(n.Farm)
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() { // serves what has been queued, and tells the time, as the state port does
		defer close(ended)
		beat := time.NewTicker(100 * time.Millisecond)
		defer beat.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ready:
				for e.Run(farmNow(), engine.NoLane, 64) {
				}
			case <-beat.C:
				e.Tick(farmNow())
			}
		}
	}()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		n.Close(ctx)
		close(quit)
		<-ended
	})
	return n
}

// pair returns two linked nodes, of which the first has so many sessions.
func pair(tb testing.TB, sessions int) (a, b *farmNode) {
	tb.Helper()
	a = newFarmNode(tb, sessions)
	b = newFarmNode(tb, 0, a)
	retry := time.NewTicker(time.Millisecond)
	defer retry.Stop()
	for end := time.Now().Add(10 * time.Second); len(a.Status().Links) == 0 || len(b.Status().Links) == 0; <-retry.C {
		if time.Now().After(end) {
			tb.Fatal("the nodes have not found each other")
		}
	}
	return a, b
}

func (n *farmNode) do(op engine.Op, i int) engine.Status {
	n.key = appendKey(n.key[:0], i)
	n.t.Op, n.t.Key, n.t.Hash = op, n.key, n.engine.Hash(n.key)
	n.engine.Do(farmNow(), engine.NoLane, &n.t)
	<-n.wait.answered
	return n.t.Out.Status
}

func (n *farmNode) save(i int, body []byte) engine.Status {
	n.t.Body, n.t.Minutes = body, 20
	return n.do(engine.Set, i)
}

// BenchmarkFarmQuery answers how long it takes to learn that a session is nowhere, with one other node to ask.
func BenchmarkFarmQuery(b *testing.B) {
	from, _ := pair(b, 0)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		must(b, from.do(engine.Get, i), engine.NotFound)
	}
}

// BenchmarkFarmMove answers how long a read takes whose session is at the other node.
func BenchmarkFarmMove(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		b.Run("body="+sizeName(size), func(b *testing.B) {
			from, to := pair(b, 0)
			must(b, from.save(1, makeBody(size)), engine.OK)
			b.ReportAllocs()
			for b.Loop() {
				must(b, to.do(engine.Get, 1), engine.OK)
				from, to = to, from
			}
		})
	}
}

// BenchmarkFarmMoves answers how many sessions of 1 KB a second come over one link when 200 requests at a time ask for one each.
func BenchmarkFarmMoves(b *testing.B) {
	const sessions, requests = 20_000, 200
	for b.Loop() {
		b.StopTimer()
		_, to := pair(b, sessions)
		b.StartTimer()
		var all sync.WaitGroup
		for first := range requests {
			all.Go(func() {
				one := farmNode{engine: to.engine, wait: waiter{make(chan struct{}, 1)}}
				one.t.Caller = &one.wait
				for i := first; i < sessions; i += requests {
					if got := one.do(engine.Get, i); got != engine.OK {
						b.Errorf("session %d: %v", i, got)
					}
				}
			})
		}
		all.Wait()
	}
	b.ReportMetric(sessions*float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
}

// BenchmarkHandOver answers how long a node takes to hand over its sessions, of 1 KB each, when it is stopped. Both nodes share the processors.
func BenchmarkHandOver(b *testing.B) {
	for _, sessions := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				from, to := pair(b, sessions)
				b.StartTimer()
				if left := from.Drain(b.Context(), false); left > 0 {
					b.Fatalf("%d sessions are left", left)
				}
				to.await(b, sessions)
			}
			b.ReportMetric(float64(sessions)*float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
		})
	}
}

// farmWorkloads are what the gate measures of two nodes.
func farmWorkloads(tb testing.TB) []workload {
	asker, _ := pair(tb, 0)
	from, to := pair(tb, 0)
	must(tb, from.save(0, makeBody(1<<10)), engine.OK)
	h := newHandOver(tb)
	next := 0
	return []workload{
		{name: "farm_query", run: func() {
			next++
			must(tb, asker.do(engine.Get, next), engine.NotFound)
		}},
		{name: "farm_move", run: func() {
			must(tb, to.do(engine.Get, 0), engine.OK)
			from, to = to, from
		}},
		{name: "hand_over", least: 2000, prepare: h.prepare, run: h.run},
	}
}

// handOver lets two nodes hand sessions over to each other.
type handOver struct {
	tb       testing.TB
	from, to *farmNode
	first, n int // sessions that are at from
	body     []byte
	over     bool
}

func newHandOver(tb testing.TB) *handOver {
	h := &handOver{tb: tb, body: makeBody(1 << 10)}
	h.from, h.to = pair(tb, 0)
	return h
}

// prepare puts n sessions that have never been anywhere in the place of those that are here.
func (h *handOver) prepare(n int) {
	for i := range h.n {
		must(h.tb, h.from.do(engine.Remove, h.first+i), engine.OK)
	}
	h.first, h.n, h.over = h.first+h.n, n, false
	for i := range n {
		p := engine.Parcel{Key: string(appendKey(nil, h.first+i)), Body: bytes.Clone(h.body), Minutes: 20, Left: 20 * 60 * second, Gen: 1, Cookie: 1}
		if placed := h.from.engine.Place(farmNow(), engine.NoLane, p); placed != engine.PlacedNew {
			h.tb.Fatal(placed)
		}
	}
	for end := time.Now().Add(10 * time.Second); !h.from.Progress().Takers; runtime.Gosched() { // the other one may not have told that it takes sessions again
		if time.Now().After(end) {
			h.tb.Fatal("nobody takes sessions")
		}
	}
}

// run hands all sessions over, the first time.
func (h *handOver) run() {
	if h.over {
		return
	}
	h.over = true
	if left := h.from.Drain(context.Background(), false); left > 0 {
		h.tb.Fatalf("%d sessions are left", left)
	}
	h.from.StopDrain()
	h.to.await(h.tb, h.n)
	h.from, h.to = h.to, h.from
}

// await waits until so many sessions are here: the last word about them may be on its way.
func (n *farmNode) await(tb testing.TB, sessions int) {
	tb.Helper()
	for end := time.Now().Add(10 * time.Second); n.engine.Stats().Sessions < int64(sessions); runtime.Gosched() {
		if time.Now().After(end) {
			tb.Fatalf("%d sessions of %d have arrived", n.engine.Stats().Sessions, sessions)
		}
	}
}
