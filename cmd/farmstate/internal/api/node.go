package api

import (
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
)

// Node is the page /api/v1/node: all that the overview of a farm shows of one node, so that one request does.
type Node struct {
	Status Status        `json:"status"`
	Farm   Farm          `json:"farm"`
	Survey Survey        `json:"survey"`
	Events []event.Event `json:"events"` // the latest, the oldest first
}

// Nodes is the page /api/v1/nodes: the whole farm, asked node by node.
type Nodes struct {
	Now   time.Time  `json:"now"`
	Nodes []NodeView `json:"nodes"` // the one that was asked first, the others by name and id
}

// NodeView is one node of the farm.
type NodeView struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Admin   string `json:"admin_address"`
	State   string `json:"state_address"`
	Peer    string `json:"peer_address"`
	Program string `json:"program"`
	Self    bool   `json:"self"`
	// Health is ok; warning (it lives, and something is missing: see Status.NotReady and Farm.Copies); leaving; silent (it lives by what others say, but its admin
	// pages cannot be read from here); or dead.
	Health string `json:"health"`
	// Seen says by which nodes this one is known as living: ids.
	Seen []string `json:"seen,omitempty"`
	// Error says why Node is missing.
	Error string `json:"error,omitempty"`
	// Skew is how far its clock is ahead of that of the asking process, in seconds, as exactly as the round trip allows. 0 if not asked.
	Skew float64 `json:"clock_skew_seconds"`
	Node *Node   `json:"node,omitempty"`
}

// The values of NodeView.Health.
const (
	HealthOK      = "ok"
	HealthWarning = "warning"
	HealthLeaving = "leaving"
	HealthSilent  = "silent"
	HealthDead    = "dead"
)
