package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/data"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/metrics"
	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/snapshot"
	"github.com/farmstate/farmstate/peer"
)

// snapshots writes the node's sessions to its directory: now and then, when somebody asks for it, and at a stop.
type snapshots struct {
	// Static after construction.

	dir    *data.Dir
	key    []byte // nil = not encrypted
	node   [16]byte
	engine *engine.Engine
	farm   *peer.Farm // nil without one
	now    func() engine.Time
	logger *slog.Logger
	every  time.Duration // 0 = not now and then
	asked  chan chan<- error

	ctx   context.Context // ends when the goroutine is to end
	end   context.CancelFunc
	ended chan struct{}

	// Of the snapshot of a stop. Owned by who stops the node.

	last    bool     // it is that one
	written []uint64 // hashes of the sessions in it, in their order; nil if it could not be written

	mu    sync.Mutex
	state api.Snapshot // guarded by mu
}

// openSnapshots opens the directory for snapshots, if there is one.
func (n *node) openSnapshots() error {
	c := n.cfg
	if c.Data == "" {
		return nil
	}
	s := &snapshots{
		engine: n.engine, farm: n.farm, now: n.clock.Now, logger: n.logger, every: c.SnapshotInterval, asked: make(chan chan<- error), ended: make(chan struct{}),
	}
	if n.farm != nil {
		s.node = n.farm.Node()
	} else {
		_, _ = rand.Read(s.node[:]) // never fails
	}
	if c.SnapshotKeyFile != "" {
		key, warning, err := config.ReadSecret(c.SnapshotKeyFile)
		if err != nil {
			return usageError(c.OfFile("snapshot_key_file", err))
		}
		if warning != "" {
			n.logger.Warn(warning, "event", "configuration_warning")
		}
		s.key = key
	}
	dir, err := data.Open(c.Data)
	if err != nil {
		return usageError(err)
	}
	n.onClose(func() {
		s.end()
		if err := dir.Close(); err != nil {
			n.logger.Warn("the directory for snapshots did not close as it should", "event", "snapshot_failed", "err", err)
		}
	})
	s.dir = dir
	s.ctx, s.end = context.WithCancel(context.Background())
	s.state = api.Snapshot{Directory: c.Data, Encrypted: s.key != nil, Interval: c.SnapshotInterval.Seconds()}
	n.snapshots = s
	return nil
}

// start begins to write snapshots.
func (s *snapshots) start() { go s.run() }

// stop ends what start began. A snapshot that is being written is given up.
func (s *snapshots) stop() {
	s.end()
	<-s.ended
}

func (s *snapshots) run() {
	defer close(s.ended)
	var tick <-chan time.Time
	if s.every > 0 {
		t := time.NewTicker(s.every)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick:
			_ = s.save(s.ctx, slog.LevelDebug, snapshotRate) // it has been told
		case answer := <-s.asked:
			err := s.save(s.ctx, slog.LevelInfo, snapshotRate)
			answer <- err
		}
	}
}

// snapshotRate is how fast a snapshot is written while the node serves, in bytes a second: fast enough for a snapshot of 10 GB in three minutes, and a seventh of a processor.
const snapshotRate = 64 << 20

// Why there is no snapshot, or not now.
var (
	errNoData  = errors.New("this node keeps no snapshots: start it with --data DIR")
	errFinal   = errors.New("this node is about to stop, and writes its sessions then")
	errGivenUp = errors.New("given up, because the node stops")
)

// actionWaits is how long the action waits for a snapshot: less than the admin pages give an answer.
const actionWaits = 20 * time.Second

// snapshotAction is POST /api/v1/snapshot: it writes one now. The answer comes when it is written, or after a while if that takes long.
func (n *node) snapshotAction(url.Values) (any, error) {
	s := n.snapshots
	if s == nil {
		return nil, errNoData
	}
	timeout := time.NewTimer(actionWaits)
	defer timeout.Stop()
	answer := make(chan error, 1)
	select {
	case s.asked <- answer:
	case <-s.ctx.Done():
		return nil, errFinal
	case <-timeout.C: // one is being written
		return s.status(), nil
	}
	select {
	case err := <-answer:
		return s.status(), err
	case <-timeout.C:
		return s.status(), nil
	}
}

// saveRest writes the sessions that are left at a stop, or takes an old snapshot away if there are none: they would come back otherwise, although they are elsewhere.
func (s *snapshots) saveRest() {
	s.stop()
	s.last = true
	if err := s.save(context.Background(), slog.LevelInfo, 0); err != nil { // it has been told
		s.written = nil
	}
	slices.Sort(s.written)
}

// unwritten counts the sessions that are here and not in the snapshot that saveRest has written. What has come here since may be in it all the same: it was written as a
// session that nobody served. Must come after the end of all that changes sessions.
func (s *snapshots) unwritten() int64 {
	var found engine.Exported
	x := notWritten{in: s}
	now := s.now()
	for shard := range engine.NumShards {
		found.Add(s.engine.Export(now, shard, &x))
	}
	return x.sessions + int64(found.Away+found.Busy)
}

// notWritten counts sessions that are not in the last snapshot. It implements engine.Exporter.
type notWritten struct {
	in       *snapshots
	sessions int64
}

// Take implements engine.Exporter.
func (x *notWritten) Take(p engine.Parcel, _ bool) {
	if _, ok := slices.BinarySearch(x.in.written, x.in.engine.Hash([]byte(p.Key))); !ok {
		x.sessions++
	}
}

