package bench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// emptyBlob is what ASP.NET stores for a session that nothing has been put in yet, with a life of 20 minutes. See
// docs/protocol.md §9.7.
var emptyBlob = []byte{0x14, 0, 0, 0, 0, 0, 0xff}

// A stamp is the beginning of a body under LoadConfig.Verify:
//
//	 0  4  "fsb1"
//	 4 24  id of the session
//	28  8  counter, little-endian: 1 for the first save, then one more each time
//	36  4  CRC-32C of all other bytes of the body, little-endian
const (
	stampMagic   = "fsb1"
	stampID      = len(stampMagic)
	stampCounter = stampID + sessionIDLen
	stampSum     = stampCounter + 8

	// MinVerifyBody is the least size in bytes of a body that can be verified.
	MinVerifyBody = stampSum + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Faults of a body that came back.
var (
	errBodyShort  = errors.New("body too short to be one that was saved")
	errBodyMagic  = errors.New("body does not begin as one that was saved")
	errBodySum    = errors.New("body is damaged: its checksum is wrong")
	errBodyOthers = errors.New("body of another session")
)

// stamp makes body the save number counter of session id.
func stamp(body, id []byte, counter uint64) {
	copy(body, stampMagic)
	copy(body[stampID:], id)
	binary.LittleEndian.PutUint64(body[stampCounter:], counter)
	binary.LittleEndian.PutUint32(body[stampSum:], bodySum(body))
}

func bodySum(body []byte) uint32 {
	sum := crc32.Update(0, castagnoli, body[:stampSum])
	return crc32.Update(sum, castagnoli, body[MinVerifyBody:])
}

// readStamp returns the counter of a body that is whole and belongs to session id; 0 for the empty blob.
func readStamp(body, id []byte) (counter uint64, err error) {
	switch {
	case bytes.Equal(body, emptyBlob):
		return 0, nil
	case len(body) < MinVerifyBody:
		return 0, errBodyShort
	case string(body[:stampID]) != stampMagic:
		return 0, errBodyMagic
	case binary.LittleEndian.Uint32(body[stampSum:]) != bodySum(body):
		return 0, errBodySum
	case !bytes.Equal(body[stampID:stampCounter], id):
		return 0, errBodyOthers
	}
	return binary.LittleEndian.Uint64(body[stampCounter:]), nil
}

// scribble makes body differ from the last one at the cost of one store, so that the server cannot spare the work of a save by
// seeing that nothing has changed.
func scribble(body []byte, n uint64) {
	if len(body) >= 8 {
		binary.LittleEndian.PutUint64(body, n)
		return
	}
	body[0] = byte(n)
}

// filler returns n bytes that do not compress and do not repeat.
func filler(n int, seed uint64) []byte {
	b := make([]byte, (n+7)&^7)
	c := newChoice(seed, uint64(n))
	for i := 0; i < len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], c.next())
	}
	return b[:n]
}
