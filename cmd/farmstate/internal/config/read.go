package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"
)

// maxFile bounds the configuration file, in bytes. A file beyond it is some
// other file.
const maxFile = 1 << 20

// ReadFile reads a configuration file: text in UTF-8 of bounded size, without
// a byte order mark. Its error is a [Problem].
func ReadFile(name string) ([]byte, error) {
	data, _, err := readBounded(name, maxFile, "configuration file")
	if err != nil {
		return nil, err
	}
	return plainText(name, data)
}

// readBounded reads a file of up to limit bytes, which what names in messages.
// Its error is a [Problem].
func readBounded(name string, limit int64, what string) ([]byte, os.FileInfo, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, openAdvice(name, err)
	}
	defer func() { _ = f.Close() }() // Read only: nothing is lost.
	info, err := f.Stat()
	if err != nil {
		return nil, nil, Problem{name, "cannot be read: " + reason(err)}
	}
	if info.IsDir() {
		return nil, nil, Problem{name, "this is a directory; name the " + what + " in it"}
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, nil, Problem{name, "cannot be read: " + reason(err)}
	}
	if int64(len(data)) > limit {
		return nil, nil, Problem{name, "is larger than " + formatSize(limit) + ", so it is no " + what}
	}
	return data, info, nil
}

// OpenProblem is what is to be said about a file that cannot be opened.
func OpenProblem(name string, err error) error { return openAdvice(name, err) }

func openAdvice(name string, err error) Problem {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		where := ""
		if abs, absErr := filepath.Abs(name); absErr == nil && abs != name {
			where = " (looked for " + abs + ")"
		}
		return Problem{name, "there is no such file" + where + "; name one that the account that runs farmstate can read"}
	case errors.Is(err, fs.ErrPermission):
		return Problem{name, "permission denied; let the account that runs farmstate read it"}
	}
	return Problem{name, "cannot be opened: " + reason(err)}
}

// reason is err without the operation and the path, which the message names
// already.
func reason(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return err.Error()
}

var (
	utf8Mark    = []byte("\xef\xbb\xbf") // which Windows editors put in front
	utf16Mark   = []byte("\xff\xfe")
	utf16MarkBE = []byte("\xfe\xff")
)

// plainText takes a byte order mark off and refuses what is not UTF-8, which
// TOML demands.
func plainText(name string, data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, utf16Mark) || bytes.HasPrefix(data, utf16MarkBE) {
		return nil, Problem{name, "is UTF-16; save it as UTF-8"}
	}
	data = bytes.TrimPrefix(data, utf8Mark)
	if utf8.Valid(data) {
		return data, nil
	}
	line, column := 1, 1
	for rest := data; ; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			return nil, Problem{
				fmt.Sprintf("%s:%d", name, line),
				fmt.Sprintf("column %d: the byte 0x%02x is not UTF-8; save the file as UTF-8", column, rest[0]),
			}
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		rest = rest[n:]
	}
}
