package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// Version is that of the files that are written.
const Version = 2

// Header is what a file says about itself.
type Header struct {
	Written time.Time // lives and ages are told as of then; to the ns, in UTC
	Node    [16]byte  // that wrote it
	Farm    string    // of the node, at most 255 bytes; may be empty
	Program string    // that wrote it, at most 255 bytes
	// Salt has to be random if the file is encrypted, and another for each file.
	Salt [32]byte
	// Encrypted is set by Reader; a Writer encrypts if it is given a secret.
	Encrypted bool

	length int64 // of the header, once it was read
}

// Errors of NewReader about a file that is no damaged one, but cannot be read as it is.
var (
	// ErrForeign says that this is a file of something else.
	ErrForeign = errors.New("is no snapshot of farmstate")
	// ErrNoKey says that it is encrypted, and no secret was given.
	ErrNoKey = errors.New("is encrypted, and no key is given")
	// ErrPlain says that it is not encrypted although a secret was given: whoever can write the file could have put anything into it.
	ErrPlain = errors.New("is not encrypted, although a key is given")
	// ErrWrongKey says that it was encrypted with another secret.
	ErrWrongKey = errors.New("was encrypted with another key")
)

// VersionError says that a file has a version that this program does not read.
type VersionError struct{ Version int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("has version %d of the format, and this program reads version %d%s; use the program that wrote it, or a newer one", e.Version, oldest, upTo())
}

func upTo() string {
	if oldest == Version {
		return ""
	}
	return fmt.Sprintf(" to %d", Version)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	magic       = "farmsnap"
	preamble    = 16 // bytes of every version's header that say how to go on
	namesAt     = 72
	checkLen    = 16
	afterNames  = checkLen + 4
	maxHeader   = 1024
	minHeader   = namesAt + 2 + afterNames
	flagsCrypt  = 1
	maxNameLen  = 255
	headerFlags = 10
)

// makeHeader returns the header of a file. With a secret it returns what seals the frames.
func makeHeader(h *Header, secret []byte) ([]byte, *sealer, error) {
	if len(h.Farm) > maxNameLen || len(h.Program) > maxNameLen {
		return nil, nil, fmt.Errorf("snapshot: the names of farm and program have %d and %d bytes; each may have %d", len(h.Farm), len(h.Program), maxNameLen)
	}
	le := binary.LittleEndian
	length := namesAt + 1 + len(h.Farm) + 1 + len(h.Program) + afterNames
	b := []byte(magic)
	b = le.AppendUint16(b, Version)
	var flags uint16
	if secret != nil {
		flags |= flagsCrypt
	}
	b = le.AppendUint16(b, flags)
	b = le.AppendUint32(b, uint32(length))
	b = le.AppendUint64(b, uint64(h.Written.UnixNano()))
	b = append(b, h.Node[:]...)
	b = append(b, h.Salt[:]...)
	b = append(append(b, byte(len(h.Farm))), h.Farm...)
	b = append(append(b, byte(len(h.Program))), h.Program...)
	var s *sealer
	var check [checkLen]byte
	if secret != nil {
		var err error
		if s, check, err = newSealer(secret, h.Salt[:], b); err != nil {
			return nil, nil, err
		}
	}
	b = append(b, check[:]...)
	return le.AppendUint32(b, crc32.Checksum(b, castagnoli)), s, nil
}

// readHeader reads the header of any version that is known.
func readHeader(r io.Reader, secret []byte) (h Header, f *format, s *sealer, err error) {
	b := make([]byte, preamble, maxHeader)
	got, err := io.ReadFull(r, b)
	if string(b[:min(got, len(magic))]) != magic[:min(got, len(magic))] {
		return h, nil, nil, ErrForeign
	}
	if err != nil {
		return h, nil, nil, cut(err)
	}
	le := binary.LittleEndian
	version := int(le.Uint16(b[8:]))
	if version < oldest || version > Version {
		return h, nil, nil, &VersionError{version}
	}
	f = &formats[version-oldest]
	length := le.Uint32(b[12:])
	if length < minHeader || length > maxHeader {
		return h, nil, nil, errDamaged
	}
	b = b[:length]
	if _, err := io.ReadFull(r, b[preamble:]); err != nil {
		return h, nil, nil, cut(err)
	}
	h, s, err = f.header(b, secret)
	h.length = int64(length)
	return h, f, s, err
}

// header1 reads a header of version 1.
func header1(b, secret []byte) (h Header, s *sealer, err error) {
	le := binary.LittleEndian
	end := len(b) - 4
	if crc32.Checksum(b[:end], castagnoli) != le.Uint32(b[end:]) {
		return h, nil, errDamaged
	}
	flags := le.Uint16(b[headerFlags:])
	if flags&^flagsCrypt != 0 {
		return h, nil, errDamaged
	}
	h.Written = time.Unix(0, int64(le.Uint64(b[16:]))).UTC()
	copy(h.Node[:], b[24:])
	copy(h.Salt[:], b[40:])
	h.Encrypted = flags&flagsCrypt != 0
	checkAt := len(b) - afterNames
	rest := b[namesAt:checkAt]
	for _, name := range []*string{&h.Farm, &h.Program} {
		if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
			return h, nil, errDamaged
		}
		*name, rest = string(rest[1:1+int(rest[0])]), rest[1+int(rest[0]):]
	}
	if len(rest) > 0 {
		return h, nil, errDamaged
	}
	switch {
	case !h.Encrypted && secret != nil:
		return h, nil, ErrPlain
	case !h.Encrypted:
		return h, nil, nil
	case secret == nil:
		return h, nil, ErrNoKey
	}
	s, check, err := newSealer(secret, h.Salt[:], b[:checkAt])
	if err == nil && check != [checkLen]byte(b[checkAt:end]) {
		err = ErrWrongKey
	}
	return h, s, err
}
