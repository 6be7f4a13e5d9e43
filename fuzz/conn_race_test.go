//go:build race

package fuzz

// raceEnabled makes tests that do much do less.
const raceEnabled = true
