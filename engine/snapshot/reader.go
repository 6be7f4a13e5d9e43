package snapshot

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/farmstate/farmstate/engine"
)

// Reader reads sessions. It believes nothing that it has not checked: whatever the file is, no more memory is taken than the file is long, beside less than a megabyte.
// Its methods may be called by one goroutine at a time.
type Reader struct {
	// Removed is called, during the first Next, with the removals in the file. It may be set before; nil: nobody wants to know of them.
	Removed func(Removal)

	r      io.Reader
	size   int64
	header Header
	format *format
	seal   *sealer

	buf      []byte // a frame
	rest     []byte // of a frame of records: those to come; aliases buf
	number   uint64 // of the next frame
	at       int64  // offset of the next frame
	sessions int64
	err      error // of Next, from now on

	lost   *Damage // the first that was met; nil so far
	spoilt int64   // bytes of the frame that was read last and is not as it was written, if its end is known
	unread int64   // bytes before at that could not be read
}

// NewReader reads the header of a file of size bytes. With a secret it must have been encrypted with it, without one it must not be encrypted. The error is one of this
// package, a [*Damage], or the reader's.
func NewReader(r io.Reader, size int64, secret []byte) (*Reader, error) {
	x := &Reader{r: r, size: size}
	var err error
	if x.header, x.format, x.seal, err = readHeader(r, secret); errors.Is(err, errDamaged) || errors.Is(err, errCut) {
		return nil, x.damage(err)
	} else if err != nil {
		return nil, err
	}
	x.at = x.header.length
	return x, nil
}

// Header is what the file says about itself.
func (r *Reader) Header() Header { return r.header }

// Next returns the next session; its body is the caller's. The error is io.EOF at the end of a whole file, or a [*Damage]: then all sessions have been read that are in
// frames that are as they were written, as far as these can be found.
func (r *Reader) Next() (p engine.Parcel, err error) {
	for r.err == nil && len(r.rest) == 0 {
		var found bool
		if found, r.err = r.nextFrame(&p); found {
			return p, nil
		}
	}
	if r.err != nil {
		return engine.Parcel{}, r.err
	}
	n, body, ok := r.format.record(r.rest, &p)
	if !ok || body > int64(len(r.rest)-n) {
		// The frame is as it was written, so this is a fault of the writer, or another one's file.
		r.err = r.miss(r.damage(errDamaged))
		return engine.Parcel{}, r.err
	}
	p.Body = append([]byte(nil), r.rest[n:n+int(body)]...)
	r.rest = r.rest[n+int(body):]
	r.sessions++
	return p, nil
}

// nextFrame reads a frame of records, or all of a large one, which it returns.
func (r *Reader) nextFrame(p *engine.Parcel) (found bool, err error) {
	kind, content, err := r.read()
	if err != nil {
		return false, r.miss(err)
	}
	switch {
	case kind == kindRecords && len(content) > 0:
		r.rest = content
		return false, nil
	case kind == kindRemoved && r.bury(content):
		return false, nil
	case kind == kindLarge:
		if err := r.large(content, p); err != nil {
			return false, r.miss(err)
		}
		return true, nil
	case kind == kindMore && r.lost != nil: // of a session whose beginning is lost
		r.unread += int64(frameHead + len(content) + r.seal.extra())
		return false, nil
	case kind == kindEnd && r.isEnd(content):
		if r.lost != nil {
			return false, r.loss()
		}
		return false, io.EOF
	}
	return false, r.miss(r.damage(errDamaged))
}

// miss takes note of damage, and passes over a frame that is not as it was written. Each frame tells whether it is whole and which one it is, so what is read behind it is
// what was written. If the length of the frame is damaged, nothing fits any more until the end.
func (r *Reader) miss(err error) error {
	d, ok := errors.AsType[*Damage](err)
	if !ok {
		return err
	}
	if r.lost == nil {
		r.lost = d
	}
	if d.Cut || d.Err != nil || r.spoilt == 0 {
		return r.loss()
	}
	r.at += r.spoilt
	r.unread += r.spoilt
	r.number++
	r.spoilt = 0
	return nil
}

