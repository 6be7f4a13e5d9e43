//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package netpoll

import "errors"

// gnet blocks its event loops in Write on Windows, so one client that does not read would stop the others.
const gnetForProduction = false

func newGnet(*Server) (transport, error) {
	return nil, errors.New("the gnet transport is not available on this system: use std, or auto")
}
