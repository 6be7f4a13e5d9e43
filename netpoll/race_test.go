//go:build race

package netpoll

// raceEnabled makes tests that measure time more patient.
const raceEnabled = true
