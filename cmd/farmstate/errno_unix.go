//go:build !windows

package main

import (
	"errors"
	"syscall"
)

func isAddrInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

func isNotOurs(err error) bool { return errors.Is(err, syscall.EADDRNOTAVAIL) }

// isReserved is about Windows alone.
func isReserved(error) bool { return false }
