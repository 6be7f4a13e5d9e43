package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// appendArray begins a command of n words.
func appendArray(dst []byte, n int) []byte {
	return appendLength(dst, '*', n)
}

// appendWord appends one word of a command.
func appendWord[T string | []byte](dst []byte, word T) []byte {
	dst = appendLength(dst, '$', len(word))
	dst = append(dst, word...)
	return append(dst, "\r\n"...)
}

func appendLength(dst []byte, kind byte, n int) []byte {
	dst = append(dst, kind)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, "\r\n"...)
}

// errReply is a reply that the protocol does not have.
var errReply = errors.New("malformed reply")

// A reply is one value of Redis's protocol (RESP 2).
type reply struct {
	kind  byte   // + - : $ *
	text  []byte // of all but arrays; nil for a null string
	items int    // of an array, which follow as replies of their own
}

// readReply reads one value from the front of b, an array without its items. n is 0 if more bytes are needed. An error reply of
// the server is an error.
func readReply(b []byte) (n int, r reply, err error) {
	end := bytes.IndexByte(b, '\n') + 1
	if end == 0 {
		return 0, reply{}, nil
	}
	if end < 3 || b[end-2] != '\r' {
		return 0, reply{}, errReply
	}
	r = reply{kind: b[0], text: b[1 : end-2]}
	switch r.kind {
	case '+', ':':
		return end, r, nil
	case '-':
		return 0, reply{}, fmt.Errorf("redis answered %q", r.text)
	case '$', '*':
	default:
		return 0, reply{}, errReply
	}
	length, err := strconv.Atoi(string(r.text))
	if err != nil || length < -1 || length > 1<<24 {
		return 0, reply{}, errReply
	}
	r.text = nil
	switch {
	case r.kind == '*':
		r.items = max(0, length)
		return end, r, nil
	case length < 0:
		return end, r, nil
	}
	n = end + length + len("\r\n")
	if len(b) < n {
		return 0, reply{}, nil
	}
	if b[n-2] != '\r' || b[n-1] != '\n' {
		return 0, reply{}, errReply
	}
	r.text = b[end : n-2]
	return n, r, nil
}
