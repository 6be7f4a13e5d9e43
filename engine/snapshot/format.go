package snapshot

import "github.com/farmstate/farmstate/engine"

// format is how a version is read.
type format struct {
	// header reads a whole header, whose preamble has been looked at.
	header func(b, secret []byte) (Header, *sealer, error)
	// record reads the fixed part of a record and its key from the beginning of b: p has all but the body. It returns how many bytes of b that were, how long
	// the body is, and false if there is something that no Writer has written.
	record func(b []byte, p *engine.Parcel) (n int, body int64, ok bool)
	// removals says that there may be frames of them.
	removals bool
}

// oldest is the oldest version that is read.
const oldest = 1

// formats has the versions from oldest to Version.
var formats = [Version - oldest + 1]format{
	{header1, record1, false},
	{header1, record1, true},
}
