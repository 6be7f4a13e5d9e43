package webconfig

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// toUTF8 turns what Windows editors save into UTF-8 without a byte order mark.
func toUTF8(data []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return data[3:], nil
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return fromUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return fromUTF16(data[2:], binary.BigEndian)
	case bytes.HasPrefix(data, []byte("<\x00")):
		return fromUTF16(data, binary.LittleEndian)
	case bytes.HasPrefix(data, []byte("\x00<")):
		return fromUTF16(data, binary.BigEndian)
	}
	return data, nil
}

func fromUTF16(data []byte, order binary.ByteOrder) ([]byte, error) {
	if len(data)%2 != 0 {
		return nil, errors.New("is UTF-16 with half a character at its end; save it as UTF-8")
	}
	out := make([]byte, 0, len(data))
	for len(data) > 0 {
		c := rune(order.Uint16(data))
		data = data[2:]
		if utf16.IsSurrogate(c) && len(data) > 0 {
			if pair := utf16.DecodeRune(c, rune(order.Uint16(data))); pair != utf8.RuneError {
				c, data = pair, data[2:]
			}
		}
		out = utf8.AppendRune(out, c)
	}
	return out, nil
}

// charset reads what an XML declaration calls the encoding. What is UTF-16 has been made UTF-8 before.
func charset(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "utf-16", "utf-16le", "utf-16be", "unicode", "us-ascii":
		return in, nil
	case "iso-8859-1", "windows-1252":
		return &latin{in: in}, nil
	}
	return nil, fmt.Errorf("the encoding %q is not known here; save the file as UTF-8", show(label))
}

// latin reads text of one byte a character.
type latin struct {
	in   io.Reader
	rest []byte
}

// Read implements io.Reader.
func (l *latin) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		var raw [512]byte
		n, err := l.in.Read(raw[:])
		for _, c := range raw[:n] {
			l.rest = utf8.AppendRune(l.rest, rune(c))
		}
		if n == 0 {
			return 0, err
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}
