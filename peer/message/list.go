package message

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrList says that the body of a Copy with Touch, Taken or Buried, or of a Shelved, is no list of sessions.
var ErrList = errors.New("message: a list of sessions is malformed")

// appendEntry appends one session to a list, and a number with it. See docs/peer-protocol.md §3.8.
func appendEntry(dst []byte, key string, n uint64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	dst = append(dst, key...)
	return binary.AppendUvarint(dst, n)
}

// entries calls f for each entry of a list, until it returns false. high bounds the numbers. The keys share one copy of body.
func entries(body []byte, high uint64, f func(key string, n uint64) bool) error {
	list := string(body)
	for at := 0; at < len(body); {
		size, w := uvarint(body[at:])
		if w == 0 || size == 0 || size > MaxKey || size > uint64(len(body)-at-w) {
			return fmt.Errorf("%w at byte %d of %d", ErrList, at, len(body))
		}
		key := at + w
		behind := key + int(size)
		n, w := uvarint(body[behind:])
		if w == 0 || n > high {
			return fmt.Errorf("%w at byte %d of %d", ErrList, behind, len(body))
		}
		at = behind + w
		if !f(list[key:behind], n) {
			return nil
		}
	}
	return nil
}

// uvarint reads a number in its only form, that without zeros in front. w is how many bytes it takes, 0 if there is none.
func uvarint(b []byte) (n uint64, w int) {
	n, w = binary.Uvarint(b)
	if w <= 0 || w > 1 && b[w-1] == 0 {
		return 0, 0
	}
	return n, w
}
