// Package wire turns the bytes of the state port into requests, and answers into bytes, and for clients the other way round.
//
// It does no I/O, starts no goroutine, reads no clock, and allocates nothing once a Format is made and as long as dst has room. It
// imports nothing of the project and nothing that could reach a network. What the bytes mean is in docs/protocol.md, sections 2
// to 6; the comments here cite its clauses.
//
// # Reading
//
// ParseHead reads a header block, ParseAnswer the head of an answer. Both keep no state and know three outcomes, never two:
// done, short (read more and call again with all of it), or a Fault. The outcome depends on the bytes alone: neither the cuts
// between segments nor the number of earlier calls can change it, not even which fault is named. Two rules make that so:
//
//   - a byte that §2.5 forbids is a fault as soon as it is there, wherever it stands in the block;
//   - everything else is judged when the block is complete or has outgrown its limit.
//
// Hence every strict prefix of a good head is short.
//
// ParseHead has two speeds. While nothing is wrong it goes over the block once, reading eight bytes at a time where runs are
// long, and at the end of that pass the request is known. As soon as something is odd (nearly always: the rest has not
// arrived yet) the pass is given up and blockEnd, which knows only §2.5 and line ends, decides whether the oddity may be named.
//
// Block, RequestLine, StatusLine and HeaderLine are the pieces of this for readers of other messages with the same form.
//
// # Writing
//
// All Append functions append to dst and return it. A Format holds the fixed parts of all answers, joined in advance.
//
// # Keys
//
// A target is what stands in the request line, a key is what a session is stored under; AppendKey leads from one to the other.
package wire
