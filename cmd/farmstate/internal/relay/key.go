package relay

import (
	"strconv"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/notice"
	"github.com/farmstate/farmstate/engine/appkey"
)

// sessionID is the last part of a key, or all of one that no ASP.NET client builds.
func sessionID(key []byte) string {
	if parts, ok := appkey.Split(key); ok {
		return string(parts.ID)
	}
	return string(key)
}

// keyText is a key as it may be shown: with the beginning of the session id, or whole.
func keyText(key []byte, whole bool) string {
	if whole {
		return escape(key)
	}
	s := notice.SessionOf(string(key))
	if app := s.Application(); app != "" {
		return escape([]byte(app)) + "/" + escapeText(s.ID)
	}
	return escapeText(s.ID)
}

const hexDigits = "0123456789abcdef"

// escape makes bytes of a stranger fit for a terminal: what is not printable ASCII becomes \xNN.
func escape(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		switch {
		case c == '\\':
			s.WriteString(`\\`)
		case c >= ' ' && c < 0x7f:
			s.WriteByte(c)
		default:
			s.WriteString(`\x`)
			s.WriteByte(hexDigits[c>>4])
			s.WriteByte(hexDigits[c&15])
		}
	}
	return s.String()
}

// escapeText is escape for a text of ours, whose sign of a cut stays.
func escapeText(text string) string {
	head, cut := strings.CutSuffix(text, "…")
	if cut {
		return escape([]byte(head)) + "…"
	}
	return escape([]byte(text))
}

// quote shows a text of the user's in an error.
func quote(text string) string {
	if len(text) > 100 {
		text = text[:100] + "…"
	}
	return strconv.Quote(text)
}
