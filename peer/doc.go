// Package peer is the farm as one node sees it: it joins the engine, which has the sessions, the core, which decides, and the links, which carry messages.
//
//	event loop ── a miss ──▶ Farm.Find ──▶ inbox ─▶┐                    ┌─▶ engine: Arrived, Missing, Left, Stayed
//	link reader ── messages ─────────────▶ inbox ─▶│ driver ─▶ core ────┼─▶ links: Send
//	engine ── a session taken ───────────▶ inbox ─▶┘  (one goroutine)   └─▶ originals
//
// One goroutine, the driver, owns the core. What happens elsewhere is put into its inbox; nobody waits for it but the readers of links, which stop reading when
// the inbox is full. The driver waits for nobody: the engine parks, links queue.
//
// See docs/design/0010-moves.md for what is decided how, and docs/peer-protocol.md for what is sent.
package peer
