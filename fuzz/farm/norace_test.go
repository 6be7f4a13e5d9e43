//go:build !race

package farm

// raceFlags build the program under test as the test itself was built.
var raceFlags []string

// raceEnabled makes tests that do much do less.
const raceEnabled = false

// raceFactor is how much longer anything may take.
const raceFactor = 1
