package webconfig

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// maxDepth is how deep elements may be nested.
	maxDepth = 200
	// maxScopes is how many <location>s are told apart.
	maxScopes = 1000
	// maxNotes bounds the notes: a file with more has one cause.
	maxNotes = 100

	transformSpace = "http://schemas.microsoft.com/XML-Document-Transform"
)

// Read reads the content of a file. name is for messages. The error is a [SyntaxError].
func Read(name string, data []byte) (*File, error) {
	if len(data) > maxFile {
		return nil, &SyntaxError{Name: name, Text: fmt.Sprintf("is longer than %d bytes, so it is no web.config", maxFile)}
	}
	text, err := toUTF8(data)
	if err != nil {
		return nil, &SyntaxError{Name: name, Text: err.Error()}
	}
	whole := &Scope{}
	r := &reader{file: &File{Name: name, Scopes: []*Scope{whole}}, whole: whole, d: xml.NewDecoder(bytes.NewReader(text))}
	r.d.CharsetReader = charset
	if err := r.run(); err != nil {
		return nil, err
	}
	return r.file, nil
}

// reader reads one file.
type reader struct {
	file  *File
	whole *Scope
	d     *xml.Decoder

	path    []string // open elements, the root first
	scope   *Scope   // of the <location> that is open; nil outside of one
	inside  *Section // the section that is open, which may be encrypted
	said    bool     // that transforms are ignored
	started bool     // the root was there
}

func (r *reader) fail(line int, text string) error {
	return &SyntaxError{Name: r.file.Name, Line: line, Text: text}
}

func (r *reader) note(line int, text string) {
	if len(r.file.Notes) < maxNotes {
		r.file.Notes = append(r.file.Notes, Note{line, text})
	}
}

func (r *reader) run() error {
	for {
		line, _ := r.d.InputPos()
		token, err := r.d.Token()
		if errors.Is(err, io.EOF) {
			if !r.started {
				return r.fail(0, "has no element <configuration>, so it is no web.config")
			}
			return nil
		}
		if err != nil {
			return r.syntax(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if err := r.open(line, token); err != nil {
				return err
			}
		case xml.EndElement:
			r.close()
		}
	}
}

// syntax says what is wrong with the XML.
func (r *reader) syntax(err error) error {
	line, _ := r.d.InputPos()
	text := err.Error()
	if s, ok := errors.AsType[*xml.SyntaxError](err); ok {
		line, text = s.Line, s.Msg
	}
	return r.fail(line, "is not well-formed XML: "+text+"; ASP.NET does not start an application with such a file")
}

func (r *reader) open(line int, e xml.StartElement) error {
	name := e.Name.Local
	if len(r.path) >= maxDepth {
		return r.fail(line, fmt.Sprintf("elements are nested more than %d deep, so it is no web.config", maxDepth))
	}
	if len(r.path) == 0 {
		if r.started {
			return r.fail(line, "there is a second root element <"+show(name)+">: a web.config has one <configuration>")
		}
		if name != "configuration" {
			return r.fail(line, "the root element is <"+show(name)+"> and not <configuration>, so it is no web.config")
		}
		r.started = true
	}
	r.path = append(r.path, name)
	for _, a := range e.Attr {
		if a.Name.Space == transformSpace && !r.said {
			r.said = true
			r.note(line, "transforms (xdt:) are not carried out: what is said here is about the file as it stands. Check the file that was deployed")
		}
	}
	attr := func(name string) string {
		for _, a := range e.Attr {
			if a.Name.Space == "" && a.Name.Local == name {
				return strings.TrimSpace(a.Value)
			}
		}
		return ""
	}
	switch {
	case len(r.path) == 2 && name == "location":
		r.scope = r.whole
		if p := attr("path"); p != "" && p != "." {
			r.scope = &Scope{Path: show(p), Line: line}
			if len(r.file.Scopes) < maxScopes {
				r.file.Scopes = append(r.file.Scopes, r.scope)
			}
		}
	case r.inWeb():
		r.section(line, name, e.Attr, attr("configSource"), attr("configProtectionProvider") != "")
	case r.inside != nil && name == "EncryptedData":
		r.inside.Hidden = true
	}
	return nil
}

// inWeb reports whether the element that was opened last is a section of <system.web>.
func (r *reader) inWeb() bool {
	n := len(r.path)
	return n == 3 && r.path[1] == "system.web" || n == 4 && r.path[1] == "location" && r.path[2] == "system.web"
}

func (r *reader) close() {
	if r.inWeb() {
		r.inside = nil
	}
	if n := len(r.path); n > 0 {
		if n == 2 {
			r.scope = nil
		}
		r.path = r.path[:n-1]
	}
}

// section takes a section of <system.web> in.
func (r *reader) section(line int, name string, attrs []xml.Attr, source string, hidden bool) {
	scope := r.scope
	if scope == nil {
		scope = r.whole
	}
	var at **Section
	switch name {
	case "sessionState":
		at = &scope.Session
	case "httpRuntime":
		at = &scope.Runtime
	case "pages":
		at = &scope.Pages
	case "httpCookies":
		at = &scope.Cookies
	case "compilation":
		at = &scope.Compile
	case "machineKey":
		key := &MachineKey{Section: Section{Line: line, Source: source, Hidden: hidden}}
		for _, a := range attrs {
			if a.Name.Space == "" {
				key.take(a.Name.Local, strings.TrimSpace(a.Value))
			}
		}
		scope.MachineKey = key
		r.opened(&key.Section, name)
		return
	default:
		for _, known := range []string{"sessionState", "machineKey", "httpRuntime"} {
			if strings.EqualFold(name, known) {
				r.note(line, "<"+show(name)+"> is spelt with other letter case than <"+known+">: ASP.NET refuses the file; write <"+known+">")
			}
		}
		return
	}
	s := &Section{Line: line, Source: source, Hidden: hidden, attrs: map[string]string{}}
	for _, a := range attrs {
		if a.Name.Space != "" {
			continue
		}
		value := strings.TrimSpace(a.Value)
		if strings.EqualFold(a.Name.Local, "sqlConnectionString") && value != "" {
			value = "set" // it may hold a password
		}
		s.attrs[a.Name.Local] = value
	}
	if *at != nil {
		r.note(line, "<"+name+"> stands here a second time (before that on line "+fmt.Sprint((*at).Line)+"): ASP.NET refuses the file; remove one")
	}
	*at = s
	r.opened(s, name)
}

// opened notes what keeps a section from being read.
func (r *reader) opened(s *Section, name string) {
	r.inside = s
	if s.Source != "" {
		r.note(s.Line, "the content of <"+name+"> is in the file "+show(s.Source)+" (configSource), which is not read here: check that one likewise")
	}
	if s.Hidden {
		r.note(s.Line, "<"+name+"> is encrypted, so it cannot be judged here; aspnet_regiis -pef shows how it was protected, -pdf takes it off")
	}
}

// maxShown is how much of what a file says is shown, in bytes.
const maxShown = 120

// show makes a text of a file fit for a line.
func show(text string) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > maxShown {
		return strings.ToValidUTF8(text[:maxShown], "") + "..."
	}
	return text
}
