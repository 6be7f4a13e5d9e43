package pages

import (
	"encoding/binary"
	"errors"
)

// The body of a session is opaque to the server. The model writes it in the real
// layout, but for the items, which are bytes and not serialised objects. See
// docs/protocol.md §9.7.
//
//	int32 LE timeout in minutes | bool items | bool static objects | items | 0xFF

const (
	blobHead = 6
	blobEnd  = 0xff
)

// encodeBlob returns the body for a session.
func encodeBlob(timeout int32, items []byte) []byte {
	b := make([]byte, 0, blobHead+len(items)+1)
	b = binary.LittleEndian.AppendUint32(b, uint32(timeout))
	hasItems := byte(0)
	if len(items) > 0 {
		hasItems = 1
	}
	b = append(b, hasItems, 0)
	b = append(b, items...)
	return append(b, blobEnd)
}

// errBlob says that the server gave back something no page has saved.
var errBlob = errors.New("pages: the body is no session that a page has saved")

// decodeBlob splits a body. The items alias b.
func decodeBlob(b []byte) (timeout int32, items []byte, err error) {
	if len(b) <= blobHead || b[len(b)-1] != blobEnd || b[5] != 0 {
		return 0, nil, errBlob
	}
	items = b[blobHead : len(b)-1]
	if (b[4] == 1) != (len(items) > 0) || b[4] > 1 {
		return 0, nil, errBlob
	}
	return int32(binary.LittleEndian.Uint32(b)), items, nil
}
