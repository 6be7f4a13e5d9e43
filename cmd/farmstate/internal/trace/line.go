package trace

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

// Line is an event with the node that it comes from.
type Line struct {
	Node string `json:"node"`      // its id
	Name string `json:"node_name"` // what people call it
	event.Event
}

// JSON is the line as one line of JSON, with its end.
func (l *Line) JSON() []byte {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // it is for no web page
	_ = enc.Encode(l)        // texts and numbers
	return text.Bytes()
}

// Printer writes lines for people.
type Printer struct {
	Screen term.Screen

	node, name int // widths so far: columns only become wider
}

// Widths of columns at first, and at most.
const (
	firstNode, maxNode = 6, 20
	firstName, maxName = 16, 28
)

// Print writes a line: time, level, node, event, text, and what it is about. It is as long as it is: what was cut could not be searched for.
func (p *Printer) Print(l *Line) error {
	node, name := term.Clean(l.Name), term.Clean(l.Event.Name)
	p.node = min(maxNode, max(p.node, firstNode, term.Width(node)))
	p.name = min(maxName, max(p.name, firstName, term.Width(name)))
	colour := levelColours[l.Level]
	parts := []string{
		p.Screen.Paint(term.Faint, l.Time.Local().Format("15:04:05.000")),
		p.Screen.Paint(colour, term.Pad(strings.ToUpper(term.Clean(string(l.Level))), 5, false)),
		term.Pad(term.Cut(node, p.node), p.node, false),
		p.Screen.Paint(colour, term.Pad(name, p.name, false)),
		term.Clean(l.Text),
	}
	for _, key := range slices.Sorted(maps.Keys(l.Attrs)) {
		value := term.Clean(l.Attrs[key])
		if value == "" || strings.ContainsAny(value, " \"=") {
			value = strconv.Quote(value)
		}
		parts = append(parts, p.Screen.Paint(term.Faint, term.Clean(key)+"="+value))
	}
	_, err := p.Screen.Write([]byte(strings.TrimRight(strings.Join(parts, " "), " ") + "\n"))
	return err
}

var levelColours = map[event.Level]term.Colour{event.Debug: term.Faint, event.Info: term.Green, event.Warn: term.Yellow, event.Error: term.Red}
