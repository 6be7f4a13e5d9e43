// Package member knows who is in the farm, by gossip. It is a thin wrapper around memberlist, which finds nodes, spreads the word, and probes them; nothing here
// decides about sessions.
//
//	UDP, TCP ─▶ transport ─▶ memberlist ─▶ table ─▶ teller ─▶ Handler: Joined, Changed, Dead, Left
//	            (allowed?)       ▲
//	joiner ── addresses ─────────┤
//	announcer ── Meta ───────────┘
//
// Invariants:
//   - A node's name in the gossip is the hex of its message.Node, which is random and new for each process. So what is said about a process that has ended can
//     never be mistaken for something about the one that came after it.
//   - Of one node the Handler hears Joined, then any number of Changed, then Dead or Left, and so on from the start. It is told the latest: what came and went
//     in between is left out. So what waits to be told is bounded by the number of members, and memberlist never waits for us.
//   - Everything that another node says about itself is bounded (MetaMax) and read strictly, or ignored as a whole.
//   - With a secret, nothing that was not encrypted with a key of that secret is read beyond its label.
//   - Two parts of a farm that have lost each other go on looking for each other: at the addresses that were configured, and at those of members that were
//     declared dead, for as long as these are remembered.
//   - Each goroutine of this package is waited for by Close. Those of memberlist have no owner that waits: after Close they do nothing but end.
package member
