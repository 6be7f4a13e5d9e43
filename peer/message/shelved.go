package message

import "math"

// AppendShelved appends a session to the body of a Shelved, or of a Copy with Taken. gen and version are those of the copy. Requires a key of 1 to MaxKey
// bytes. See docs/peer-protocol.md §3.8.
func AppendShelved(dst []byte, key string, gen, version uint32) []byte {
	return appendEntry(dst, key, uint64(gen)<<32|uint64(version))
}

// EachShelved calls f for each session in such a body, until it returns false or the end. Errors and keys are as those of Touches.
func EachShelved(body []byte, f func(key string, gen, version uint32) bool) error {
	return entries(body, math.MaxUint64, func(key string, n uint64) bool { return f(key, uint32(n>>32), uint32(n)) })
}
