//go:build !race

package main

// raceFlags build the program under test as the test itself was built.
var raceFlags []string
