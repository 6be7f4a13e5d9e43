package webconfig

import (
	"cmp"
	"fmt"
	"io"
	"os"
)

// maxFile is how long a file may be, in bytes.
const maxFile = 8 << 20

// File is what a web.config says. Sections that it does not have are nil.
type File struct {
	Name  string
	Notes []Note // what could not be taken into account, by line
	// Scopes are the whole application, which is always there and the first, and each <location> that says something about sessions, in the order of the file.
	Scopes []*Scope
}

// Scope is a part of an application: all of it, or what is below a path.
type Scope struct {
	Path       string // of <location>; empty for the whole application
	Line       int    // of <location>
	Session    *Section
	MachineKey *MachineKey
	Runtime    *Section // httpRuntime
	Pages      *Section
	Cookies    *Section // httpCookies
	Compile    *Section // compilation
}

// Section is an element with its attributes. The value of an attribute that is a secret is never kept.
type Section struct {
	Line   int
	Source string // configSource: what counts stands in that file
	Hidden bool   // encrypted in the file
	attrs  map[string]string
}

// Get is the value of an attribute; if it is not set, what ASP.NET takes then.
func (s *Section) Get(name, otherwise string) string {
	if s == nil {
		return otherwise
	}
	return cmp.Or(s.attrs[name], otherwise)
}

// Has reports whether an attribute is set to anything.
func (s *Section) Has(name string) bool { return s != nil && s.attrs[name] != "" }

// At is the line of a section; 0 if it is not there.
func (s *Section) At() int {
	if s == nil {
		return 0
	}
	return s.Line
}

// Note is a remark about a line.
type Note struct {
	Line int
	Text string
}

// SyntaxError is why a file cannot be read.
type SyntaxError struct {
	Name string
	Line int // 0 = not about a line
	Text string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Name + ": " + e.Text
	}
	return fmt.Sprintf("%s:%d: %s", e.Name, e.Line, e.Text)
}

// Open reads a file. The error is a [SyntaxError].
func Open(name string) (*File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, &SyntaxError{Name: name, Text: "cannot be read (" + reason(err) + "); name the web.config of the application"}
	}
	defer func() { _ = f.Close() }() // read only: nothing is lost
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, &SyntaxError{Name: name, Text: "is a directory; name the web.config in it"}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, &SyntaxError{Name: name, Text: "cannot be read: " + reason(err)}
	}
	return Read(name, data)
}

// reason is an error without the name of the file, which is said already.
func reason(err error) string {
	if p, ok := err.(*os.PathError); ok { //nolint:errorlint // it is not wrapped
		return p.Err.Error()
	}
	return err.Error()
}
