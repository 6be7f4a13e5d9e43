package main

import (
	"os"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/machine"
	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/appkey"
	"github.com/farmstate/farmstate/netpoll"
)

// status is the page /api/v1/status.
func (n *node) status() api.Status {
	e, p := n.engine.Stats(), n.server.Stats()
	s := api.Status{
		Build:      api.Build(buildInfo()),
		Name:       machineName(),
		Now:        time.Now(),
		Started:    n.started,
		Uptime:     time.Since(n.started).Seconds(),
		Standalone: n.cfg.Standalone,
		State:      n.server.Addr().String(),
		Peer:       n.peerAddr(),
		Admin:      n.adminAddr(),
		LogLevel:   strings.ToLower(n.level.Level().String()),
		Sessions: api.Sessions{
			Count: e.Sessions, Bytes: e.Bytes, MaxMemory: e.MaxMemory,
			Locked: e.Locked, LockWaiters: e.Waiting, Queued: e.Queued,
			Created: e.Created, Removed: e.Removed, Expired: e.Expired,
			LocksLeft: e.LocksLeft, Identical: e.Identical, Arrived: e.Arrived, Left: e.Left,
		},
		Connections: api.Connections{Open: p.Connections, Max: p.MaxConnections, Opened: p.Opened, Closed: p.Closed, Output: p.OutputBytes},
		Operations:  make(map[string]map[string]int64),
		Latency:     make(map[string]api.Latency),
		NearMisses:  make(map[string]int64),
		Malformed:   p.Malformed,
		Process:     processStatus(),
	}
	if n.farm != nil {
		s.Node = n.farm.ID()
	}
	for _, r := range n.notReady() {
		s.NotReady = append(s.NotReady, r.Name+": "+r.Text)
	}
	s.Ready = len(s.NotReady) == 0
	if n.snapshots != nil {
		s.Snapshot = n.snapshots.status()
	}
	for _, op := range engine.Ops() {
		outcomes := make(map[string]int64)
		for _, outcome := range engine.Statuses() {
			if count := e.Answers[op][outcome]; count > 0 {
				outcomes[outcome.String()] = count
			}
		}
		if len(outcomes) > 0 {
			s.Operations[op.String()] = outcomes
		}
	}
	for _, op := range netpoll.TimedOps() {
		if h := p.Latency.Of(op, false).Add(p.Latency.Of(op, true)); h.Count > 0 {
			s.Latency[op.String()] = latencyOf(h)
		}
	}
	for cause := appkey.None + 1; int(cause) < len(e.NearMisses); cause++ {
		s.NearMisses[cause.String()] = e.NearMisses[cause]
	}
	return s
}

// latencyOf is a histogram as the pages show it.
func latencyOf(h netpoll.Histogram) api.Latency {
	l := api.Latency{Count: h.Count, P50: h.Quantile(0.5).Seconds(), P99: h.Quantile(0.99).Seconds()}
	for b := range h.Buckets() {
		l.Max = b.Bound
		l.Buckets = append(l.Buckets, api.Bucket{Le: b.Bound, Count: b.Count})
	}
	return l
}

// processStatus is what the system says of this process.
func processStatus() api.Process {
	total, err := machine.Memory()
	if err != nil {
		total = -1
	}
	open, most := machine.Files()
	return api.Process{PID: os.Getpid(), OpenFiles: open, MaxFiles: most, MemoryLimit: total}
}
