package p2pconfig

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// maxDepth bounds how deep elements may be nested. The original has three.
const maxDepth = 32

// entry is an <add key="…" value="…"/>.
type entry struct {
	key, value string
	line       int
}

// section is what an element of entries adds up to. Keys that differ in letter
// case only are one, and the last value counts, as in .NET.
type section struct {
	line    int // of its element; 0 if the file has none
	entries []entry
	index   map[string]int // by key in lower case
}

// put adds an entry; replaced is the line of the one in whose place it stands,
// 0 for none.
func (s *section) put(e entry) (replaced int) {
	key := strings.ToLower(e.key)
	if i, ok := s.index[key]; ok {
		replaced, s.entries[i] = s.entries[i].line, e
		return replaced
	}
	s.index[key] = len(s.entries)
	s.entries = append(s.entries, e)
	return 0
}

func (s *section) clear() {
	s.entries, s.index = nil, make(map[string]int)
}

// remove leaves the entry in its place, without a key, so that the others keep
// theirs.
func (s *section) remove(key string) {
	key = strings.ToLower(key)
	if i, ok := s.index[key]; ok {
		s.entries[i] = entry{}
		delete(s.index, key)
	}
}

// all are the entries that were not removed.
func (s *section) all() (entries []entry) {
	for _, e := range s.entries {
		if e.line != 0 {
			entries = append(entries, e)
		}
	}
	return entries
}

// document is the file as far as it matters.
type document struct {
	name        string
	notes       []string
	problems    config.Problems
	appSettings section
	peers       section

	decoder *xml.Decoder
	path    []string // the elements around what is read, the root first
	ended   bool     // the root element was closed
	skip    int      // elements of the path from which on nothing matters; 0 for none
}

// readDocument finds the entries of the file, and everything that is wrong
// with it up to the first mistake in its syntax.
func readDocument(name string, data []byte) *document {
	d := &document{name: name, decoder: xml.NewDecoder(bytes.NewReader(data))}
	d.appSettings.clear()
	d.peers.clear()
	d.decoder.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		if bytes.ContainsFunc(data, func(r rune) bool { return r >= utf8.RuneSelf }) {
			return nil, fmt.Errorf("the file declares the encoding %s; save it as UTF-8, and declare that", strconv.Quote(label))
		}
		return input, nil
	}
	for d.token() {
	}
	return d
}

// token meets the next piece of the file; false at its end, and at what makes
// the rest meaningless.
func (d *document) token() bool {
	line, _ := d.decoder.InputPos()
	token, err := d.decoder.Token()
	if errors.Is(err, io.EOF) {
		if !d.ended {
			d.problem(line, "", "the file has no element; expected <configuration>")
		}
		return false
	}
	if wrong, ok := errors.AsType[*xml.SyntaxError](err); ok {
		d.problem(wrong.Line, "", "is not XML: %s", oneLine(wrong.Msg))
		return false
	}
	if err != nil {
		d.problem(line, "", "%s", oneLine(err.Error()))
		return false
	}
	switch token := token.(type) {
	case xml.StartElement:
		return d.start(token, line)
	case xml.EndElement:
		d.end()
	case xml.Directive:
		d.problem(line, "", "a document type (<!DOCTYPE …>) is not accepted; remove it")
		return false
	}
	return true
}

func (d *document) start(e xml.StartElement, line int) bool {
	name := e.Name.Local
	d.path = append(d.path, name)
	switch depth := len(d.path); {
	case depth > maxDepth:
		d.problem(line, "", "elements are nested more than %d deep", maxDepth)
		return false
	case depth == 1 && d.ended:
		d.problem(line, element(name), "is a second root element; a file has one <configuration>")
		return false
	case depth == 1 && name != "configuration":
		d.problem(line, element(name), "is not the root element of a .NET configuration; expected <configuration>")
		return false
	case d.skip > 0 || depth == 1:
	case depth == 2 && d.section() != nil:
		d.open(d.section(), e, line)
	case depth == 2 && name == "configSections":
		d.skip = depth // It declares <Peers>.
	case depth == 3:
		d.entry(d.section(), e, line)
		d.skip = depth
	default:
		d.note(line, element(name), "is no setting of a peer-to-peer state server, and is left out")
		d.skip = depth
	}
	return true
}

func (d *document) end() {
	if d.skip == len(d.path) {
		d.skip = 0
	}
	d.path = d.path[:len(d.path)-1]
	d.ended = len(d.path) == 0
}

// section is the one that the path is in.
func (d *document) section() *section {
	switch d.path[1] {
	case "appSettings":
		return &d.appSettings
	case "Peers":
		return &d.peers
	}
	return nil
}

func (d *document) open(s *section, e xml.StartElement, line int) {
	if s.line != 0 {
		d.problem(line, element(e.Name.Local), "is there again; the first time is on line %d", s.line)
	}
	s.line = line
	for _, a := range e.Attr {
		if a.Name.Local == "file" || a.Name.Local == "configSource" {
			d.problem(line, element(e.Name.Local), "names another file with %s, which is not read; put its settings into this one", a.Name.Local)
		}
	}
}

// entry meets an element of a section.
func (d *document) entry(s *section, e xml.StartElement, line int) {
	key, value, ok := d.attributes(e, line)
	if !ok {
		return
	}
	switch e.Name.Local {
	case "add":
		if key == nil || value == nil {
			d.problem(line, "<add>", "needs the attributes key and value")
			return
		}
		if first := s.put(entry{*key, *value, line}); first != 0 {
			d.note(line, strconv.Quote(short(*key)), "is set again; the value on line "+strconv.Itoa(first)+" is left out, as the original does")
		}
	case "remove":
		if key == nil {
			d.problem(line, "<remove>", "needs the attribute key")
			return
		}
		s.remove(*key)
	case "clear":
		s.clear()
	default:
		d.note(line, element(e.Name.Local), "is no setting of a peer-to-peer state server, and is left out")
	}
}

// attributes are key and value of an element; nil for one that it has not.
func (d *document) attributes(e xml.StartElement, line int) (key, value *string, ok bool) {
	for _, a := range e.Attr {
		var to **string
		switch a.Name.Local {
		case "key":
			to = &key
		case "value":
			to = &value
		default:
			d.note(line, element(e.Name.Local), "has an attribute "+strconv.Quote(short(a.Name.Local))+", which is left out")
			continue
		}
		if *to != nil {
			d.problem(line, element(e.Name.Local), "has the attribute %s twice", a.Name.Local)
			return nil, nil, false
		}
		*to = &a.Value
	}
	return key, value, true
}

func (d *document) where(line int, what string) string {
	where := d.name + ":" + strconv.Itoa(line)
	if what != "" {
		where += ": " + what
	}
	return where
}

func (d *document) problem(line int, what, format string, args ...any) {
	d.problems = append(d.problems, config.Problem{Where: d.where(line, what), What: fmt.Sprintf(format, args...)})
}

func (d *document) note(line int, what, text string) {
	d.notes = append(d.notes, config.Problem{Where: d.where(line, what), What: text}.Error())
}

// element is the name of an element for a message.
func element(name string) string {
	return "<" + short(name) + ">" // XML names have no control characters.
}

const maxShown = 200 // bytes of a text that are shown

// short bounds a text for a message.
func short(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "…"
}

// oneLine takes line breaks and other control characters out of a message.
func oneLine(text string) string {
	return short(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text))
}
