package relay

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/notice"
)

// displayQueue is how many messages may wait for the display; more are not shown.
const displayQueue = 1024

// Display writes what passes for people, or for programs.
type Display struct {
	opt    DisplayOptions
	out    *bufio.Writer
	queue  chan shown
	missed atomic.Int64
}

// DisplayOptions say how a Display writes.
type DisplayOptions struct {
	Color bool // one for each direction
	Whole bool // session ids whole, digests of bodies
	Bytes bool // bodies and what is not the protocol as bytes; only with Whole
	JSON  bool // one object a line
}

// NewDisplay returns a display that writes to w.
func NewDisplay(w io.Writer, opt DisplayOptions) *Display {
	return &Display{opt: opt, out: bufio.NewWriter(w), queue: make(chan shown, displayQueue)}
}

// wants reports whether anything is shown of the content of bodies.
func (d *Display) wants() bool { return d != nil && d.opt.Whole }

// tell shows s, unless too much waits already.
func (d *Display) tell(s shown) {
	select {
	case d.queue <- s:
	default:
		d.missed.Add(1)
	}
}

// end is called when nothing more is told.
func (d *Display) end() { close(d.queue) }

// Missed is how many messages were not shown.
func (d *Display) Missed() int64 { return d.missed.Load() }

// run writes until the end.
func (d *Display) run() {
	for s := range d.queue {
		text := ""
		if d.opt.JSON {
			text = d.json(s)
		} else {
			text = d.text(s)
		}
		_, _ = d.out.WriteString(text) // whoever read it has gone; traffic goes on
		if len(d.queue) == 0 {
			_ = d.out.Flush() // likewise
		}
	}
}

// The colours of the directions, and of what else is told.
const (
	colorRequest = "\x1b[36m"
	colorAnswer  = "\x1b[32m"
	colorNote    = "\x1b[2m"
	colorOff     = "\x1b[0m"
)

// text is a message in lines.
func (d *Display) text(s shown) string {
	arrow, color := ">", colorRequest
	if s.dir == Answers {
		arrow, color = "<", colorAnswer
	}
	head := s.at.Format("15:04:05.000000") + fmt.Sprintf(" #%d ", s.conn)
	switch s.kind {
	case kindOpen:
		return d.paint(colorNote, []string{head + "= connected from " + s.text})
	case kindClose:
		return d.paint(colorNote, []string{head + "= closed" + before(": ", s.text)})
	case kindRaw:
		line := fmt.Sprintf("%s%s %d bytes that are not the protocol, passed as they are", head, arrow, s.size)
		return d.paint(color, append([]string{line + before(": ", s.text)}, d.dump(s)...))
	}
	var lines []string
	m := s.m
	if s.dir == Requests {
		line := head + "> " + m.op + " " + d.key(m)
		if s.n > 0 {
			line += fmt.Sprintf("  (exchange %d to %s)", s.n, s.target)
		}
		lines = append(lines, line)
	} else {
		line := head + "< " + firstText(m.head)
		if s.n > 0 {
			line += fmt.Sprintf("  (exchange %d, %s, %.3f ms)", s.n, m.op, float64(s.latency.Nanoseconds())/1e6)
		} else {
			line += "  (nothing was asked)"
		}
		lines = append(lines, line)
	}
	eachHeader(m.head, func(_, name, value []byte) {
		lines = append(lines, "    "+escape(name)+": "+escape(value))
	})
	if s.size > 0 || m.size > 0 {
		line := fmt.Sprintf("    %d bytes of body", s.size)
		if s.size != m.size {
			line += fmt.Sprintf(" of the %d that were announced", m.size)
		}
		lines = append(lines, line+before(", SHA-256 ", s.digest))
	}
	lines = append(lines, d.dump(s)...)
	for _, rule := range m.bent {
		lines = append(lines, "    bent by "+escape([]byte(rule)))
	}
	if s.text != "" {
		lines = append(lines, "    not whole: "+s.text)
	}
	return d.paint(color, lines)
}

func (d *Display) key(m *message) string {
	if d.opt.Whole {
		return escape(m.req.Target)
	}
	return keyText(m.key, false)
}

// before puts prefix before text, if there is any.
func before(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// firstText is the first line of a head.
func firstText(head []byte) string {
	return escape(head[:max(firstLine(head)-2, 0)])
}

// dump is the bytes of a body, sixteen a line.
func (d *Display) dump(s shown) []string {
	if !d.opt.Bytes || len(s.part) == 0 {
		return nil
	}
	var lines []string
	for line := range strings.Lines(hex.Dump(s.part)) {
		lines = append(lines, "    "+strings.TrimSuffix(line, "\n"))
	}
	if more := s.size - len(s.part); more > 0 {
		lines = append(lines, fmt.Sprintf("    … %d more", more))
	}
	return lines
}

func (d *Display) paint(color string, lines []string) string {
	text := strings.Join(lines, "\n")
	if d.opt.Color {
		text = color + text + colorOff
	}
	return text + "\n"
}

// shownJSON is one line of --json.
type shownJSON struct {
	Kind        string      `json:"kind"` // open, message, raw or close
	Time        time.Time   `json:"time"`
	Conn        int64       `json:"connection"`
	Direction   string      `json:"direction,omitempty"` // request or answer
	Exchange    int64       `json:"exchange,omitempty"`
	Target      string      `json:"target,omitempty"`
	Operation   string      `json:"operation,omitempty"`
	Application string      `json:"application,omitempty"`
	Session     string      `json:"session,omitempty"` // its beginning, unless all is shown
	Status      string      `json:"status,omitempty"`
	Headers     [][2]string `json:"headers,omitempty"`
	Bytes       int         `json:"bytes"` // of the body, or of what is not the protocol
	Digest      string      `json:"sha256,omitempty"`
	Content     string      `json:"content,omitempty"` // base64
	LatencyMS   *float64    `json:"latency_ms,omitempty"`
	Rules       []string    `json:"rules,omitempty"`
	Text        string      `json:"text,omitempty"`
}

func (d *Display) json(s shown) string {
	j := shownJSON{Kind: string(s.kind), Time: s.at, Conn: s.conn, Exchange: s.n, Target: s.target, Bytes: s.size, Digest: s.digest, Text: s.text}
	if s.kind == kindEnd || s.kind == kindRaw {
		j.Direction = s.dir.String()
	}
	if d.opt.Bytes {
		j.Content = base64.StdEncoding.EncodeToString(s.part)
	}
	if m := s.m; m != nil {
		j.Kind = "message"
		j.Operation, j.Rules = m.op, m.bent
		if m.key != nil {
			session := notice.SessionOf(string(m.key))
			j.Application, j.Session = escape([]byte(session.Application())), escapeText(session.ID)
			if d.opt.Whole {
				j.Session = escape([]byte(sessionID(m.key)))
			}
		}
		if s.dir == Answers {
			j.Status = firstText(m.head)
			if s.n > 0 {
				ms := float64(s.latency.Nanoseconds()) / 1e6
				j.LatencyMS = &ms
			}
		}
		eachHeader(m.head, func(_, name, value []byte) {
			j.Headers = append(j.Headers, [2]string{escape(name), escape(value)})
		})
	}
	line, err := json.Marshal(j)
	if err != nil {
		panic("relay: a line cannot be written as JSON: " + err.Error()) // it has strings and numbers
	}
	return string(line) + "\n"
}
