package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/bench/farm"
	"github.com/farmstate/farmstate/bench/proc"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// bulkClients is how many connections make many requests.
const bulkClients = 50

// bulk makes a request at a node for each of many sessions.
func bulk(f *proc.Farm, node, clients, sessions int, do func(c *farm.Client, i int) error) error {
	errs := make([]error, clients)
	var all sync.WaitGroup
	for n := range errs {
		all.Go(func() {
			c := farm.NewClient([]string{f.Nodes[node].State})
			defer c.Close()
			for i := n; i < sessions && errs[n] == nil; i += clients {
				errs[n] = do(c, i)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func bulkTarget(i int) []byte { return farm.Target(fmt.Sprintf("bulk%020d", i)) }

// bulkFill makes sessions of 1 KB at the first node.
func bulkFill(ctx context.Context, f *proc.Farm, sessions int) error {
	return bulk(f, 0, bulkClients, sessions, func(c *farm.Client, i int) error {
		return want(c.Do(ctx, 0, farm.Save(bulkTarget(i), 0), numbered(0)))
	})
}

// numbered is a body of 1 KB that says which save it is.
func numbered(n uint64) []byte {
	return binary.LittleEndian.AppendUint64(make([]byte, 0, 1<<10), n)[:1<<10]
}

func want(a farm.Reply, err error) error {
	if err == nil && a.Status != wire.StatusOK {
		err = fmt.Errorf("answered %v", a.Status)
	}
	return err
}

// farmBurst measures 500 sessions that are asked for at one node at once while the other has them.
func farmBurst(ctx context.Context, f *proc.Farm) error {
	const burst = 500
	var took []time.Duration
	for round := range 4 {
		if round == 0 {
			if err := bulkFill(ctx, f, burst); err != nil {
				return err
			}
		}
		d, err := burstOnce(ctx, f, (round+1)%2, burst)
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	report("500 moves of 1 KB asked for at once, first time", ms(took[0]), "ms")
	report("500 moves of 1 KB asked for at once, later", ms(min(took[1], took[2], took[3])), "ms")
	return nil
}

// burstOnce asks for all sessions at once, on a connection each.
func burstOnce(ctx context.Context, f *proc.Farm, node, sessions int) (time.Duration, error) {
	var ready, all sync.WaitGroup
	begin := make(chan struct{})
	errs := make([]error, sessions)
	ready.Add(sessions)
	for i := range sessions {
		all.Go(func() {
			c := farm.NewClient([]string{f.Nodes[node].State})
			defer c.Close()
			_, errs[i] = c.Do(ctx, 0, farm.Get(farm.Target("nowhere")), nil) // opens the connection
			ready.Done()
			<-begin
			if errs[i] == nil {
				errs[i] = want(c.Do(ctx, 0, farm.Get(bulkTarget(i)), nil))
			}
		})
	}
	ready.Wait()
	begun := time.Now()
	close(begin)
	all.Wait()
	return time.Since(begun), errors.Join(errs...)
}

// farmTransfers measures how many sessions of 1 KB a second come over one link when they are asked for: by 200 connections, each of which waits for one.
func farmTransfers(ctx context.Context, f *proc.Farm) error {
	const sessions, clients = 40_000, 200
	if err := bulkFill(ctx, f, sessions); err != nil {
		return err
	}
	before, err := f.CPUTime()
	if err != nil {
		return err
	}
	begun := time.Now()
	err = bulk(f, 1, clients, sessions, func(c *farm.Client, i int) error { return want(c.Do(ctx, 0, farm.Get(bulkTarget(i)), nil)) })
	if err != nil {
		return err
	}
	took := time.Since(begun)
	after, err := f.CPUTime()
	report("sessions of 1 KB a second over one link, asked for", sessions/took.Seconds(), "")
	report("processor time of both nodes for each", float64(after-before)/sessions/1e3, "us")
	return err
}

// farmHandOver measures a stop of a node with 100,000 sessions while saves go on arriving, and looks at all sessions afterwards.
func farmHandOver(ctx context.Context, f *proc.Farm) error {
	const sessions = 100_000
	if err := bulkFill(ctx, f, sessions); err != nil {
		return err
	}
	before, err := proc.CPUTime(f.Nodes[1].PID())
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	var saver handOverSaver
	var saving sync.WaitGroup
	saving.Go(func() { saver.work(ctx, f, sessions, stop) })
	begun := time.Now()
	err = f.Nodes[0].Stop(2 * time.Minute)
	took := time.Since(begun)
	close(stop)
	saving.Wait()
	if err := errors.Join(err, saver.err); err != nil {
		return err
	}
	after, err := proc.CPUTime(f.Nodes[1].PID())
	if err != nil {
		return err
	}
	report("processor time of the node that took them, for each", float64(after-before)/sessions/1e3, "us")
	report("saves acknowledged meanwhile", float64(len(saver.saved)), "")
	report("sessions of 1 KB a second at the hand-over", sessions/took.Seconds(), "")
	var lost atomic.Int64
	err = bulk(f, 1, bulkClients, sessions, func(c *farm.Client, i int) error {
		a, err := c.Do(ctx, 0, farm.Get(bulkTarget(i)), nil)
		if err == nil && (a.Status != wire.StatusOK || binary.LittleEndian.Uint64(a.Body) < saver.saved[i]) {
			lost.Add(1)
		}
		return err
	})
	return errors.Join(err, within("stop of a node with 100,000 sessions", took.Seconds(), 10, "s"), within("sessions lost or old", float64(lost.Load()), 0, ""))
}

// handOverSaver saves sessions, one after the other, at a node that is being stopped and, when that takes no more, at the other.
type handOverSaver struct {
	saved map[int]uint64 // by session: the last save that was acknowledged
	err   error
}

func (s *handOverSaver) work(ctx context.Context, f *proc.Farm, sessions int, stop chan struct{}) {
	c := farm.NewClient(farm.StatePorts(f))
	defer c.Close()
	s.saved = map[int]uint64{}
	rnd := rand.New(rand.NewPCG(1, 1))
	for n := uint64(1); ; n++ {
		i := rnd.IntN(sessions)
		for node, begun := 0, time.Now(); ; node = 1 - node {
			a, err := c.Do(ctx, node, farm.Save(bulkTarget(i), 0), numbered(n))
			if err == nil && a.Status == wire.StatusOK {
				s.saved[i] = n
				break
			}
			if time.Since(begun) > 20*time.Second {
				s.err = errors.Join(fmt.Errorf("a save was not taken by either node: %v", a.Status), err)
				return
			}
			if s.err = pause(ctx, time.Millisecond); s.err != nil {
				return
			}
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}
