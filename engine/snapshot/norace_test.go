//go:build !race

package snapshot

// raceEnabled makes tests with many rounds do less: they have one goroutine, in which the race detector finds nothing, and take ten times as long with it.
const raceEnabled = false
