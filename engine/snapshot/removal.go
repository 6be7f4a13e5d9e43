package snapshot

import (
	"encoding/binary"
	"slices"
	"time"
)

// Removal says that a session has been removed, so that no older state of it comes back.
type Removal struct {
	Hash uint64        // of its key, by which the farm places copies
	Gen  uint32        // in which it was removed
	Left time.Duration // for which that is to be kept in mind, as of the header's time
}

const (
	removalLen    = 20
	removalsFrame = fullFrame / removalLen
)

// Bury writes removals. Must come before the first Take. The error is the writer's; it is the same from then on.
func (w *Writer) Bury(all []Removal) error {
	le := binary.LittleEndian
	for some := range slices.Chunk(all, removalsFrame) {
		b := w.buf[:frameHead]
		for _, r := range some {
			b = le.AppendUint64(b, r.Hash)
			b = le.AppendUint32(b, r.Gen)
			b = le.AppendUint64(b, uint64(max(0, min(int64(r.Left), maxSpan))))
		}
		w.buf = w.writeFrame(b, kindRemoved)[:frameHead]
	}
	return w.err
}

// bury reads the content of a frame of removals. It returns false if no Writer has written it.
func (r *Reader) bury(content []byte) bool {
	if !r.format.removals || r.sessions > 0 || len(content) == 0 || len(content)%removalLen != 0 {
		return false
	}
	le := binary.LittleEndian
	for b := range slices.Chunk(content, removalLen) {
		left := le.Uint64(b[12:])
		if left > uint64(maxSpan) {
			return false
		}
		if r.Removed != nil {
			r.Removed(Removal{le.Uint64(b), le.Uint32(b[8:]), time.Duration(left)})
		}
	}
	return true
}
