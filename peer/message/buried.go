package message

import (
	"encoding/binary"
	"fmt"
)

// hashLen is how many bytes of an entry are the hash.
const hashLen = 8

// AppendBuried appends a removal to the body of a Copy with Buried: the hash of the key by which copies are placed, the generation in which the session was removed, and
// how long that is to be kept in mind yet, in ns; it is rounded up to ms and into the range of X-Left. See docs/peer-protocol.md §3.8.
func AppendBuried(dst []byte, hash uint64, gen uint32, left int64) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, hash)
	dst = binary.AppendUvarint(dst, uint64(gen))
	return binary.AppendUvarint(dst, uint64((within(left, maxLeft)+ms-1)/ms))
}

// EachBuried calls f for each removal in such a body, until it returns false or the end. Errors are as those of Touches.
func EachBuried(body []byte, f func(hash uint64, gen uint32, left int64) bool) error {
	for at := 0; at < len(body); {
		begin := at
		if len(body)-at < hashLen {
			return fmt.Errorf("%w at byte %d of %d", ErrList, begin, len(body))
		}
		hash := binary.LittleEndian.Uint64(body[at:])
		at += hashLen
		gen, w := uvarint(body[at:])
		at += w
		left, v := uvarint(body[at:])
		at += v
		if w == 0 || v == 0 || gen > 1<<32-1 || left > uint64(maxLeft/ms) {
			return fmt.Errorf("%w at byte %d of %d", ErrList, begin, len(body))
		}
		if !f(hash, uint32(gen), int64(left)*ms) {
			return nil
		}
	}
	return nil
}
