//go:build !linux && !windows && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package machine

func systemMemory() (int64, error) {
	return 0, ErrUnknown
}
