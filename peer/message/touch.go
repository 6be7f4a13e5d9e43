package message

// AppendTouch appends a session to the body of a Copy with Touch. left is what remains of its life, in ns; it is rounded up to ms and into the range of X-Left.
// Requires a key of 1 to MaxKey bytes. See docs/peer-protocol.md §3.8.
func AppendTouch(dst []byte, key string, left int64) []byte {
	return appendEntry(dst, key, uint64((within(left, maxLeft)+ms-1)/ms))
}

// Touches calls f for each session in the body of a Copy with Touch, until it returns false or the end. If the body is malformed it returns an error, which is
// ErrList; the sessions before the fault have been passed then. A key is a part of a copy of the whole body: clone it to keep it for long.
func Touches(body []byte, f func(key string, left int64) bool) error {
	return entries(body, uint64(maxLeft/ms), func(key string, n uint64) bool { return f(key, int64(n)*ms) })
}
