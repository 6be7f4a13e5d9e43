//go:build !unix

package machine

// Files returns -1 and -1: this system has no such limit.
func Files() (open, most int64) { return -1, -1 }
