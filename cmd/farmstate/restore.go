package main

import (
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/snapshot"
	"github.com/farmstate/farmstate/netpoll"
	"github.com/farmstate/farmstate/peer"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/message"
)

// shelf takes sessions that must not be served before it is known that no other node has newer ones: copies whose owner has ended. The body becomes its own.
type shelf interface {
	Shelve(owner message.Node, p engine.Parcel) bool
}

var _ shelf = (*peer.Farm)(nil)

// loadInto says where the sessions of a snapshot go. Those of a node that may have others beside it go onto the shelf: what was written may have moved on meanwhile. A node
// that is alone serves them. The function returns false for want of memory.
func (n *node) loadInto() func(owner message.Node, p engine.Parcel) bool {
	if n.mayHaveOthers() {
		return onto(n.farm, n.engine)
	}
	return func(_ message.Node, p engine.Parcel) bool { return settle(n.engine, n.clock, p) }
}

// onto puts sessions onto a shelf, if there is room.
func onto(s shelf, e *engine.Engine) func(owner message.Node, p engine.Parcel) bool {
	return func(owner message.Node, p engine.Parcel) bool {
		return e.Room(int64(cap(p.Body))) && s.Shelve(owner, p)
	}
}

// buryInto says where the removals of a snapshot go, which come before the sessions: to the farm, if there may be others who have older states than those. nil: nowhere.
func (n *node) buryInto() func(snapshot.Removal) {
	if !n.mayHaveOthers() {
		return nil
	}
	return func(r snapshot.Removal) { n.farm.Bury([]core.Tomb{{Hash: r.Hash, Gen: r.Gen, Left: int64(r.Left)}}) }
}

// mayHaveOthers reports whether the configuration has a way to other nodes.
func (n *node) mayHaveOthers() bool {
	return n.farm != nil && (len(n.cfg.Peers)+len(n.cfg.LegacyPeers) > 0 || n.cfg.GossipAddr() != "")
}

// settle puts a session into the engine, if there is room.
func settle(e *engine.Engine, clock *netpoll.Clock, p engine.Parcel) bool {
	if !e.Room(int64(cap(p.Body))) {
		return false
	}
	e.Place(clock.Now(), engine.NoLane, p) // What is here already, of another node, is newer, or as new.
	return true
}

// restore reads the snapshot of the last run, if there is one. Must come before the state port opens.
func (n *node) restore() error {
	s := n.snapshots
	if s == nil {
		return nil
	}
	began := time.Now()
	into := n.loadInto()
	x, ok, err := s.dir.Load(began, s.key, n.buryInto(), func(h *snapshot.Header, p engine.Parcel) bool { return into(message.Node(h.Node), p) })
	if err != nil {
		return usageError(err)
	}
	if !ok {
		return nil
	}
	loaded := &api.Loaded{Written: x.Header.Written, Sessions: x.Sessions, Expired: x.Expired, NoRoom: x.Refused}
	if x.Plain {
		n.logger.Warn("the snapshot was not encrypted, although there is a key: it was written before there was one, or somebody has put it there", "event", "snapshot_plain", "directory", s.dir.Path())
	}
	if x.Damage != nil {
		loaded.Damage = x.Damage.Error()
		n.logger.Warn("the snapshot "+loaded.Damage+"; it will be kept beside the next one, as farmstate-sessions.snapshot.kept", "event", "snapshot_damaged", "directory", s.dir.Path(),
			"offset", x.Damage.Offset, "sessions", x.Damage.Sessions, "unread_bytes", x.Damage.Unread, "missing", missing(x.Damage))
	}
	if x.Refused > 0 {
		n.logger.Warn("sessions of the snapshot did not fit into max_memory; raise it. The file will be kept beside the next one, as farmstate-sessions.snapshot.kept", "event", "snapshot_no_room",
			"sessions", x.Refused, "max_memory", n.engine.Stats().MaxMemory)
	}
	age, after := began.Sub(x.Header.Written).Round(time.Second), time.Since(began).Round(time.Millisecond)
	switch {
	case x.Header.Written.IsZero():
	case x.Damage != nil || x.Refused > 0:
		n.logger.Warn("only a part of the sessions of the last run is here again", "event", "snapshot_loaded", "sessions", x.Sessions, "expired", x.Expired, "no_room", x.Refused,
			"unread_bytes", unread(x.Damage), "missing", missing(x.Damage), "bytes", x.Bytes, "age", age, "after", after)
	default:
		n.logger.Info("the sessions of the last run are here again", "event", "snapshot_loaded", "sessions", x.Sessions, "expired", x.Expired, "no_room", x.Refused,
			"bytes", x.Bytes, "age", age, "after", after)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Loaded = loaded
	return nil
}

// missing is how many sessions of a snapshot could not be read, as far as that is known. d may be nil.
func missing(d *snapshot.Damage) any {
	switch {
	case d == nil:
		return 0
	case d.KnownTotal:
		return d.Total - d.Sessions
	}
	return "unknown"
}

// unread is how many bytes of a snapshot could not be read. d may be nil.
func unread(d *snapshot.Damage) int64 {
	if d == nil {
		return 0
	}
	return d.Unread
}
