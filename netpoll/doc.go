// Package netpoll serves the state port: it turns bytes into tickets for the engine, and outcomes into bytes.
//
//	socket ─▶ transport ─▶ conn.event ─▶ wire.ParseHead ─▶ engine.Do ─▶ conn.Answer ─▶ wire.AppendHead ─▶ one write
//
// A connection is served on its lane, one goroutine at a time: with gnet the lane is the event loop, which many connections share; with
// the standard library's network each connection has its own. What runs on a lane never waits: not for a disk, a peer, a
// session or another client.
//
// A request that the engine parks leaves its connection parked: no further request of it is executed until the answer is there. That answer may
// come from another lane; it then goes through the connection's mailbox, and the transport is asked to wake the connection on its own lane.
//
// How long requests take is counted on the lane when their answers have been written, with one reading of the clock for all answers of a batch. See
// Latency for what is part of the time.
//
// Bytes that gnet lends belong to the event loop, not to the connection, and are overwritten by the next client's. Three places copy what must
// live longer: conn.decode, conn.Park and intake.
package netpoll
