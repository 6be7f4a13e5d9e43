// Package core decides how a node finds, moves and hands on sessions: messages and ticks go in, actions come out. See docs/design/0010-moves.md.
//
// It does no I/O, starts no goroutine, has no lock, and is given time and randomness. So the simulator can run hundreds of cores in one process.
package core
