// Package sim runs a farm of many nodes in one process and one goroutine: real cores, a simulated network, simulated time. Everything is decided by a seed, so a
// failure can be replayed. It is for tests and for figures; the program does not contain it.
//
// What is checked while it runs is in truth.go, what is done to the farm in faults.go.
package sim
