package engine

import "unsafe"

// blob is a byte slice in 16 bytes instead of 24: eight megabytes less for each million sessions. Content is at most 2 GiB by the limit of
// the body (netpoll's MaxBody), so 32 bits count it.
type blob struct {
	data *byte
	n, c uint32
}

// makeBlob takes ownership of b.
func makeBlob(b []byte) blob {
	return blob{unsafe.SliceData(b), uint32(len(b)), uint32(cap(b))}
}

func (b blob) len() int { return int(b.n) }
func (b blob) cap() int { return int(b.c) }

// bytes returns the content. Aliases b.
func (b blob) bytes() []byte { return unsafe.Slice(b.data, b.c)[:b.n] }

// overwrite puts src in place of the content. Requires len(src) <= b.cap().
func (b *blob) overwrite(src []byte) {
	b.n = uint32(copy(unsafe.Slice(b.data, b.c), src))
}
