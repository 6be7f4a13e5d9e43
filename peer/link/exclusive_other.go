//go:build !windows

package link

import "syscall"

// exclusive has nothing to do: without SO_REUSEPORT, which we never set, a listening port is ours alone.
func exclusive(string, string, syscall.RawConn) error { return nil }
