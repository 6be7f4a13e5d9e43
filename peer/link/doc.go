// Package link moves messages between nodes. It decides nothing about sessions: what a message means is peer/core's business.
//
//	socket ─▶ allowed? ─▶ TLS, proof ─▶ Hello ─▶ reader ─▶ Handler.Messages
//	Net.Send ─▶ a link's outbox ─▶ writer ─▶ socket
//
// A link has one reader and one writer, and its outbox is bounded: whatever is not sent has a Drop reason, and whatever ends a link or a connection that was
// to become one has a CloseReason. Both are names that logs and metrics use.
//
// Trust grows in steps. Of a stranger, TLS and one proof of fixed size are read; of one that has the secret or a certificate, a Hello of a few hundred bytes;
// after that it is a node, and its messages are what the Handler sees, always under the name that its Hello had. A node may still be hostile or broken:
// it can make us neither crash nor take memory without a bound, and it cannot speak for another node.
//
// How links look on the wire is in docs/peer-protocol.md §2.
package link
