package legacy

import (
	"encoding/hex"
	"strconv"
)

// The parts that heads of the original have in common.
const (
	versionLine = "X-AspNet-Version: 2.0.50727\r\n"
	cacheLine   = "Cache-Control: private\r\n"
	noBody      = "Content-Length: 0\r\n\r\n"
)

const unauthorised = "Unauthorized" //nolint:misspell // the reason phrase of the original, and of HTTP

// phrases are the reason phrases of the answers that we give.
var phrases = map[int]string{
	200: "OK", 400: "Bad Request", 401: unauthorised, 412: "Precondition Failed", 503: "Service Unavailable",
}

const wrongPort = "Request is not on Webserver port"

// Append appends the head of m, to the byte as an original writes it; the body of a transfer has to follow. There are no heads for KindSession.
func Append(dst []byte, m *Message) []byte {
	switch m.Kind {
	case KindPing:
		dst = appendRequest(dst, "GET ", pingTarget, m.Host)
		return append(dst, noBody...)
	case KindPingReply:
		return append(dst, "200 OK\r\n"+versionLine+"Server: State Service Peer\r\n"+noBody...)
	case KindAuthBegin:
		return append(appendRequest(dst, "GET ", authTarget, m.Host), "\r\n"...)
	case KindAuthAnswer:
		dst = appendRequest(dst, "GET ", authTarget, m.Host)
		return append(m.Digest.appendAnswer(dst), "\r\n"...)
	case KindQuery:
		return appendQuery(dst, m)
	case KindTransfer:
		return appendTransfer(dst, m)
	case KindResponse:
		return appendResponse(dst, m)
	}
	return dst
}

func appendRequest(dst []byte, verb, target, host string) []byte {
	dst = append(append(append(dst, verb...), target...), " HTTP/1.1\r\n"...)
	return appendLine(dst, "Host: ", host)
}

func appendLine(dst []byte, name, value string) []byte {
	return append(append(append(dst, name...), value...), "\r\n"...)
}

func appendNumber(dst []byte, name string, n int64) []byte {
	return append(strconv.AppendInt(append(dst, name...), n, 10), "\r\n"...)
}

func appendID(dst []byte, name string, id ID) []byte {
	return append(hex.AppendEncode(append(dst, name...), id[:]), "\r\n"...)
}

// appendQuery writes a query. See docs/peer-protocol.md §8.4.
func appendQuery(dst []byte, m *Message) []byte {
	dst = appendRequest(dst, "GET ", m.Target, m.Host)
	dst = appendID(dst, "X-ID: ", m.ID)
	dst = append(dst, "Exclusive: transfer\r\n"...)
	if m.Broadcast != (ID{}) {
		dst = appendID(dst, "X-Broadcast-ID: ", m.Broadcast)
	}
	return append(appendNumber(dst, "Max-Forwards: ", int64(m.Forwards)), "\r\n"...)
}

// appendTransfer writes the head of a transfer. See docs/peer-protocol.md §8.4.
func appendTransfer(dst []byte, m *Message) []byte {
	dst = appendRequest(dst, "PUT ", m.Target, m.Host)
	dst = appendID(dst, "X-ID: ", m.ID)
	if m.Locked {
		dst = appendNumber(dst, "LockDate: ", m.LockDate)
		dst = appendNumber(dst, "LockAge: ", m.LockAge)
		dst = appendNumber(dst, "LockCookie: ", int64(m.LockCookie))
	}
	dst = append(dst, "X-If-None-Exists: true\r\nExclusive: transfer\r\n"...)
	dst = appendNumber(dst, "Timeout: ", int64(m.Timeout))
	flags := int64(0)
	if m.Uninitialized {
		flags = 1
	}
	dst = appendNumber(dst, "ExtraFlags: ", flags)
	dst = appendNumber(dst, "Last-Modified: ", m.LastModified)
	if m.Encrypted {
		dst = appendNumber(dst, "Content-Type: "+encryptedType+"; plaintext-length=", int64(m.PlainLength))
	}
	return append(appendNumber(dst, "Content-Length: ", int64(m.Length)), "\r\n"...)
}

// appendResponse writes an answer. The order of the headers is the original's, which is not the same for all of them. See docs/peer-protocol.md §8.4.
func appendResponse(dst []byte, m *Message) []byte {
	dst = append(strconv.AppendInt(dst, int64(m.Status), 10), ' ')
	dst = append(append(dst, m.Phrase...), "\r\n"+versionLine...)
	if m.Status == 400 {
		dst = append(dst, cacheLine...)
	}
	if m.HasAssoc {
		dst = appendID(dst, "X-Assoc-ID: ", m.Assoc)
	}
	switch {
	case m.Status == 401:
		dst = m.Digest.appendChallenge(dst)
	case m.HasDigest:
		dst = m.Digest.appendInfo(dst)
	case m.Status != 400:
		dst = append(dst, cacheLine...)
	}
	return append(dst, noBody...)
}
