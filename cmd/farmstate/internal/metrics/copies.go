package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/farmstate/farmstate/peer"
)

var (
	copiesWanted   = desc("copies_wanted", "Nodes that are to have each session, the one that serves it included (copies).")
	copiesOfOurs   = desc("copies_sessions", "Sessions of this node of which others have copies.")
	copiesShort    = desc("copies_short_sessions", "Sessions of this node that are on fewer nodes than they shall be (copies).")
	copiesKept     = desc("copies_kept", "Copies of others' sessions that this node keeps.")
	copiesBytes    = desc("copies_kept_bytes", "Bytes of content of the copies that this node keeps.")
	copiesWaiting  = desc("copies_waiting_changes", "Changes that wait until mirrors have them.")
	copiesBacklog  = desc("copies_backlog_bytes", "Bytes of updates to mirrors that are not acknowledged.")
	copiesDoubtful = desc("copies_doubtful", "1 while a mirror has not been heard of for so long that mirrors are asked before anything is read, otherwise 0.")
	repairRunning  = desc("repair_running", "1 while sessions are looked at for copies that are missing, otherwise 0.")
	repairToDo     = desc("repair_remaining_sessions", "Sessions that the walk for missing copies has yet to look at.")
	repairMade     = desc("repair_copies_total", "Sessions whose missing copies have been made, for whatever cause.")
	repairBytes    = desc("repair_bytes_total", "Bytes that were sent because copies were missing.")
	takenOver      = desc("sessions_taken_over_total", "Sessions that were taken over from a copy, because their owner had ended.")
	superseded     = desc("sessions_superseded_total", "Sessions that were put out of service because others have taken them over, or may have.")
	mirrored       = desc("changes_mirrored_total", "Changes of sessions that were told to mirrors.")
	unmirrored     = desc("changes_alone_total", "Changes that were answered although no other node has a copy, because there was none that takes one.")
	copiesRefused  = desc("copies_refused_total", "Updates that mirrors have refused.")
	copiesDropped  = desc("copies_dropped_total", "Copies that were dropped, by cause: told by the owner, expired when the owner had ended, or leftover, because another node serves the session.", "cause")
	copiesResyncs  = desc("copies_resyncs_total", "Mirrors to which everything had to be sent again.")
	quarantined    = desc("quarantine_states", "States of sessions in the quarantine, which gave way to newer ones.")
	quarantineLost = desc("quarantine_dropped_total", "States of sessions that were dropped from the quarantine, because it was full (quarantine_size).")
)

// copies reads the metrics of the copies.
func copies(s peer.Stats, mirroredChanges int64, gauge, counter func(*prometheus.Desc, int64, ...string)) {
	c := s.Copies
	backlog := 0
	for _, m := range c.Mirrors {
		backlog += m.Bytes
	}
	gauge(copiesWanted, int64(c.Copies))
	gauge(copiesOfOurs, int64(c.Copied))
	gauge(copiesShort, c.Short)
	gauge(copiesKept, int64(c.Shelf))
	gauge(copiesBytes, c.ShelfBytes)
	gauge(copiesWaiting, int64(c.Waiting))
	gauge(copiesBacklog, int64(backlog))
	gauge(copiesDoubtful, number(c.Doubtful))
	gauge(repairRunning, number(c.Repair.Running))
	gauge(repairToDo, max(0, c.Repair.Of-c.Repair.Looked)*number(c.Repair.Running))
	counter(repairMade, s.CopiesMade)
	counter(repairBytes, s.RepairBytes)
	counter(takenOver, s.TakenOver)
	counter(superseded, s.Superseded)
	counter(mirrored, mirroredChanges)
	counter(unmirrored, s.Alone)
	counter(copiesRefused, s.CopiesRefused)
	counter(copiesDropped, s.CopiesDropped, "told")
	counter(copiesDropped, s.CopiesExpired, "expired")
	counter(copiesDropped, s.Leftovers, "leftover")
	counter(copiesResyncs, s.Resyncs)
	gauge(quarantined, int64(c.Quarantine))
	counter(quarantineLost, s.Dropped)
}

// number is 1 for true.
func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
