package link

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// soExclusiveAddrUse keeps another process from taking the port over with SO_REUSEADDR.
const soExclusiveAddrUse = ^windows.SO_REUSEADDR

func exclusive(_, _ string, rc syscall.RawConn) error {
	var err error
	if e := rc.Control(func(fd uintptr) {
		err = windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, soExclusiveAddrUse, 1)
	}); e != nil {
		return e
	}
	return err
}
