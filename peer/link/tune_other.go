//go:build !linux

package link

import "net"

// tune is for Linux: see there.
func tune(net.Conn) {}
