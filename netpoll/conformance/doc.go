// Package conformance plays byte-level conversations against a state server and
// says where its bytes or its timing are not what docs/protocol.md demands.
//
// It talks plain TCP to an address and imports nothing of the server, so one
// set of cases holds every transport, and any other server, to the same rules.
//
//	TestMine ─▶ Run ─▶ runCase ─▶ player ─▶ action ─▶ conn ─▶ the server
//	            t.Run   an error   names,    one step   a socket and
//	            a case  or nil     marks                its reader
//
// The server must run with the options the cases are written for: lock_wait
// 400 ms, idle_timeout 30 s, max_body 64 MiB, header blocks to 16 KiB and the
// bare status line. Cases use session ids of their own, so they may run in any
// order, at the same time, and on a server that holds other sessions.
//
// # Cases
//
// Cases are JSON: {"format": 2, "groups": {letter: name}, "cases": [...]}. A
// case has an id, a group, the clauses it checks, tags (slow, timing, large),
// steps that prepare it (given) and steps that are the case. Data is text of
// one byte a character with {S}, {SU}, {S2}, {K} and {K2} standing for ids and
// targets that are new in each run; or a list of such texts and of generated
// pieces. See [Load] for how strictly they are read, and the decode functions
// in talk.go, fan.go, contend.go and pause.go for the keys of each step.
//
// # Waiting
//
// Every connection has a goroutine that reads it all the time and notes when
// bytes came. Times are therefore those of the wire and not of the moment the
// player got round to looking; an answer that came too early is seen as such.
package conformance
