package message

import (
	"bytes"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// isText reports whether v can be shown to people as it is.
func isText(v []byte) bool {
	for _, c := range v {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(v) <= MaxProgram
}

// isAddr reports whether v is empty or host:port, with brackets around a host that has colons, and a port of 1 to 65535. See
// docs/peer-protocol.md §3.3.
func isAddr(v []byte) bool {
	if len(v) == 0 {
		return true
	}
	if len(v) > MaxAddr {
		return false
	}
	colon := bytes.LastIndexByte(v, ':')
	return colon > 0 && isHost(v[:colon]) && isPort(v[colon+1:])
}

func isHost(v []byte) bool {
	colons := false
	if v[0] == '[' {
		if len(v) < 3 || v[len(v)-1] != ']' {
			return false
		}
		v, colons = v[1:len(v)-1], true
	}
	for _, c := range v {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '.', c == '-', c == '_':
		case colons && (c == ':' || c == '%'):
		default:
			return false
		}
	}
	return true
}

func isPort(v []byte) bool {
	n, ok := wire.Number(v)
	return ok && n >= 1 && n <= 65535 && v[0] != '+' && len(v) <= len("65535")
}
