package netpoll

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// numFaults is the number of wire's faults, OK and Short included.
const numFaults = int(wire.BodyTooLarge) + 1

// counts of the server since its start.
type counts struct {
	opened       atomic.Int64
	acceptErrors atomic.Int64
	stalled      atomic.Int64 // requests that stopped arriving (§2.8)
	truncated    atomic.Int64 // requests whose connection ended inside them (§2.10)
	panics       atomic.Int64 // survived
	faults       [numFaults]atomic.Int64
	closes       [numCloseReasons]atomic.Int64
	logged       [numThrottles + numFaults]atomic.Int64 // unix nanoseconds of the last log line of its kind
}

// Kinds of log lines that a client can cause at will: each is written at most once in throttleEvery.
const (
	throttleAccept = iota
	throttlePolicy
	throttleConns
	throttleServe
	numThrottles
)

const throttleEvery = 10 * time.Second

// throttled reports whether a line of this kind may be logged now.
func (s *Server) throttled(kind int) bool {
	last, now := s.logged[kind].Load(), time.Now().UnixNano()
	return now-last >= int64(throttleEvery) && s.logged[kind].CompareAndSwap(last, now)
}

// noteRefused counts a client that allow keeps out, remembers its address, and logs it.
func (s *Server) noteRefused(peer netip.Addr) {
	s.closes[ClosePolicy].Add(1)
	s.clients.refuse(peer, time.Now())
	if s.throttled(throttlePolicy) {
		s.opt.Logger.Warn("a client outside the allowed networks was turned away; add its network to allow if it is a web server of yours",
			"event", "not_allowed", "client", peer)
	}
}

// noteFault counts a malformed request, and logs it with the client's address and the reason, never with what it sent. See docs/protocol.md §6.1.
func (s *Server) noteFault(peer netip.Addr, fault wire.Fault) {
	n := s.faults[fault].Add(1)
	if s.throttled(numThrottles + int(fault)) {
		s.opt.Logger.Warn("a request was malformed and answered 400; most likely it is not ASP.NET that sends it, or something between changes it", "event", "malformed", "reason", fault.String(), "client", peer, "so_far", n)
	}
}

// Stats is a reading of the server's gauges and counters. Counters begin at 0 with the server.
type Stats struct {
	// Gauges.

	Connections    int64
	MaxConnections int64
	OutputBytes    int64 // answers that clients have not taken yet
	IntakeBytes    int64 // bodies on their way in

	// Counters.

	Opened       int64
	AcceptErrors int64
	Stalled      int64
	Truncated    int64
	Panics       int64            // faults of ours that have been survived; the log has them
	Malformed    map[string]int64 // by reason, §6.2
	Closed       map[string]int64 // by CloseReason
	Latency      Latency
}

// Stats reads the gauges and counters.
func (s *Server) Stats() Stats {
	st := Stats{
		Connections: s.conns.Load(), MaxConnections: int64(s.maxConns), OutputBytes: s.output.Load(), IntakeBytes: s.intakes.Load(),
		Opened: s.opened.Load(), AcceptErrors: s.acceptErrors.Load(), Stalled: s.stalled.Load(), Truncated: s.truncated.Load(),
		Panics:    s.panics.Load(),
		Malformed: map[string]int64{}, Closed: map[string]int64{},
		Latency: s.latency(),
	}
	for f := wire.Short + 1; int(f) < len(s.faults); f++ {
		st.Malformed[f.String()] = s.faults[f].Load()
	}
	for r := range s.closes {
		st.Closed[CloseReason(r).String()] = s.closes[r].Load()
	}
	return st
}
