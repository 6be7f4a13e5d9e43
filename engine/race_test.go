//go:build race

package engine

// raceEnabled makes tests with one goroutine do less: the race detector finds nothing in them, and takes thirty times as long.
const raceEnabled = true
