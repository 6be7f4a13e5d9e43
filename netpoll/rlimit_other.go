//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package netpoll

// connLimit is want: this system has no limit of open sockets that we could ask for.
func connLimit(want, _ int) int { return want }
