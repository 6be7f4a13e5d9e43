//go:build race

package farm

// raceFlags build the program under test as the test itself was built.
var raceFlags = []string{"-race"}

// raceEnabled makes tests that do much do less.
const raceEnabled = true

// raceFactor is how much longer anything may take.
const raceFactor = 4