// Next implements engine.Exporter.
func (*notWritten) Next(bool) bool { return true }

// save writes a snapshot, at most so many bytes a second unless rate is 0, and tells of it. With no session at all it takes an old one away instead. It is given up
// when ctx ends.
func (s *snapshots) save(ctx context.Context, level slog.Level, rate int64) error {
	began := time.Now()
	s.mu.Lock()
	s.state.Running = true
	s.mu.Unlock()
	var (
		totals  snapshot.Totals
		found   engine.Exported
		removed bool
		err     error
	)
	if s.engine.Stats().Sessions == 0 && !s.anyOrphan() && !s.anyRemoval() {
		removed, err = s.dir.Remove()
	} else {
		totals, found, err = s.write(ctx, began, rate)
	}
	took := time.Since(began)
	leftOut := found.Away + found.Busy
	switch {
	case errors.Is(err, errGivenUp):
	case err != nil && s.last:
		s.logger.Error("the sessions could not be written at the stop; the snapshot before stays, and what has changed since is lost: "+s.dir.Advice(err), "event", "snapshot_failed", "directory", s.dir.Path(), "err", err)
	case err != nil:
		s.logger.Error("a snapshot could not be written; the one before stays, and the node goes on: "+s.dir.Advice(err), "event", "snapshot_failed", "directory", s.dir.Path(), "err", err)
	case removed:
		s.logger.Log(ctx, level, "there are no sessions, so the old snapshot was removed", "event", "snapshot_removed")
	case totals.Bytes > 0:
		s.logger.Log(ctx, level, "a snapshot was written", "event", "snapshot_written", "sessions", totals.Sessions, "bytes", totals.Bytes, "left_out", leftOut, "after", took.Round(time.Millisecond))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := &s.state
	x.Running = false
	switch {
	case errors.Is(err, errGivenUp):
	case err != nil:
		x.Failures++
		x.LastError = err.Error()
	default:
		x.Written, x.Duration, x.Sessions, x.Bytes, x.LeftOut, x.LastError = &began, took.Seconds(), totals.Sessions, totals.Bytes, int64(leftOut), ""
	}
	return err
}

// write writes a snapshot as of began, which is about now.
func (s *snapshots) write(ctx context.Context, began time.Time, rate int64) (totals snapshot.Totals, found engine.Exported, err error) {
	h := snapshot.Header{Written: began.UTC(), Node: s.node, Program: "farmstate " + buildInfo().Version}
	_, _ = rand.Read(h.Salt[:]) // never fails
	totals, err = s.dir.Write(&h, s.key, func(w *snapshot.Writer) error {
		x := exporter{ctx: ctx, w: w, began: began, rate: rate}
		if s.last {
			x.note = func(key string) { s.written = append(s.written, s.engine.Hash([]byte(key))) }
		}
		s.removals(func(some []snapshot.Removal) bool {
			x.err = w.Bury(some)
			return x.err == nil && x.Next(false)
		})
		now := s.now() // one time for all, so that they agree with the header
		for shard := 0; shard < engine.NumShards && x.err == nil; shard++ {
			found.Add(s.engine.Export(now, shard, &x))
		}
		s.orphans(func(p engine.Parcel) bool {
			x.Take(p, true)
			return x.err == nil && x.Next(false)
		})
		return x.err
	})
	return totals, found, err
}

// orphans calls take with the sessions that are kept here for a node that has ended, and that nobody serves yet.
func (s *snapshots) orphans(take func(p engine.Parcel) bool) {
	if s.farm != nil {
		s.farm.Orphans(take)
	}
}

// removals calls write with the removals that the farm keeps in mind, some at a time, until it returns false: whoever has older states of those sessions may come when this
// node has been started again, and nobody else may know by then.
func (s *snapshots) removals(write func(some []snapshot.Removal) bool) {
	const turn = 4096
	if s.farm == nil {
		return
	}
	for list, next := s.farm.Tombs(0, turn); len(list) > 0; list, next = s.farm.Tombs(next, turn) {
		some := make([]snapshot.Removal, len(list))
		for i, t := range list {
			some[i] = snapshot.Removal{Hash: t.Hash, Gen: t.Gen, Left: time.Duration(t.Left)}
		}
		if !write(some) {
			return
		}
	}
}

func (s *snapshots) anyRemoval() (found bool) {
	s.removals(func([]snapshot.Removal) bool {
		found = true
		return false
	})
	return found
}

func (s *snapshots) anyOrphan() (found bool) {
	s.orphans(func(engine.Parcel) bool {
		found = true
		return false
	})
	return found
}

// status is the state of this moment.
func (s *snapshots) status() *api.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.state
	return &x
}

// stats is the same for the metrics.
func (s *snapshots) stats() metrics.Snapshots {
	x := s.status()
	m := metrics.Snapshots{Duration: time.Duration(x.Duration * float64(time.Second)), Sessions: x.Sessions, Bytes: x.Bytes, Failures: x.Failures}
	if x.Written != nil {
		m.Written = *x.Written
	}
	return m
}

// snapshotStats is where the metrics of snapshots are read; nil without any.
func (n *node) snapshotStats() func() metrics.Snapshots {
	if n.snapshots == nil {
		return nil
	}
	return n.snapshots.stats
}
