package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// Format holds the parts of answers that are the same every time. Static after construction; share it freely.
type Format struct {
	// Each is a status line, the version header and what follows up to the first number. Index 1 has ActionFlags in it.
	content  [2][]byte // 200, no headers of the outcome, then the length
	timed    [2][]byte // 200, then the timeout
	acquired [2][]byte // 200, then the cookie
	empty    [2][]byte // 200, complete
	refused  [2][]byte // 400, complete
	missing  []byte    // 404, complete
	locked   []byte    // 423, then the lock date
}

// What stands between and behind the numbers.
const (
	thenTimeout = "\r\nTimeout: "
	thenAge     = "\r\nLockAge: "
	thenCookie  = "\r\nLockCookie: "
	firstLength = "Cache-Control: private\r\nContent-Length: "
	thenLength  = "\r\n" + firstLength
	end         = "\r\n\r\n"
	thenNothing = thenLength + "0" + end
)

// NewFormat prepares answers for an X-AspNet-Version value and for a bare or an HTTP status line. See docs/protocol.md §5.2, §5.4.
func NewFormat(aspnetVersion string, httpStatusLine bool) (*Format, error) {
	if err := checkVersion(aspnetVersion); err != nil {
		return nil, err
	}
	head := func(s Status) string {
		line := s.String() + "\r\nX-AspNet-Version: " + aspnetVersion + "\r\n"
		if httpStatusLine {
			line = "HTTP/1.1 " + line
		}
		return line
	}
	f := &Format{
		missing: []byte(head(StatusNotFound) + firstLength + "0" + end),
		locked:  []byte(head(StatusLocked) + "LockDate: "),
	}
	for i, flag := range []string{"", "ActionFlags: 1\r\n"} {
		f.content[i] = []byte(head(StatusOK) + flag + firstLength)
		f.timed[i] = []byte(head(StatusOK) + flag + "Timeout: ")
		f.acquired[i] = []byte(head(StatusOK) + flag + "LockCookie: ")
		f.empty[i] = []byte(head(StatusOK) + flag + firstLength + "0" + end)
		f.refused[i] = []byte(head(StatusBadRequest) + flag + firstLength + "0" + end)
	}
	return f, nil
}

// checkVersion refuses what is not decimal numbers with dots between them, and what the real client would not talk to.
func checkVersion(v string) error {
	for i, part := range strings.Split(v, ".") {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return fmt.Errorf("wire: ASP.NET version %q is not a list of numbers with dots between them, such as 4.0.30319", v)
		}
		if i == 0 && n < 2 {
			return fmt.Errorf("wire: ASP.NET version %q begins with a number below 2; ASP.NET refuses such a server", v)
		}
	}
	return nil
}

// AppendHead appends the answer up to and including its empty line; the caller appends a.ContentLength bytes of body if the status is
// 200. Fields that the status does not carry are left out (§5.5), and a status that is none of the four is written as 400.
func (f *Format) AppendHead(dst []byte, a *Answer) []byte {
	flag := 0
	if a.ActionFlags {
		flag = 1
	}
	switch a.Status {
	case StatusOK:
		return f.appendOK(dst, a, flag)
	case StatusNotFound:
		return append(dst, f.missing...)
	case StatusLocked:
		dst = append(dst, f.locked...)
		dst = strconv.AppendInt(dst, a.LockDate, 10)
		dst = append(dst, thenAge...)
		dst = strconv.AppendInt(dst, a.LockAge, 10)
		dst = append(dst, thenCookie...)
		dst = strconv.AppendUint(dst, uint64(a.Cookie), 10)
		return append(dst, thenNothing...)
	}
	return append(dst, f.refused[flag]...)
}

func (f *Format) appendOK(dst []byte, a *Answer, flag int) []byte {
	switch {
	case a.HasCookie:
		dst = append(dst, f.acquired[flag]...)
		dst = strconv.AppendUint(dst, uint64(a.Cookie), 10)
		if a.HasTimeout {
			dst = append(dst, thenTimeout...)
			dst = strconv.AppendUint(dst, uint64(a.Timeout), 10)
		}
		dst = append(dst, thenLength...)
	case a.HasTimeout:
		dst = append(dst, f.timed[flag]...)
		dst = strconv.AppendUint(dst, uint64(a.Timeout), 10)
		dst = append(dst, thenLength...)
	case a.ContentLength == 0:
		return append(dst, f.empty[flag]...)
	default:
		dst = append(dst, f.content[flag]...)
	}
	dst = strconv.AppendInt(dst, int64(a.ContentLength), 10)
	return append(dst, end...)
}
