package main

import (
	"fmt"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/relay"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

// How often the progress of a replay is shown: on a terminal, in one line that is written over; elsewhere.
const (
	replayEvery = 200 * time.Millisecond
	replayQuiet = 5 * time.Second
)

// replayProgress shows on standard error how far a replay is.
type replayProgress struct {
	screen term.Screen
	began  time.Time
	shown  time.Time
	line   bool // a line stands there that is written over
}

func (p *replayProgress) show(r relay.ReplayResult) {
	now, every := time.Now(), replayQuiet
	if p.screen.Terminal {
		every = replayEvery
	}
	if now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	text := fmt.Sprintf("%d exchanges, %d different, %s", r.Same+r.Different, r.Different, now.Sub(p.began).Round(time.Second))
	if p.screen.Terminal {
		p.line = true
		_, _ = fmt.Fprint(p.screen, "\r"+term.Cut(text, p.screen.Width-1)+"\x1b[K") // who watches sees if it stops
		return
	}
	_, _ = fmt.Fprintln(p.screen, text) // as above
}

// wipe takes the line away before something else is written.
func (p *replayProgress) wipe() {
	if p.line {
		p.line = false
		_, _ = fmt.Fprint(p.screen, "\r\x1b[K") // as above
	}
}
