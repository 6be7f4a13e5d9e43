// Package naive is a state server written to be obviously right: one mutex, one
// map, a goroutine for each connection, every rule of docs/protocol.md in the
// order in which the document states it, and no thought of speed.
//
// It shows that the conformance cases and the pages agree with the protocol
// before any real server is asked, and, made wrong on purpose with a [Fault],
// that they find what they are meant to find. It is not for production.
package naive
