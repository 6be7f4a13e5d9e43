package main

import (
	"errors"

	"golang.org/x/sys/windows"
)

func isAddrInUse(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }

func isNotOurs(err error) bool { return errors.Is(err, windows.WSAEADDRNOTAVAIL) }

// isReserved reports whether Windows keeps the port from us: an excluded
// range, or another program's exclusive use.
func isReserved(err error) bool { return errors.Is(err, windows.WSAEACCES) }
