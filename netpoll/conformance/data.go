package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// maxData bounds what one piece of data may grow to, in bytes: enough for twice
// the largest body, small enough that a slip in a case cannot eat the machine.
const maxData = 256 << 20

// data is what a step sends or expects: pieces, one behind the other.
// Static after decoding.
type data []piece

type pieceKind uint8

const (
	pieceText   pieceKind = iota
	pieceRepeat           // text n times
	piecePRNG             // n bytes of the generator
	piecePad              // as many 'a' as make all pieces together n bytes
)

type piece struct {
	kind pieceKind
	text []byte // placeholders are not yet replaced
	n    int
	seed uint64
}

// decodeData reads a text, or a list of texts and generated pieces.
func decodeData(raw []byte) (data, error) {
	if bytes.HasPrefix(raw, []byte(`"`)) {
		p, err := decodeText(raw)
		return data{p}, err
	}
	var list []json.RawMessage
	if err := strictly(raw, &list); err != nil {
		return nil, errors.New("data is a text or a list of pieces")
	}
	d := make(data, 0, len(list))
	for i, raw := range list {
		p, err := decodePiece(raw)
		if err != nil {
			return nil, fmt.Errorf("piece %d: %w", i+1, err)
		}
		d = append(d, p)
	}
	return d, d.check()
}

func decodePiece(raw []byte) (piece, error) {
	if bytes.HasPrefix(raw, []byte(`"`)) {
		return decodeText(raw)
	}
	o, err := parseObject(raw)
	if err != nil {
		return piece{}, err
	}
	var p piece
	switch {
	case o.has("repeat"):
		p.kind = pieceRepeat
		if t, ok := takeWith(o, "repeat", decodeText); ok {
			p.text = t.text
		}
		p.n = require[int](o, "n")
	case o.has("prng"):
		p.kind = piecePRNG
		p.seed = require[uint64](o, "prng")
		p.n = require[int](o, "n")
	default:
		p.kind = piecePad
		p.n = require[int](o, "pad_total")
	}
	// Divided, not multiplied: the product need not fit an int.
	if most := maxData / max(1, len(sampleNames.replace(p.text))); p.n < 0 || p.n > most {
		o.fail("a length of %d is outside 0..%d", p.n, most)
	}
	return p, o.done()
}

// decodeText turns a JSON string into bytes, one per character.
func decodeText(raw []byte) (piece, error) {
	var s string
	if err := strictly(raw, &s); err != nil {
		return piece{}, err
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return piece{}, fmt.Errorf("character %U is no byte: texts hold U+0000 to U+00FF", r)
		}
		b = append(b, byte(r))
	}
	return piece{kind: pieceText, text: b}, nil
}

// check refuses lists that cannot be made.
func (d data) check() error {
	pads := 0
	for _, p := range d {
		if p.kind == piecePad {
			pads++
		}
	}
	if pads > 1 {
		return errors.New("pad_total may be there once")
	}
	if size := d.size(); size > maxData {
		return fmt.Errorf("%d bytes are more than the %d allowed", size, maxData)
	}
	if pads == 1 && d.padding() < 0 {
		return fmt.Errorf("the other pieces are %d bytes longer than pad_total", -d.padding())
	}
	return nil
}

// size returns the length of the data, the same in every run.
func (d data) size() int {
	size := 0
	for _, p := range d {
		if p.kind == piecePad {
			return p.n
		}
		size += p.size()
	}
	return size
}

// padding returns what a pad_total piece of d has to fill.
func (d data) padding() int {
	rest := 0
	for _, p := range d {
		if p.kind == piecePad {
			rest += p.n
		} else {
			rest -= p.size()
		}
	}
	return rest
}

// size returns the length of a piece other than a pad_total one.
func (p *piece) size() int {
	switch p.kind {
	case pieceText:
		return len(sampleNames.replace(p.text))
	case pieceRepeat:
		return len(sampleNames.replace(p.text)) * p.n
	case piecePRNG:
		return p.n
	case piecePad:
	}
	panic("unreachable: the size of padding is not its own")
}

// bytes returns the data with the names of this run. The caller owns the result.
func (d data) bytes(names *names) []byte {
	out := make([]byte, 0, d.size())
	for _, p := range d {
		switch p.kind {
		case pieceText:
			out = append(out, names.replace(p.text)...)
		case pieceRepeat:
			out = append(out, bytes.Repeat(names.replace(p.text), p.n)...)
		case piecePRNG:
			out = appendRandom(out, p.seed, p.n)
		case piecePad:
			out = append(out, bytes.Repeat([]byte("a"), d.padding())...)
		}
	}
	return out
}

// randomPeriod is where the generator starts again from its first byte.
const randomPeriod = 4093

// appendRandom appends n bytes of the cases' generator, a linear congruential
// one: anybody can write it down again, in any language.
func appendRandom(dst []byte, seed uint64, n int) []byte {
	cycle := make([]byte, min(n, randomPeriod))
	x := seed
	for i := range cycle {
		x = (x*1103515245 + 12345) & (1<<31 - 1)
		cycle[i] = byte(x >> 16)
	}
	dst = slices.Grow(dst, n)
	for n > 0 {
		k := min(n, len(cycle))
		dst = append(dst, cycle[:k]...)
		n -= k
	}
	return dst
}
