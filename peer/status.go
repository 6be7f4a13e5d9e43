package peer

import (
	"encoding/hex"
	"maps"

	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/legacy"
	"github.com/farmstate/farmstate/peer/link"
)

// Stats is a reading of the farm's counters and gauges.
type Stats struct {
	core.Counts
	core.Gauges
	Events    map[core.Event]int64
	Faults    int64 // of ours that have been survived; the log has them
	Links     link.Stats
	Originals legacy.Stats
}

// Stats reads the counters and gauges. They are at most a second old.
func (f *Farm) Stats() Stats {
	f.shared.mu.Lock()
	s := Stats{Counts: f.shared.counts, Gauges: f.shared.gauges, Events: maps.Clone(f.shared.notices)}
	f.shared.mu.Unlock()
	s.Links, s.Faults = f.links.Stats(), f.faults.Load()
	if f.originals != nil {
		s.Originals = f.originals.Stats()
	}
	return s
}

// Status is what the farm looks like from here.
type Status struct {
	Node      string              `json:"node"`
	Address   string              `json:"address"` // where other nodes deliver
	Links     []link.Status       `json:"links"`
	Originals []legacy.PeerStatus `json:"originals,omitempty"`
	Progress  Progress            `json:"drain"`
}

// Status describes the farm as it looks from here.
func (f *Farm) Status() Status {
	s := Status{Node: hex.EncodeToString(f.node[:]), Address: f.links.Advertised(), Links: f.links.Links(), Progress: f.Progress()}
	if f.originals != nil {
		s.Originals = f.originals.Peers()
	}
	return s
}
