//go:build linux && !race

package chaos

// raceFlags build the program under test as the test itself was built.
var raceFlags []string

// raceFactor is how much longer anything may take.
const raceFactor = 1
