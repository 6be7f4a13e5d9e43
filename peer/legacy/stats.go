package legacy

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
)

// reason says why something was dropped, refused or ended. The names are stable: log fields, metric labels and tests use them.
type reason uint8

// Why connections end.
const (
	endEOF       reason = iota // the other side closed it
	endReset                   // it broke
	endSilent                  // nothing came for 30 s
	endSlow                    // one message took too long to arrive
	endUnproved                // 15 s have passed without authentication
	endUnread                  // the other side does not read
	endMalformed               // what came cannot be read, or is a response that is none
	endUnasked                 // a response, and we had sent nothing
	endAttempts                // too many failed authentications from this address
	endRefused                 // it refused our authentication
	endReflected               // it challenged us with a nonce of ours
	endNoPing                  // it does not answer our PING
	endFlood                   // more requests than answers can be sent
	endSpent                   // a transfer link that has done its work
	endFailed                  // a transfer link on which a transfer failed
	endStranger                // from an address that is no original's
	endTooMany                 // the address has as many as it may have
	endShutdown                // this node stops
	numEnds
)

var endNames = [numEnds]string{
	"eof", "reset", "silent", "slow", "unauthenticated", "unread", "malformed", "unasked", "attempts", "auth_refused", "reflected",
	"ping_unanswered", "flood", "spent", "transfer_failed", "stranger", "too_many", "shutdown",
}

// Why messages are dropped.
const (
	dropUnproved  reason = iota // a PING or query without the authentication that is wanted
	dropMalformed               // a PING or query that is malformed
	dropHost                    // a query that wants the session delivered where nothing can be delivered
	dropNoLink                  // a query of ours: there is no live link
	dropFull                    // a query of ours: the queue of the link is full
	dropStale                   // a query of ours: it waited longer than QueryTimeout
	dropTarget                  // a query of ours: its target cannot be written so that an original reads it
	dropLate                    // an answer to a transfer that nobody waits for
	dropAnswer                  // an answer of ours to a transfer: the connection has ended
	numDrops
)

var dropNames = [numDrops]string{
	"unauthenticated", "malformed", "bad_host", "no_link", "queue_full", "stale", "bad_target", "late_answer", "answer_lost",
}

// Why authentications fail.
const (
	authWrong     reason = iota // somebody proved no password of ours
	authMalformed               // an answer to our challenge that is malformed, or to none
	authRefused                 // our proof was refused
	authUnproved                // whom we dialled did not prove the password
	authSilent                  // whom we dialled did not go on
	authReflected               // a nonce of ours came back
	authAttempts                // not even looked at: too many failures from this address
	numAuths
)

var authNames = [numAuths]string{"wrong_password", "malformed", "refused", "unproved", "silent", "reflected", "attempts"}

// Verdict is what became of a transfer that has arrived.
type Verdict uint8

// The verdicts. The original deletes its copy on the first two: give them only if there is a copy here that stays.
const (
	Stored      Verdict = iota // 200
	Exists                     // 412
	Unavailable                // 503
	Bad                        // 400
	numVerdicts
)

var verdictNames = [numVerdicts]string{"stored", "exists", "unavailable", "bad"}

func (v Verdict) status() int { return [numVerdicts]int{200, 412, 503, 400}[v] }

// Result is what became of a transfer that was sent.
type Result uint8

// The results.
const (
	Delivered    Result = iota // 200
	AlreadyThere               // 412: there is one with this key, in whatever state; the original would delete its own now
	Failed
)

// Outcome is what became of a transfer that was sent.
type Outcome struct {
	Result Result
	Reason string // why it Failed; one of the names in Stats.Failed
	// Uncertain means that it Failed, but that the original may have stored it: it got all, and its answer did not come.
	Uncertain bool
}

// failure says why a delivery failed. The zero value is no failure.
type failure uint8

const (
	noFailure failure = iota
	failHost          // the host is none, or is not allowed
	failSelf          // the host is this node
	failTarget
	failSize
	failConnect
	failAuth   // the authentication on the new connection failed
	failBroken // the connection ended first
	failSilent // no answer in time
	fail400
	fail401
	fail503
	failOther // another answer
	failBusy  // too many deliveries
	failShutdown
	numFailures
)

var failureNames = [numFailures]string{
	"", "bad_host", "own_host", "bad_target", "too_large", "connect", "auth", "broken", "no_answer", "refused_400", "refused_401", "refused_503",
	"refused_other", "busy", "shutdown",
}

// counts of a Net since its start.
type counts struct {
	queriesIn, queriesOut       atomic.Int64
	pingsIn, pingsOut           atomic.Int64
	delivered, alreadyThere     atomic.Int64
	noMemory, unproved, badIn   atomic.Int64 // transfers that were not shown to the handler
	retried, wrongPort, opened  atomic.Int64
	verdicts                    [numVerdicts]atomic.Int64
	failures                    [numFailures]atomic.Int64
	drops                       [numDrops]atomic.Int64
	ends                        [numEnds]atomic.Int64
	auths                       [numAuths]atomic.Int64
	connections, waitingDeliver atomic.Int64 // gauges
}

// Stats is a reading of the gauges and counters. Counters begin at 0 with the Net.
type Stats struct {
	// Gauges.

	Originals   int64 // that have a live link
	Connections int64 // of all kinds
	Deliveries  int64 // under way or waiting

	// Counters.

	Opened          int64 // connections, dialled and accepted
	PingsReceived   int64
	PingsSent       int64
	QueriesReceived int64
	QueriesSent     int64
	Delivered       int64
	AlreadyThere    int64
	Retried         int64            // deliveries that needed a second connection
	Failed          map[string]int64 // deliveries, by Outcome.Reason
	Received        map[string]int64 // transfers: by verdict, and "no_memory", "unauthenticated" and "malformed"
	Dropped         map[string]int64 // messages, by reason
	WrongPort       int64            // requests that belong on the state port
	Closed          map[string]int64 // connections, by reason
	AuthFailed      map[string]int64 // by reason
}

// Stats reads the gauges and counters.
func (n *Net) Stats() Stats {
	c := &n.counts
	st := Stats{
		Connections: c.connections.Load(), Deliveries: c.waitingDeliver.Load(), Opened: c.opened.Load(),
		PingsReceived: c.pingsIn.Load(), PingsSent: c.pingsOut.Load(), QueriesReceived: c.queriesIn.Load(), QueriesSent: c.queriesOut.Load(),
		Delivered: c.delivered.Load(), AlreadyThere: c.alreadyThere.Load(), Retried: c.retried.Load(), WrongPort: c.wrongPort.Load(),
		Failed:   tally(c.failures[1:], failureNames[1:]),
		Received: tally(c.verdicts[:], verdictNames[:]),
		Dropped:  tally(c.drops[:], dropNames[:]),
		Closed:   tally(c.ends[:], endNames[:]), AuthFailed: tally(c.auths[:], authNames[:]),
	}
	st.Received["no_memory"], st.Received["unauthenticated"], st.Received["malformed"] = c.noMemory.Load(), c.unproved.Load(), c.badIn.Load()
	for _, p := range n.Peers() {
		if p.Live {
			st.Originals++
		}
	}
	return st
}

func tally(counters []atomic.Int64, names []string) map[string]int64 {
	m := make(map[string]int64, len(names))
	for i := range counters {
		m[names[i]] = counters[i].Load()
	}
	return m
}

// endOf says why a connection ends on which reading failed for no reason of ours.
func endOf(err error) reason {
	var fault Fault
	switch {
	case errors.As(err, &fault):
		return endMalformed
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return endEOF
	}
	return endReset
}
