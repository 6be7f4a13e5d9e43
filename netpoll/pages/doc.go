// Package pages is a small model of the real client of a state server, ASP.NET
// in StateServer mode, and a suite of page sequences that hold a server to what
// such clients need from it. See docs/protocol.md §9.
//
//	Suite ─▶ Site ─────────────────▶ Client ──────────────▶ the server
//	         what a page does:       the seven methods of
//	         wait, create, save,     the store, a pool of
//	         release, break locks    sockets, one request
//	         (§9.6)                  on each (§9.2 to §9.5)
//
// The model sends what the client sends and makes of the answers what the client
// makes of them: it takes any answer to a save but a 400 for success, ignores
// the Timeout header, breaks locks by their age. It keeps no copy of anything
// the real client does not keep. What tests want to know beyond that, they see
// through [Config.Trace].
//
// It imports nothing of the server and talks plain TCP.
package pages
