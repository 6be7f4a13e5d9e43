package link

import (
	"errors"

	"golang.org/x/sys/windows"
)

// isRefused reports whether nobody listens at an address.
func isRefused(err error) bool { return errors.Is(err, windows.WSAECONNREFUSED) }

// isReset reports whether the other side has broken a connection off.
func isReset(err error) bool {
	return errors.Is(err, windows.WSAECONNRESET) || errors.Is(err, windows.WSAECONNABORTED)
}
