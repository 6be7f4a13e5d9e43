package term

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Bar is a bar of so many columns between brackets, filled by a share from 0 to 1.
func Bar(share float64, width int) string {
	full := int(min(max(share, 0), 1) * float64(width))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

// progressPause is how often a line is written where nobody watches.
const progressPause = time.Second

// Progress shows how far something is: on a terminal in one line that is written over, elsewhere in a line each second.
type Progress struct {
	Screen Screen

	shown time.Time
}

// Show shows a text, of one line. Where nobody watches, a text is left out if the one before was written less than a second ago, unless it is the last.
func (p *Progress) Show(now time.Time, text string, last bool) {
	if p.Screen.Terminal {
		_, _ = fmt.Fprint(p.Screen, "\r"+Cut(text, p.Screen.Width-1)+"\x1b[K") // who watches sees if it stops
		return
	}
	if !last && now.Sub(p.shown) < progressPause {
		return
	}
	p.shown = now
	_, _ = fmt.Fprintln(p.Screen, text) // as above
}

// End leaves the line, and writes a last one if text is not empty.
func (p *Progress) End(text string) error {
	if p.Screen.Terminal {
		_, _ = fmt.Fprintln(p.Screen) // the error of the next is the same
	}
	if text == "" {
		return nil
	}
	_, err := io.WriteString(p.Screen, text+"\n")
	return err
}
