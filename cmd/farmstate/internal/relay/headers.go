package relay

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// Headers are changed in the bytes of a head that was parsed, so that all the rest stays as it was sent.

// firstLine is the index of the first header line of a head.
func firstLine(head []byte) int { return bytes.IndexByte(head, '\n') + 1 }

// eachHeader calls f with each header line of a head: its bytes with the line end, its name and its value.
func eachHeader(head []byte, f func(line, name, value []byte)) {
	for p := firstLine(head); p < len(head)-2; {
		name, value, next := wire.HeaderLine(head, p)
		f(head[p:next], name, value)
		p = next
	}
}

// dropHeader returns a head without the headers of that name.
func dropHeader(head []byte, name string) []byte {
	out := append(make([]byte, 0, len(head)), head[:firstLine(head)]...)
	eachHeader(head, func(line, n, _ []byte) {
		if !strings.EqualFold(string(n), name) {
			out = append(out, line...)
		}
	})
	return append(out, "\r\n"...)
}

// setHeader returns a head with one header of that name: in the place of the first one that was there, or at the end.
func setHeader(head []byte, name, value string) []byte {
	out := append(make([]byte, 0, len(head)+len(name)+len(value)+4), head[:firstLine(head)]...)
	there := false
	set := func(spelt string) {
		out = append(out, spelt+": "+value+"\r\n"...)
		there = true
	}
	eachHeader(head, func(line, n, _ []byte) {
		switch {
		case !strings.EqualFold(string(n), name):
			out = append(out, line...)
		case !there:
			set(string(n))
		}
	})
	if !there {
		set(name)
	}
	return append(out, "\r\n"...)
}

// setLength returns a head that announces n bytes of body.
func setLength(head []byte, n int) []byte {
	return setHeader(head, "Content-Length", strconv.Itoa(n))
}
