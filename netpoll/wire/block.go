package wire

// What the messages between nodes share with those of the state port: a block of lines, read with the same two rules (see the package comment, and
// docs/peer-protocol.md §3.1). All but Block expect a complete block.

// Block looks for the empty line that ends the header block at the front of b, and at nothing but §2.5 on the way.
//
//	n > 0, OK     the block is b[:n]
//	0, Short      read more, call again with all of it
//	0, any other  BadByte or HeaderTooLarge
func Block(b []byte, maxHead int) (n int, f Fault) {
	w := b[:min(len(b), maxHead)]
	n, f = blockEnd(w, 0)
	if f == Short && len(w) < len(b) {
		return 0, HeaderTooLarge
	}
	return n, f
}

// RequestLine reads the first line of a block as that of a request, and returns the index of the next one. target aliases block.
func RequestLine(block []byte) (verb Verb, target []byte, next int, f Fault) {
	var r Request
	if next = r.requestLine(block); next == 0 {
		return 0, nil, 0, requestLineFault(block)
	}
	return r.Verb, r.Target, next, OK
}

// StatusLine reads the first line of a block as that of an answer: code is its first word, HTTP's version left out, and next the index of
// the next line. Whether code is a number is not looked at. code aliases block.
func StatusLine(block []byte) (code []byte, next int) {
	e := lineEnd(block, 0)
	return statusCode(block[:e]), e + 2
}

// HeaderLine reads the header at block[p:], and returns the index of the next line. The value is without the blanks at its ends. A name of
// nil means that the line is no header (§4.2). Both alias block.
func HeaderLine(block []byte, p int) (name, value []byte, next int) {
	e := lineEnd(block, p)
	line := block[p:e]
	colon := nameEnd(line, 0)
	if colon < 0 {
		return nil, nil, e + 2
	}
	return line[:colon], trim(line[colon+1:]), e + 2
}

// Number reads a whole value as §4.4 wants it. A number beyond 64 bits becomes the nearest int64.
func Number(value []byte) (n int64, ok bool) { return number(value) }

// FoldEqual reports whether v is lower when ASCII capitals count as small letters; lower has none.
func FoldEqual(v []byte, lower string) bool { return foldEqual(v, lower) }
