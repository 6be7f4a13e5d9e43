package api

import "time"

// Status is the page /api/v1/status: one node.
type Status struct {
	Build      Build     `json:"build"`
	Node       string    `json:"node,omitempty"` // its id in the farm; empty without one
	Name       string    `json:"name"`           // of the machine, for people
	Now        time.Time `json:"now"`            // by its clock
	Started    time.Time `json:"started"`
	Uptime     float64   `json:"uptime_seconds"`
	Ready      bool      `json:"ready"`
	NotReady   []string  `json:"not_ready,omitempty"` // why
	Standalone bool      `json:"standalone"`
	State      string    `json:"state_address"`
	Peer       string    `json:"peer_address,omitempty"`
	Admin      string    `json:"admin_address"`
	LogLevel   string    `json:"log_level"`

	Sessions    Sessions    `json:"sessions"`
	Connections Connections `json:"connections"`
	// Operations counts answers by operation and outcome.
	Operations map[string]map[string]int64 `json:"operations"`
	Latency    map[string]Latency          `json:"latency"`     // by operation
	NearMisses map[string]int64            `json:"near_misses"` // by cause
	Malformed  map[string]int64            `json:"malformed"`   // by reason
	Process    Process                     `json:"process"`

	Snapshot *Snapshot `json:"snapshot,omitempty"` // if data is set
}

// Build says what runs.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	System  string `json:"system"`
}

// Sessions counts the sessions of a node, and what has happened to them since it started.
type Sessions struct {
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
	Arrived     int64 `json:"arrived"` // from other nodes
	Left        int64 `json:"left"`    // to other nodes
}

// Connections counts connections to the state port.
type Connections struct {
	Open   int64            `json:"open"`
	Max    int64            `json:"max"`
	Opened int64            `json:"opened"`
	Closed map[string]int64 `json:"closed"` // by reason
	Output int64            `json:"output_queued_bytes"`
}

// Latency says how long requests took, from when they were read until their answer was ready to be sent; waits for a lock or for another node are part of it.
type Latency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50_seconds"`
	P99   float64 `json:"p99_seconds"`
	Max   float64 `json:"max_seconds"` // the upper bound of the highest bucket that is not empty
	// Buckets has the counts of requests that took at most so long, in seconds, and longer than the one before.
	Buckets []Bucket `json:"buckets"`
}

// Bucket is one bar of a histogram.
type Bucket struct {
	Le    float64 `json:"le"`
	Count int64   `json:"count"`
}

// Process is what the operating system says of a node; -1 where it is not known.
type Process struct {
	PID       int   `json:"pid"`
	OpenFiles int64 `json:"open_files"`
	MaxFiles  int64 `json:"max_files"`

	MemoryLimit int64 `json:"machine_memory_bytes"`
}

// Snapshot says how the snapshots are.
type Snapshot struct {
	Directory string     `json:"directory"`
	Encrypted bool       `json:"encrypted"`
	Interval  float64    `json:"interval_seconds"` // 0 = at a stop only
	Running   bool       `json:"running"`          // one is being written
	Written   *time.Time `json:"last_success"`     // null if none has been since the start
	Duration  float64    `json:"duration_seconds"`
	Sessions  int64      `json:"sessions"`
	Bytes     int64      `json:"bytes"`
	LeftOut   int64      `json:"left_out"` // sessions that were on their way to another node, or occupied
	Failures  int64      `json:"failures"`
	LastError string     `json:"last_error,omitempty"`

	Loaded *Loaded `json:"loaded"` // null if there was nothing at the start
}

// Loaded says what was read at the start.
type Loaded struct {
	Written  time.Time `json:"written"`
	Sessions int64     `json:"sessions"`
	Expired  int64     `json:"expired"`
	NoRoom   int64     `json:"no_room"` // for want of memory
	Damage   string    `json:"damage,omitempty"`
}
