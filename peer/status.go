package peer

import (
	"encoding/hex"
	"maps"
	"time"

	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/legacy"
	"github.com/farmstate/farmstate/peer/link"
	"github.com/farmstate/farmstate/peer/member"
	"github.com/farmstate/farmstate/peer/message"
)

// Stats is a reading of the farm's counters and gauges.
type Stats struct {
	core.Counts
	core.Gauges
	RepairBytes int64 // sent because copies were missing
	Events      map[core.Event]int64
	Copies      CopiesStatus
	Dropped     int64 // states that had to leave the quarantine, for want of room
	Faults      int64 // of ours that have been survived; the log has them
	Links       link.Stats
	Originals   legacy.Stats
	Gossip      *member.Stats // nil without gossip
}

// Stats reads the counters and gauges. They are at most freshFor old, unless the driver does not answer in time: then a second, and as much as it is late.
func (f *Farm) Stats() Stats {
	f.freshen()
	f.shared.mu.Lock()
	s := Stats{Counts: f.shared.counts, Gauges: f.shared.gauges, Events: maps.Clone(f.shared.notices), Copies: f.shared.copies}
	s.RepairBytes = f.shared.repairBytes
	f.shared.mu.Unlock()
	s.Copies.Quarantine = f.quarantine.len()
	s.Dropped = f.quarantine.gone()
	s.Links, s.Faults = f.links.Stats(), f.faults.Load()
	if f.originals != nil {
		s.Originals = f.originals.Stats()
	}
	if f.group != nil {
		g := f.group.Stats()
		s.Gossip = &g
	}
	return s
}

// Status is what the farm looks like from here.
type Status struct {
	Node      string              `json:"node"`
	Address   string              `json:"address"` // where other nodes deliver
	Links     []link.Status       `json:"links"`
	Originals []legacy.PeerStatus `json:"originals,omitempty"`
	Gossip    *GossipStatus       `json:"gossip,omitempty"` // nil without gossip
	Progress  Progress            `json:"drain"`
	Copies    CopiesStatus        `json:"copies"`
}

// Status describes the farm as it looks from here.
func (f *Farm) Status() Status {
	s := Status{Node: hex.EncodeToString(f.node[:]), Address: f.links.Advertised(), Links: f.links.Links(), Progress: f.Progress(), Copies: f.CopiesStatus()}
	if f.originals != nil {
		s.Originals = f.originals.Peers()
	}
	if f.group != nil {
		s.Gossip = f.gossipStatus(s.Links)
	}
	return s
}

// GossipStatus is who is in the farm, as gossip says.
type GossipStatus struct {
	Address string         `json:"address"`
	Health  int64          `json:"health"` // 0 = this node answers in time, as far as it can tell
	Members []MemberStatus `json:"members"`
}

// MemberStatus is another member.
type MemberStatus struct {
	Node    string    `json:"node"`
	Name    string    `json:"name"`
	State   string    `json:"state"` // alive, leaving, dead
	Since   time.Time `json:"since"`
	Peer    string    `json:"peer_address"`
	Web     string    `json:"state_address"`
	Gossip  string    `json:"gossip_address"`
	Admin   string    `json:"admin_address"`
	Program string    `json:"program"`
	Free    int64     `json:"free_bytes"` // -1 = not known
	Linked  bool      `json:"linked"`
}

func (f *Farm) gossipStatus(links []link.Status) *GossipStatus {
	up := map[message.Node]bool{}
	for _, l := range links {
		up[l.Node] = up[l.Node] || l.Up
	}
	s := &GossipStatus{Address: f.group.Addr().String(), Health: f.group.Stats().Health, Members: []MemberStatus{}}
	for _, m := range f.group.Members() {
		s.Members = append(s.Members, MemberStatus{
			Node: hex.EncodeToString(m.Node[:]), Name: m.Name, State: m.Word(), Since: m.Since, Peer: m.PeerAddr, Web: m.StateAddr, Gossip: m.Gossip.String(), Admin: m.AdminAddr,
			Program: m.Program, Free: m.Free, Linked: up[m.Node],
		})
	}
	return s
}
