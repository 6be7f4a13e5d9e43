// Package legacy links this node to originals: nodes of the peer-to-peer state server that farmstate follows. See docs/peer-protocol.md §8.
//
// It is a room of its own. What originals need (one write a message, 15 ms between messages of a connection, no answer but silence to a query,
// sessions that arrive on other connections, digest authentication, encryption with a fixed vector) is here and nowhere else, and what is here
// decides nothing about sessions: a Net tells its Handler what originals send, and sends what it is told.
//
// # Reading and writing
//
// A Reader reads messages from a stream, however its bytes are cut; Append writes one. Both keep no state between messages, do no I/O of their
// own and read no clock. The values of the authentication are in digest.go, the encryption is in cipher.go.
//
// # Connections
//
// All connections are alike, whoever dialled: each has a reader and a writer, and either side may send any message. A connection is a live link
// once it has carried a PING; it is a transfer link if it was dialled to deliver a session.
//
//	Net.keep, one for each original:   dials its live link, again and again
//	Net.Accept:                        connections that originals have dialled
//	Net.Deliver, one for each session: takes an idle transfer link or dials one
package legacy
