//go:build !linux

package bench

// newSleeper returns the most precise sleeper there is.
func newSleeper() sleeper { return plainSleeper{} }
