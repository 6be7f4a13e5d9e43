package main

import (
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/appkey"
)

// status is the page /api/v1/status. Its fields are only added to.
type status struct {
	Build      build     `json:"build"`
	Started    time.Time `json:"started"`
	Uptime     float64   `json:"uptime_seconds"`
	Ready      bool      `json:"ready"`
	Standalone bool      `json:"standalone"`
	State      string    `json:"state_address"`
	Admin      string    `json:"admin_address"`

	Sessions    sessionStatus    `json:"sessions"`
	Connections connectionStatus `json:"connections"`
	// Operations counts answers by operation and outcome.
	Operations map[string]map[string]int64 `json:"operations"`
	NearMisses map[string]int64            `json:"near_misses"` // by cause
	Malformed  map[string]int64            `json:"malformed"`   // by reason

	Snapshot *snapshotStatus `json:"snapshot,omitempty"` // if data is set
}

type sessionStatus struct {
	Count       int64 `json:"count"`
	Bytes       int64 `json:"memory_bytes"`
	MaxMemory   int64 `json:"memory_limit_bytes"` // 0 = none
	Locked      int64 `json:"locked"`
	LockWaiters int64 `json:"lock_waiters"`
	Queued      int64 `json:"queued_requests"`
	Created     int64 `json:"created"`
	Removed     int64 `json:"removed"`
	Expired     int64 `json:"expired"`
	LocksLeft   int64 `json:"locks_left"`
	Identical   int64 `json:"identical_saves"`
}

type connectionStatus struct {
	Open   int64            `json:"open"`
	Max    int64            `json:"max"`
	Opened int64            `json:"opened"`
	Closed map[string]int64 `json:"closed"` // by reason
	Output int64            `json:"output_queued_bytes"`
}

func (n *node) status() status {
	e, p := n.engine.Stats(), n.server.Stats()
	s := status{
		Build:      buildInfo(),
		Started:    n.started,
		Uptime:     time.Since(n.started).Seconds(),
		Ready:      n.ready() == nil,
		Standalone: n.cfg.Standalone,
		State:      n.server.Addr().String(),
		Admin:      n.adminAddr(),
		Sessions: sessionStatus{
			Count: e.Sessions, Bytes: e.Bytes, MaxMemory: e.MaxMemory,
			Locked: e.Locked, LockWaiters: e.Waiting, Queued: e.Queued,
			Created: e.Created, Removed: e.Removed, Expired: e.Expired,
			LocksLeft: e.LocksLeft, Identical: e.Identical,
		},
		Connections: connectionStatus{Open: p.Connections, Max: p.MaxConnections, Opened: p.Opened, Closed: p.Closed, Output: p.OutputBytes},
		Operations:  make(map[string]map[string]int64),
		NearMisses:  make(map[string]int64),
		Malformed:   p.Malformed,
	}
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
	for cause := appkey.None + 1; int(cause) < len(e.NearMisses); cause++ {
		s.NearMisses[cause.String()] = e.NearMisses[cause]
	}
	return s
}
