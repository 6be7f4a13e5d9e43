package snapshot

import (
	"encoding/binary"
	"hash/crc32"
)

// The kinds of frames.
const (
	kindRecords = 1
	kindLarge   = 2
	kindMore    = 3
	kindEnd     = 4
	kindRemoved = 5
)

const (
	frameHead = 20 // bytes before the content
	sealedBy  = 16 // of these, those that the checksum and the seal cover

	// fullFrame is how many bytes of records make a frame: what a damaged byte costs. Smaller ones are slower to read. A record that goes beyond may follow, and there have
	// been longer frames, so maxFrame is what a reader takes.
	fullFrame = 8 << 10
	maxFrame  = 384 << 10
	// outLen is how much is written at a time: a system call for each frame would take longer than all the rest.
	outLen = 128 << 10
	// largeBody is the length from which a body has frames of its own. A frame that is not full has room for a shorter one, with the longest key.
	largeBody = 64<<10 + 1
	// partLen is how much of a large record goes into one frame.
	partLen = 256 << 10

	endLen = 16 // of the content of the last frame, not sealed
)

// finishFrame makes a frame of frameHead bytes, which are overwritten, and a content behind them.
func finishFrame(b []byte, number uint64, kind byte, s *sealer) []byte {
	le := binary.LittleEndian
	le.PutUint64(b, number)
	le.PutUint32(b[8:], uint32(len(b)-frameHead+s.extra()))
	le.PutUint32(b[12:], uint32(kind))
	if s != nil {
		sealed := s.seal(number, b[:sealedBy], b[frameHead:])
		b = append(b[:frameHead], sealed...) // where it is already, unless there was no room
	}
	le.PutUint32(b[sealedBy:], frameSum(b[:sealedBy], b[frameHead:]))
	return b
}

func frameSum(head, content []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, content)
}

// openFrame returns the content of a whole frame, decrypted in place, if it is the one with this number.
func openFrame(b []byte, number uint64, s *sealer) (kind byte, content []byte, ok bool) {
	le := binary.LittleEndian
	content = b[frameHead:]
	if le.Uint32(b[sealedBy:]) != frameSum(b[:sealedBy], content) || le.Uint64(b) != number || le.Uint32(b[8:]) != uint32(len(content)) || le.Uint32(b[12:]) > kindRemoved {
		return 0, nil, false
	}
	if s != nil {
		if content, ok = s.open(number, b[:sealedBy], content); !ok {
			return 0, nil, false
		}
	}
	return b[12], content, true
}
