// Package message has the messages between farmstate nodes, and their bytes.
//
// A message keeps the form that the peers of the original peer-to-peer state server use: a start line, headers, an empty line and, for a session, its
// content. So one parser reads both, a relay can show both, and a person can read both. What the original lacks is said with further headers and
// further status numbers. See docs/peer-protocol.md §3.
//
// It does no I/O, starts no goroutine, reads no clock, and keeps no state between calls.
package message
