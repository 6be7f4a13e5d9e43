//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package netpoll

// hungUp knows nothing here: what the reader has not noticed yet goes unnoticed.
func hungUp(int) bool { return false }
