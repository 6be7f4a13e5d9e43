package engine

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// TestSurveyAndHotMeanwhile looks at everything while four lanes are at work: for the race detector, and to see that nobody is lost.
func TestSurveyAndHotMeanwhile(t *testing.T) {
	var clock atomic.Int64
	now := func() Time { return Time{Mono: clock.Add(1000)} }
	e, err := New(Options{LockWait: MaxLockWait}, now())
	if err != nil {
		t.Fatal(err)
	}
	const lanes, sessions = 4, 200
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var lanesDone, all sync.WaitGroup
	for lane := range lanes {
		rnd := rand.New(rand.NewPCG(seed, uint64(lane)))
		lanesDone.Go(func() {
			for i := range 20000 {
				tk := &Ticket{Op: []Op{Get, Acquire, Release, Set, Touch}[rnd.IntN(5)], Key: []byte(appKey(fmt.Sprint(i%3), rnd.IntN(sessions))), Client: uint16(1 + lane)}
				if i < sessions {
					tk.Op, tk.Key = Set, []byte(appKey(fmt.Sprint(i%3), i))
				}
				tk.HasCookie, tk.Cookie = true, uint32(2+rnd.IntN(20))
				tk.Body, tk.Minutes, tk.Caller, tk.Hash = []byte("x"), 20, &silent{}, e.Hash(tk.Key)
				e.Do(now(), lane, tk)
				e.Run(now(), lane, 4)
			}
		})
	}
	stop := make(chan struct{})
	loop := func(f func()) {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f()
				}
			}
		})
	}
	loop(func() { e.Tick(now()) })
	loop(func() {
		if v := e.Survey(now()); v != nil {
			for _, l := range v.Locks {
				if l.Client < 1 || l.Client > lanes || l.Age < 0 {
					t.Errorf("%+v", l)
				}
			}
		}
		e.Hot(now())
	})
	lanesDone.Wait()
	close(stop)
	all.Wait()
	for e.Run(now(), NoLane, 100) {
	}
	v := walkAll(e, now())
	if stats := e.Stats(); v.Sessions != stats.Sessions || v.Locked != stats.Locked || v.Sessions < sessions {
		t.Errorf("the survey has %d sessions and %d locks, the counts %d and %d", v.Sessions, v.Locked, stats.Sessions, stats.Locked)
	}
	e.Tick(now())
	if h := e.Hot(now()); len(h.Sessions) != hotRows || len(h.Apps) != 3 {
		t.Errorf("%d hot sessions, %d applications", len(h.Sessions), len(h.Apps))
	}
}
