package config

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// fileValue is a value of the file: the texts for the parser of its option,
// and the line of its key.
type fileValue struct {
	texts []string
	line  int
}

// fileReader walks a TOML document and takes the values of known keys out of
// it.
//
// It walks the syntax tree instead of decoding into a struct for three
// reasons: decoding takes keys whatever their letter case, stops at the first
// value of a wrong type, and does not say on which line a good value stands.
type fileReader struct {
	name     string
	parser   unstable.Parser
	values   map[string]fileValue
	items    []*fileItem
	problems []fileProblem
	seen     int       // bytes of the document in which lines have been counted
	line     int       // of the byte behind them, counted from 1
	item     *fileItem // that the lines that follow belong to; nil for none
	skip     bool      // the lines that follow belong to an unknown table
}

// fileProblem keeps the line beside the problem, so that two reports on one
// line can be told.
type fileProblem struct {
	line int
	Problem
}

// readTOML finds the values of the document, up to the first mistake in its
// syntax, and the problems on the way; name is for the messages. What a value
// says is not judged here, only its TOML type. Call syntax when that has been
// done.
func readTOML(name string, data []byte) *fileReader {
	r := &fileReader{name: name, values: make(map[string]fileValue), line: 1}
	r.parser.Reset(data)
	for r.parser.NextExpression() {
		r.expression(r.parser.Expression())
	}
	return r
}

// syntax lets the decoder proper have its word, which knows more rules than
// the parser of the tree. What it finds on a line that has a problem already
// is the same problem.
func (r *fileReader) syntax() {
	var document map[string]any
	var wrong *toml.DecodeError
	if !errors.As(toml.Unmarshal(r.parser.Data(), &document), &wrong) {
		return
	}
	line, column := wrong.Position()
	for _, p := range r.problems {
		if p.line == line {
			return
		}
	}
	r.report(line, "", "column %d: %s", column, strings.TrimPrefix(wrong.Error(), "toml: "))
}

func (r *fileReader) report(line int, key, format string, args ...any) {
	where := r.where(line)
	if key != "" {
		where += ": " + showKey(key)
	}
	r.problems = append(r.problems, fileProblem{line, Problem{where, oneLine(fmt.Sprintf(format, args...))}})
}

func (r *fileReader) where(line int) string {
	return r.name + ":" + strconv.Itoa(line)
}

func (r *fileReader) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.Table:
		r.table(n)
	case unstable.ArrayTable:
		r.arrayTable(n)
	case unstable.KeyValue:
		if !r.skip {
			r.keyValue(n)
		}
	}
}

// table meets [name], which no setting uses.
func (r *fileReader) table(n *unstable.Node) {
	key, line := r.key(n)
	r.skip, r.item = true, nil
	if l := listOf(key); l != nil {
		r.report(line, key, "is a list; %s", l.advice())
		return
	}
	if o := Lookup(key); o != nil {
		r.report(line, key, "is a table; accepted: %s", o.Accepts())
		return
	}
	r.unknown(line, key)
}

func (r *fileReader) arrayTable(n *unstable.Node) {
	key, line := r.key(n)
	l := listOf(key)
	r.skip, r.item = l == nil, nil
	if l != nil {
		r.item = r.begin(l, line)
		return
	}
	if o := Lookup(key); o != nil {
		r.report(line, key, "is a list of tables; accepted: %s", o.Accepts())
		return
	}
	r.unknown(line, key)
}

func (r *fileReader) keyValue(n *unstable.Node) {
	key, line := r.key(n)
	if r.item != nil {
		r.itemValue(r.item, key, line, n.Value())
		return
	}
	if l := listOf(key); l != nil {
		r.inlineItems(l, line, n.Value())
		return
	}
	o := Lookup(key)
	if o == nil {
		r.unknown(line, key)
		return
	}
	if first, ok := r.values[key]; ok {
		r.report(line, key, "is set again; the first time is on line %d", first.line)
		return
	}
	texts, err := texts(o.value.kind(), n.Value())
	if err != nil {
		r.report(line, key, "%s; accepted: %s", err, o.Accepts())
		return
	}
	r.values[key] = fileValue{texts, line}
}

func (r *fileReader) unknown(line int, key string) {
	names := keyNames()
	r.report(line, key, "unknown key%s; accepted: %s", didYouMean(key, names), strings.Join(names, ", "))
}

func didYouMean(key string, names []string) string {
	if near := nearest(key, names); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}

// keyNames are all keys of the file, in the order of Table and lists.
func keyNames() []string {
	names := make([]string, 0, len(Table)+len(lists))
	for i := range Table {
		names = append(names, Table[i].Name)
	}
	for _, l := range lists {
		names = append(names, l.name)
	}
	return names
}

// lineAt is the line of a byte. The parser could tell, but counts from the
// start each time. Requires that offset never goes back.
func (r *fileReader) lineAt(offset int) int {
	r.line += bytes.Count(r.parser.Data()[r.seen:offset], []byte("\n"))
	r.seen = offset
	return r.line
}

// key is the key of a node, its parts joined by dots, and its line.
func (r *fileReader) key(n *unstable.Node) (string, int) {
	var parts []string
	line := 0
	for it := n.Key(); it.Next(); {
		if line == 0 {
			line = r.lineAt(int(it.Node().Raw.Offset))
		}
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, "."), line
}

// texts is a TOML value as texts for the parser of an option of the kind.
func texts(k kind, value *unstable.Node) ([]string, error) {
	switch {
	case k == kindList:
		return listTexts(value)
	case value.Kind == unstable.String && (k == kindText || k == kindSize || k == kindDuration),
		value.Kind == unstable.Bool && k == kindBoolean:
		return []string{string(value.Data)}, nil
	case value.Kind == unstable.Integer && (k == kindInteger || k == kindSize || k == kindDuration):
		return []string{decimal(string(value.Data))}, nil
	}
	return nil, errors.New("is " + describe(value))
}

func listTexts(value *unstable.Node) ([]string, error) {
	if value.Kind != unstable.Array {
		return nil, fmt.Errorf("is %s and not a list in brackets", describe(value))
	}
	list := []string{}
	for it := value.Children(); it.Next(); {
		if it.Node().Kind != unstable.String {
			return nil, fmt.Errorf("holds %s", describe(it.Node()))
		}
		list = append(list, string(it.Node().Data))
	}
	return list, nil
}

// decimal spells a TOML integer, which may be hexadecimal or hold
// underscores, in plain digits. One that is too large for any option stays as
// it is, and is refused by the parser of the option.
func decimal(text string) string {
	n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 0, 64)
	if err != nil {
		return text
	}
	return strconv.FormatInt(n, 10)
}

// describe names a value for a message: its type, and the value itself where
// it is short.
func describe(n *unstable.Node) string {
	switch n.Kind {
	case unstable.String:
		return "the string " + show(string(n.Data))
	case unstable.Integer:
		return "the number " + string(n.Data)
	case unstable.Float:
		return "the fraction " + string(n.Data)
	case unstable.Bool:
		return "the boolean " + string(n.Data)
	case unstable.Array:
		return "a list"
	case unstable.InlineTable:
		return "a table"
	}
	return "the date or time " + string(n.Data)
}
