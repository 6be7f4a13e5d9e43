package snapshot

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"

	"github.com/farmstate/farmstate/engine"
)

// Writer writes sessions. It takes less than a megabyte of memory beside them. Its methods may be called by one goroutine at a time.
//
// Take and Spill are two things because of where sessions come from: Take copies and does nothing else, so it can be called while a session is entered.
type Writer struct {
	w        io.Writer
	seal     *sealer
	buf      []byte // a frame in the making: room for its head, and records
	part     []byte // a frame of a large record
	out      []byte // frames that are yet to be written: many small ones at a time
	large    []engine.Parcel
	number   uint64 // of the next frame
	sessions int64
	written  int64
	err      error // the first; nothing is written after it
}

// Totals says how much was written.
type Totals struct {
	Sessions int64
	Bytes    int64 // of the file
}

// NewWriter begins a file. With a secret, nil or not empty, it is encrypted, and h.Salt must be random. The error is the writer's, or about names that are too long.
func NewWriter(w io.Writer, h *Header, secret []byte) (*Writer, error) {
	head, s, err := makeHeader(h, secret)
	if err != nil {
		return nil, err
	}
	x := &Writer{w: w, seal: s, buf: make([]byte, frameHead, frameHead+fullFrame+recordHead+maxKey+largeBody+tagLen), out: make([]byte, 0, outLen)}
	x.put(head)
	return x, x.err
}

// Take takes a session. p.Body must stay as it is until Spill has been called if shared is set, and may be overwritten otherwise. Never writes.
func (w *Writer) Take(p engine.Parcel, shared bool) {
	w.sessions++
	if len(p.Body) >= largeBody {
		if !shared {
			p.Body = bytes.Clone(p.Body)
		}
		w.large = append(w.large, p)
		return
	}
	w.buf = append(appendRecordHead(w.buf, &p), p.Body...)
}

// Spill writes what has been taken, if that is enough for a frame. It has to be called after each Take, or there is no bound on the memory and on the length of
// a frame. The error is the writer's; it is the same from then on.
func (w *Writer) Spill() error {
	for i := range w.large {
		w.writeLarge(&w.large[i])
		w.large[i] = engine.Parcel{}
	}
	w.large = w.large[:0]
	if len(w.buf) >= frameHead+fullFrame {
		w.writeRecords()
	}
	return w.err
}

// Close writes what is left, and the end. It does not close what it writes to.
func (w *Writer) Close() (Totals, error) {
	if w.Spill() == nil {
		w.writeRecords()
	}
	end := binary.LittleEndian.AppendUint64(make([]byte, frameHead, frameHead+endLen+tagLen), uint64(w.sessions))
	end = binary.LittleEndian.AppendUint64(end, uint64(w.written)+uint64(len(w.out)))
	w.writeFrame(end, kindEnd)
	w.flush()
	return Totals{w.sessions, w.written}, w.err
}

// Written is how many bytes have been written so far.
func (w *Writer) Written() int64 { return w.written }

func (w *Writer) writeRecords() {
	if len(w.buf) > frameHead {
		w.buf = w.writeFrame(w.buf, kindRecords)[:frameHead]
	}
}

func (w *Writer) writeLarge(p *engine.Parcel) {
	w.writeRecords() // in the order in which they were taken, so that memory is bounded
	if w.part == nil {
		w.part = make([]byte, frameHead, frameHead+partLen+maxKey+recordHead+tagLen)
	}
	b := appendRecordHead(w.part[:frameHead], p)
	kind := byte(kindLarge)
	for part := range slices.Chunk(p.Body, partLen) {
		b = w.writeFrame(append(b, part...), kind)[:frameHead]
		kind = kindMore
	}
}

// writeFrame returns b, or its successor.
func (w *Writer) writeFrame(b []byte, kind byte) []byte {
	b = finishFrame(b, w.number, kind, w.seal)
	w.number++
	w.write(b)
	return b
}

// write writes b, now or later.
func (w *Writer) write(b []byte) {
	if len(w.out)+len(b) > outLen {
		w.flush()
	}
	if len(b) > outLen {
		w.put(b)
		return
	}
	w.out = append(w.out, b...)
}

// flush writes what is yet to be written.
func (w *Writer) flush() {
	w.put(w.out)
	w.out = w.out[:0]
}

func (w *Writer) put(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.w.Write(b)
	w.written += int64(n)
	w.err = err
}