// loss is the first damage, with what became of the file in the end.
func (r *Reader) loss() *Damage {
	d := *r.lost
	d.Sessions, d.Unread = r.sessions, r.unread+r.size-r.at
	return &d
}

// large reads a record that begins with a content. If it is not whole, the damage is where it begins.
func (r *Reader) large(content []byte, p *engine.Parcel) error {
	begin := r.at - int64(frameHead+len(content)+r.seal.extra())
	broken := func(err error) error {
		if d, ok := errors.AsType[*Damage](err); ok {
			d.Offset = begin
			r.unread += r.at - begin
		}
		*p = engine.Parcel{}
		return err
	}
	n, length, ok := r.format.record(content, p)
	part := content[n:]
	if !ok || int64(len(part)) > length || length-int64(len(part)) > r.size-r.at {
		return broken(r.damage(errDamaged))
	}
	body := append(make([]byte, 0, length), part...)
	for int64(len(body)) < length {
		kind, more, err := r.read()
		if err == nil && (kind != kindMore || len(more) == 0 || int64(len(more)) > length-int64(len(body))) {
			err = r.damage(errDamaged)
		}
		if err != nil {
			return broken(err)
		}
		body = append(body, more...)
	}
	p.Body = body
	r.sessions++
	return nil
}

// read reads a frame. Its content is valid until the next call.
func (r *Reader) read() (kind byte, content []byte, err error) {
	left := r.size - r.at
	if left < frameHead {
		return 0, nil, r.damage(errCut)
	}
	if r.buf == nil {
		r.buf = make([]byte, min(left, frameHead+maxFrame+tagLen))
	}
	if err := r.full(r.buf[:frameHead]); err != nil {
		return 0, nil, err
	}
	length := int64(binary.LittleEndian.Uint32(r.buf[8:]))
	switch {
	case length > int64(maxFrame+r.seal.extra()):
		return 0, nil, r.damage(errDamaged)
	case length > left-frameHead:
		return 0, nil, r.damage(errCut)
	}
	b := r.buf[:frameHead+length]
	if err := r.full(b[frameHead:]); err != nil {
		return 0, nil, err
	}
	kind, content, ok := openFrame(b, r.number, r.seal)
	if !ok {
		r.spoilt = int64(len(b))
		return 0, nil, r.damage(errDamaged)
	}
	r.number++
	r.at += int64(len(b))
	return kind, content, nil
}

// full fills b from the file.
func (r *Reader) full(b []byte) error {
	if _, err := io.ReadFull(r.r, b); err != nil {
		return r.damage(cut(err))
	}
	return nil
}

// isEnd reports whether the content is that of the frame just read as the last one, behind all sessions that were read.
func (r *Reader) isEnd(content []byte) bool {
	le := binary.LittleEndian
	return len(content) == endLen && (r.lost != nil || le.Uint64(content) == uint64(r.sessions)) && r.at == r.size &&
		le.Uint64(content[8:]) == uint64(r.at-int64(frameHead+endLen+r.seal.extra()))
}

// EndLen is how many bytes the last frame of the file has.
func (r *Reader) EndLen() int { return frameHead + endLen + r.seal.extra() }

// End looks for the last frame in the last EndLen bytes of a file that is damaged somewhere else. It returns how many sessions the file had. tail is overwritten.
func (r *Reader) End(tail []byte) (sessions int64, ok bool) {
	if len(tail) != r.EndLen() {
		return 0, false
	}
	kind, content, ok := openFrame(tail, binary.LittleEndian.Uint64(tail), r.seal)
	if !ok || kind != kindEnd || len(content) != endLen || binary.LittleEndian.Uint64(content[8:]) != uint64(r.size-int64(r.EndLen())) {
		return 0, false
	}
	sessions = int64(binary.LittleEndian.Uint64(content))
	return sessions, sessions >= r.sessions
}
