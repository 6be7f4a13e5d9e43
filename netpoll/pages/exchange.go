package pages

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// request holds the numbers that the managed half of the client hands to the
// native one. See docs/protocol.md §9.2.
type request struct {
	method     Method
	id         string
	extraFlags int
	timeout    int32 // minutes
	cookie     uint32
	body       []byte
}

// spelling says how a method appears on the wire.
type spelling struct {
	verb      string
	exclusive string
	headers   []string // those that mean something, in order
}

var spellings = map[Method]spelling{
	GetItem:                    {verb: "GET"},
	GetItemExclusive:           {verb: "GET", exclusive: "acquire"},
	ReleaseItemExclusive:       {verb: "GET", exclusive: "release", headers: []string{"LockCookie"}},
	SetAndReleaseItemExclusive: {verb: "PUT", headers: []string{"Timeout", "Content-Length", "ExtraFlags", "LockCookie"}},
	CreateUninitializedItem:    {verb: "PUT", headers: []string{"Timeout", "Content-Length", "ExtraFlags", "LockCookie"}},
	RemoveItem:                 {verb: "DELETE", headers: []string{"LockCookie"}},
	ResetItemTimeout:           {verb: "HEAD"},
}

// append adds the bytes of r. Which of the numbers the native half prints where
// they mean nothing is not known; zeros makes it print them all.
func (r *request) append(dst []byte, app string, zeros bool) []byte {
	s := spellings[r.method]
	dst = fmt.Appendf(dst, "%s %s HTTP/1.1\r\nHost: stateserver\r\n", s.verb, Target(app, r.id))
	if s.exclusive != "" {
		dst = fmt.Appendf(dst, "Exclusive: %s\r\n", s.exclusive)
	}
	headers := s.headers
	if zeros {
		headers = spellings[SetAndReleaseItemExclusive].headers
	}
	for _, name := range headers {
		dst = fmt.Appendf(dst, "%s: %d\r\n", name, r.number(name))
	}
	dst = append(dst, "\r\n"...)
	return append(dst, r.body...)
}

// number returns the value of a header of r.
func (r *request) number(name string) int64 {
	switch name {
	case "Timeout":
		return int64(r.timeout)
	case "Content-Length":
		return int64(len(r.body))
	case "ExtraFlags":
		return int64(r.extraFlags)
	case "LockCookie":
		return int64(r.cookie)
	}
	panic("unreachable: no request has " + name)
}

// answer is a response, with the values a header has when it is absent.
type answer struct {
	status      int
	version     string // empty if absent
	actionFlags int64  // 0 if absent
	cookie      int64  // 0 if absent
	timeout     int64  // 0 if absent
	lockDate    int64  // ticks; 0 if absent
	lockAge     int64  // seconds; -1 if absent, as the oldest servers leave it
	body        []byte
}

// readAnswer reads one response with a bare status line, as the service sends it.
func readAnswer(in *bufio.Reader) (*answer, error) {
	line, err := readLine(in)
	if err != nil {
		return nil, fmt.Errorf("pages: no answer: %w", err)
	}
	number, _, _ := strings.Cut(line, " ")
	a := &answer{lockAge: -1}
	if a.status, err = strconv.Atoi(number); err != nil {
		return nil, fmt.Errorf("pages: %q is no status line", line)
	}
	length := int64(-1)
	numbers := map[string]*int64{
		"actionflags": &a.actionFlags, "lockcookie": &a.cookie, "timeout": &a.timeout,
		"lockdate": &a.lockDate, "lockage": &a.lockAge, "content-length": &length,
	}
	for {
		if line, err = readLine(in); err != nil {
			return nil, fmt.Errorf("pages: the answer ends in its head: %w", err)
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if strings.EqualFold(name, "X-AspNet-Version") {
			a.version = value
		}
		if n := numbers[strings.ToLower(name)]; n != nil {
			if *n, err = strconv.ParseInt(value, 10, 64); err != nil {
				return nil, fmt.Errorf("pages: header %q has no number", line)
			}
		}
	}
	if length < 0 {
		return nil, fmt.Errorf("pages: an answer %d without Content-Length", a.status)
	}
	a.body = make([]byte, length)
	if _, err := io.ReadFull(in, a.body); err != nil {
		return nil, fmt.Errorf("pages: the answer ends in its body: %w", err)
	}
	return a, nil
}

// readLine reads a line and takes off its CRLF.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return "", fmt.Errorf("line %q does not end with CRLF", line)
	}
	return text, nil
}
