package term

import (
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	xterm "github.com/charmbracelet/x/term"
)

// DefaultWidth in columns is for output that goes to no terminal, or to one that does not say how wide it is.
const DefaultWidth = 80

// A Screen is where output goes, and what it can show.
type Screen struct {
	io.Writer
	Width    int  // in columns
	Terminal bool // somebody watches
	Colours  bool
}

// Of finds out what a writer can show. Colours are for terminals alone, and only where the environment does not say otherwise: NO_COLOR is not set, and TERM is
// not dumb.
func Of(w io.Writer, env func(string) string) Screen {
	s := Screen{Writer: w, Width: DefaultWidth}
	f, ok := w.(*os.File)
	if !ok || !xterm.IsTerminal(f.Fd()) {
		return s
	}
	s.Terminal = true
	if width, _, err := xterm.GetSize(f.Fd()); err == nil && width > 0 {
		s.Width = width
	}
	s.Colours = wantsColours(env) && understands(f)
	return s
}

// wantsColours is what the environment says of colours.
func wantsColours(env func(string) string) bool {
	return env("NO_COLOR") == "" && env("TERM") != "dumb"
}

// IsTerminal reports whether somebody sits at a file, such as standard input.
func IsTerminal(f *os.File) bool { return xterm.IsTerminal(f.Fd()) }

// A Colour says what a text is about. The zero value is plain.
type Colour byte

// The colours.
const (
	Plain Colour = iota
	Bold
	Faint
	Red
	Green
	Yellow
	Blue
	Cyan
	Reverse
)

// codes are those of the terminal: the sixteen colours that every terminal has, so that the user's own choice of shades holds.
var codes = [...]string{Bold: "1", Faint: "2", Red: "31", Green: "32", Yellow: "33", Blue: "34", Cyan: "36", Reverse: "7"}

// Paint gives a text a colour, if there are colours.
func (s Screen) Paint(c Colour, text string) string {
	if !s.Colours || c == Plain || text == "" {
		return text
	}
	return "\x1b[" + codes[c] + "m" + text + "\x1b[0m"
}

// Clean makes a text that came from elsewhere fit to be shown on one line: what would command the terminal becomes a question mark.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029':
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// Width is how many columns a text takes.
func Width(text string) int { return ansi.StringWidth(text) }

// Cut shortens a text to a width; the last column says that something is missing.
func Cut(text string, width int) string {
	if width <= 0 {
		return ""
	}
	return ansi.Truncate(text, width, "…")
}

// Pad fills a text up to a width, on the left or on the right. One that is longer stays as it is.
func Pad(text string, width int, right bool) string {
	fill := strings.Repeat(" ", max(0, width-Width(text)))
	if right {
		return fill + text
	}
	return text + fill
}

// Wrap breaks a text into lines of at most so many columns. All but the first are indented.
func Wrap(text string, width int, indent string) string {
	lines := strings.Split(ansi.Wrap(text, max(20, width-len(indent)), ""), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n"+indent)
}
