package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/farmstate/farmstate/peer"
)

var (
	neighbours     = desc("farm_neighbours", "Nodes that are asked for sessions that are not here.")
	farmLinks      = desc("farm_links", "Links to other nodes, those that only deliver sessions among them.")
	handshakes     = desc("farm_handshakes", "Accepted connections that have not said yet who they are.")
	linkQueued     = desc("farm_link_queued_bytes", "Bytes that wait to be sent to other nodes.")
	searching      = desc("farm_searches", "Sessions that are being looked for.")
	moving         = desc("farm_moves", "Sessions that are on their way to another node.")
	holding        = desc("farm_held", "Sessions that have come and are not this node's yet.")
	searches       = desc("farm_searches_total", "Sessions that were looked for in the farm, by result: missing ones are nowhere, undecided ones could not be found out about in time.", "result")
	queries        = desc("farm_queries_total", "Queries of other nodes, by what was special about them.", "kind")
	moves          = desc("farm_moves_total", "Sessions that moved, by direction; called_off ones have stayed, handed_over ones (out ones, too) were asked for by nobody.", "direction")
	farmRepeats    = desc("farm_repeats_total", "Questions and transfers that were sent again because no answer came.")
	conflicts      = desc("farm_conflicts_total", "Times that two copies of a session met and the older one was dropped.")
	recoveries     = desc("farm_recoveries_total", "Sessions taken over from a node that ended while it was handing them on.")
	farmOverflows  = desc("farm_overflows_total", "Queries and sessions of other nodes that were turned away because a bound was reached.")
	farmCuts       = desc("farm_requests_cut_total", "Requests that were told to come again, by cause: timeout is query_timeout, contention is transfer_queue.", "cause")
	farmFaults     = desc("farm_faults_total", "Faults of farmstate itself, in the part that belongs to the farm, that were survived; the log has them.")
	linksOpened    = desc("farm_links_opened_total", "Links that were made.")
	linksClosed    = desc("farm_links_closed_total", "Links that ended, and connections to the peer port that did not become one, by reason.", "reason")
	linkDrops      = desc("farm_messages_dropped_total", "Messages to other nodes that were not sent, by reason.", "reason")
	linkMessages   = desc("farm_messages_total", "Messages between nodes, by direction.", "direction")
	linkBytes      = desc("farm_bytes_total", "Bytes between nodes, by direction.", "direction")
	members        = desc("members", "Other nodes that gossip knows, by state; dead ones are remembered for an hour.", "state")
	gossipHealth   = desc("gossip_health", "How far this node doubts that it answers in time: 0 is well, 7 is the worst.")
	gossipRefused  = desc("gossip_refused_total", "Packets and connections of gossip that were dropped, by reason.", "reason")
	originalsUp    = desc("originals", "Originals (legacy_peer) with a live link.")
	originalMoves  = desc("original_moves_total", "Sessions that moved from or to originals, by direction; failed ones have stayed.", "direction")
	originalClosed = desc("original_connections_closed_total", "Connections with originals that ended, by reason.", "reason")
	originalDrops  = desc("original_messages_dropped_total", "Messages from and to originals that were dropped, by reason.", "reason")
	originalAuth   = desc("original_auth_failures_total", "Authentications with originals that failed, by reason.", "reason")
)

// farm reads the metrics of the farm.
func farm(s peer.Stats, gauge, counter func(*prometheus.Desc, int64, ...string)) {
	gauge(neighbours, int64(s.Links.Neighbours))
	gauge(farmLinks, int64(s.Links.Links))
	gauge(handshakes, int64(s.Links.Handshakes))
	gauge(linkQueued, int64(s.Links.QueuedBytes))
	gauge(searching, int64(s.Searching))
	gauge(moving, int64(s.Moving))
	gauge(holding, int64(s.Holding))
	counter(searches, s.Searches-s.SearchMisses-s.Undecided, "found")
	counter(searches, s.SearchMisses, "missing")
	counter(searches, s.Undecided, "undecided")
	counter(queries, s.Queries, "new")
	counter(queries, s.Duplicates, "duplicate")
	counter(queries, s.Chases, "chased")
	counter(queries, s.Rebroadcasts, "rebroadcast")
	counter(moves, s.MovesIn, "in")
	counter(moves, s.MovesOut, "out")
	counter(moves, s.MovesOff, "called_off")
	counter(moves, s.HandedOver, "handed_over")
	counter(farmRepeats, s.Repeated)
	counter(conflicts, s.Conflicts)
	counter(recoveries, s.Recovered)
	counter(farmOverflows, s.Overflows)
	counter(farmFaults, s.Faults)
	counter(linksOpened, s.Links.Opened)
	for reason, n := range s.Links.Closes {
		counter(linksClosed, n, reason.String())
	}
	for reason, n := range s.Links.Drops {
		counter(linkDrops, n, reason.String())
	}
	counter(linkMessages, s.Links.MessagesIn, "in")
	counter(linkMessages, s.Links.MessagesOut, "out")
	counter(linkBytes, s.Links.BytesIn, "in")
	counter(linkBytes, s.Links.BytesOut, "out")
	if g := s.Gossip; g != nil {
		for state, n := range g.Members {
			gauge(members, n, state)
		}
		gauge(gossipHealth, g.Health)
		counter(gossipRefused, g.WrongSecret, "wrong_secret")
		counter(gossipRefused, g.NotAllowed, "not_allowed")
		counter(gossipRefused, g.TooMany, "too_many")
	}
	gauge(originalsUp, s.Originals.Originals)
	counter(originalMoves, s.OriginalIn, "in")
	counter(originalMoves, s.OriginalOut, "out")
	counter(originalMoves, s.OriginalFails, "failed")
	for reason, n := range s.Originals.Closed {
		counter(originalClosed, n, reason)
	}
	for reason, n := range s.Originals.Dropped {
		counter(originalDrops, n, reason)
	}
	for reason, n := range s.Originals.AuthFailed {
		counter(originalAuth, n, reason)
	}
}
