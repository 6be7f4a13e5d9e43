package legacy

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// Fault says why a stream cannot be read any further. The names are stable: log fields, metric labels and tests use them.
type Fault string

// The faults. See docs/peer-protocol.md §8.1.
const (
	FaultLine    Fault = "line_too_long"
	FaultLines   Fault = "too_many_lines"
	FaultBody    Fault = "body_too_large"
	FaultLength  Fault = "bad_length"    // a negative length, or two that differ: nobody knows where the message ends
	FaultMessage Fault = "not_a_message" // the first line is neither a request nor a response
)

// Error describes the fault.
func (f Fault) Error() string { return "the stream of an original cannot be read: " + string(f) }

// Reader reads messages from a stream. The cuts between reads mean nothing to it, unlike to the original. See docs/peer-protocol.md §8.1.
type Reader struct {
	br   *bufio.Reader
	line []byte   // the line that is being read
	head []string // the lines of the head
	left int      // bytes of the last message's body that have not been read
}

// NewReader returns a Reader of src.
func NewReader(src io.Reader) *Reader {
	return &Reader{br: bufio.NewReaderSize(src, maxLine)}
}

// Next reads the next message up to its body, of which m.Length bytes follow; what of the last one's body was not read is passed over. At the
// end of the stream it returns io.EOF if no message has begun, io.ErrUnexpectedEOF otherwise.
func (r *Reader) Next(m *Message) error {
	if err := r.skip(); err != nil {
		return err
	}
	r.head = r.head[:0]
	for {
		line, err := r.readLine()
		if err != nil {
			if errors.Is(err, io.EOF) && (len(line) > 0 || len(r.head) > 0) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if len(line) == 0 && len(r.head) > 0 {
			break
		}
		if len(r.head)+2 > maxLines { // the empty line is still to come
			return FaultLines
		}
		r.head = append(r.head, string(line))
	}
	*m = Message{}
	err := m.parse(r.head)
	r.left = m.Length
	return err
}

// Body reads the whole body into dst, whose length is the body's. Call it at most once a message.
func (r *Reader) Body(dst []byte) error {
	n, err := io.ReadFull(r.br, dst[:r.left])
	r.left -= n
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// skip passes over what is left of a body.
func (r *Reader) skip() error {
	for r.left > 0 {
		n, err := r.br.Discard(r.left)
		r.left -= n
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readLine reads up to the next CRLF and returns what is before it. A CR or LF on its own belongs to the line. What has been read of a line
// without an end is returned with the error; the slice is valid until the next call.
func (r *Reader) readLine() ([]byte, error) {
	r.line = r.line[:0]
	for {
		part, err := r.br.ReadSlice('\n')
		r.line = append(r.line, part...)
		if len(r.line) > maxLine || errors.Is(err, bufio.ErrBufferFull) {
			return nil, FaultLine
		}
		if err != nil {
			return r.line, err
		}
		if n := len(r.line); n >= 2 && r.line[n-2] == '\r' {
			return r.line[:n-2], nil
		}
	}
}

// headers are the header lines of a message. A name that occurs twice has both values, with a comma between.
type headers map[string]string

func (h headers) get(name string) string { return h[name] }

func (h headers) has(name string) bool {
	_, ok := h[name]
	return ok
}

func (h headers) exclusive(value string) bool { return strings.EqualFold(h["exclusive"], value) }

// parse fills m from the lines of a head. It returns a Fault if nobody can tell where the message ends, or what it is.
func (m *Message) parse(lines []string) error {
	if !m.parseStart(lines[0]) {
		return FaultMessage
	}
	h := headers{}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(trim(name)), trim(value)
		if !ok || name == "" {
			m.Bad = true
			continue
		}
		if h.has(name) {
			value = h[name] + "," + value
		}
		h[name] = value
	}
	if err := m.parseLength(lines[1:], h); err != nil {
		return err
	}
	if m.Status != 0 {
		m.parseResponse(h)
	} else {
		m.parseRequest(lines[0], h)
	}
	return nil
}

// trim removes what the original takes for blanks at the ends of names and values.
func trim(s string) string { return strings.Trim(s, " \t") }

// parseStart reads the start line: Target of a request, Status and Phrase of a response. It reports whether the line is either.
func (m *Message) parseStart(line string) bool {
	verb, rest, ok := strings.Cut(line, " ")
	if ok && isVerb(verb) {
		m.Target = strings.TrimSuffix(rest, " HTTP/1.1")
		if rest == "HTTP/1.1" {
			m.Target = ""
		}
		m.Bad = m.Target == "" || hasControl(m.Target)
		return true
	}
	if verb == "HTTP/1.1" || verb == "HTTP/1.0" {
		verb, rest, _ = strings.Cut(rest, " ")
	}
	n, ok := parseInt(verb, 1, 1<<31-1)
	if !ok || verb[0] == '+' {
		return false
	}
	m.Status, m.Phrase = int(n), rest
	return true
}

func isVerb(s string) bool {
	switch strings.ToUpper(s) {
	case "GET", "PUT", "DELETE", "HEAD":
		return true
	}
	return false
}

// hasControl reports whether s has a control character. No web server sends one in a target, and none may reach a log or a head that we write.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// parseLength finds out where the body ends. Only a line that begins with the very words counts; afterwards the header that other rules find has
// to agree. See docs/peer-protocol.md §8.1.
func (m *Message) parseLength(lines []string, h headers) error {
	const name = "content-length:"
	found := 0
	for _, line := range lines {
		if len(line) < len(name) || !strings.EqualFold(line[:len(name)], name) {
			continue
		}
		value := trim(line[len(name):])
		n, ok := parseInt(value, -1<<62, 1<<62)
		switch {
		case ok && n < 0:
			return FaultLength
		case ok && n > maxBody, !ok && isDigits(value):
			return FaultBody
		case found > 0 && int(n) != m.Length:
			return FaultLength
		}
		if !ok {
			m.Bad = true
		}
		m.Length = int(n)
		found++
	}
	if found > 1 || found == 0 && h.has("content-length") {
		m.Bad = true
	}
	return nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func (m *Message) parseResponse(h headers) {
	m.Kind = KindResponse
	if m.Status == 200 && h.has("server") {
		m.Kind = KindPingReply
	}
	if h.has("x-assoc-id") {
		m.Assoc, m.HasAssoc = parseID(h.get("x-assoc-id"))
	}
	name := "authentication-info"
	if m.Status == 401 {
		name = "www-authenticate"
	}
	if m.HasDigest = h.has(name); m.HasDigest {
		m.Digest = parseDigest(h.get(name))
	}
	switch m.Status {
	case 401, 404, 412, 423, 503:
		m.Bad = m.Bad || m.Length != 0
	}
}

func (m *Message) parseRequest(start string, h headers) {
	m.Host = h.get("host")
	m.Bad = m.Bad || !h.has("host") || hasControl(m.Host)
	get := strings.EqualFold(start[:4], "GET ")
	put := strings.EqualFold(start[:4], "PUT ")
	switch {
	case get && (h.exclusive("acquire") || h.exclusive("release")):
		m.Kind = KindSession
	case get && h.exclusive("transfer"):
		m.Kind = KindQuery
		m.parseQuery(h)
	case get && strings.EqualFold(m.Target, pingTarget):
		m.Kind = KindPing
	case get && strings.EqualFold(m.Target, authTarget) && h.has("authorization"):
		m.Kind, m.HasDigest = KindAuthAnswer, true
		m.Digest = parseDigest(h.get("authorization"))
	case get && strings.EqualFold(m.Target, authTarget):
		m.Kind = KindAuthBegin
	case put && h.exclusive("transfer"):
		m.Kind = KindTransfer
		m.parseTransfer(h)
	default:
		m.Kind = KindSession
	}
}

const (
	pingTarget = `\PING`
	authTarget = `\AUTH`
)

// parseQuery reads what a query has. See docs/peer-protocol.md §8.4.
func (m *Message) parseQuery(h headers) {
	var ok bool
	if m.ID, ok = parseID(h.get("x-id")); !ok || m.ID == (ID{}) {
		m.Bad = true
	}
	if h.has("x-broadcast-id") {
		if m.Broadcast, ok = parseID(h.get("x-broadcast-id")); !ok {
			m.Bad = true
		}
	}
	if n, ok := parseInt(h.get("max-forwards"), 0, 1<<31-1); ok {
		m.Forwards = int(n)
	}
	if m.Host == "" || !h.has("max-forwards") {
		m.Bad = true
	}
}

// parseTransfer reads what a transfer has. See docs/peer-protocol.md §8.4.
func (m *Message) parseTransfer(h headers) {
	var ok bool
	if m.ID, ok = parseID(h.get("x-id")); !ok || m.ID == (ID{}) {
		m.Bad = true
	}
	m.Timeout = defaultTimeout
	if h.has("timeout") {
		n, ok := parseInt(h.get("timeout"), 0, 1<<31-1)
		if !ok {
			n = 0
		}
		m.Timeout = uint32(n)
	}
	m.Uninitialized = h.get("extraflags") == "1"
	if m.LastModified, ok = parseInt(h.get("last-modified"), 1, maxTicks); !ok {
		m.Bad, m.LastModified = true, 0
	}
	m.parseLock(h)
	m.parseType(h.get("content-type"))
}

// parseLock reads the three headers of a locked session, of which there are all or none.
func (m *Message) parseLock(h headers) {
	date, age, cookie := h.has("lockdate"), h.has("lockage"), h.has("lockcookie")
	if !date && !age && !cookie {
		return
	}
	if !date || !age || !cookie {
		m.Bad = true
		return
	}
	d, ok1 := parseInt(h.get("lockdate"), 0, maxTicks)
	a, ok2 := parseInt(h.get("lockage"), -1<<31, 1<<31-1)
	c, readable := parseInt(h.get("lockcookie"), -1<<31, 1<<31-1)
	if !readable {
		c = 0
	}
	if !ok1 || !ok2 || c < 0 || c > maxCookie {
		m.Bad = true
		return
	}
	if d == 0 {
		return
	}
	m.Locked, m.LockDate, m.LockAge, m.LockCookie = true, d, max(a, 0), uint32(c)
}

// encryptedType is the Content-Type of an encrypted body.
const encryptedType = "application/x-encrypted"

// parseType reads the Content-Type of a transfer. See docs/peer-protocol.md §8.3.
func (m *Message) parseType(value string) {
	kind, params, _ := strings.Cut(value, ";")
	if !strings.EqualFold(trim(kind), encryptedType) {
		return
	}
	m.Encrypted = true
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(trim(name), "plaintext-length") {
			if n, ok := parseInt(trim(value), 0, maxBody); ok {
				m.PlainLength = int(n)
				return
			}
		}
	}
	m.Bad = true
}
