package bench

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// tableWidth is what every line of a table fits in, in characters.
const tableWidth = 80

// WriteTable writes the result for people. No line is longer than 80 characters.
func (r *LoadResult) WriteTable(w io.Writer) error {
	var b bytes.Buffer
	r.writeHead(&b)
	writeLatencies(&b, "pages", r.Pages)
	writeLatencies(&b, "requests", r.Requests)
	r.writeAnswers(&b)
	r.writeRest(&b)
	_, err := w.Write(b.Bytes())
	return err
}

func (r *LoadResult) writeHead(b *bytes.Buffer) {
	c := &r.Config
	loop := "closed loop"
	if c.Rate > 0 {
		loop = "open loop, " + strconv.FormatFloat(c.Rate, 'g', -1, 64) + " pages/s"
	}
	parts := []string{loop, plural(int64(c.Conns), "connection"), plural(int64(len(c.Targets)), "target"), fmt.Sprintf("%.1f s", r.MeasuredS)}
	if c.WarmUp > 0 {
		parts = append(parts, "after "+c.WarmUp.String())
	}
	writeWrapped(b, "load", parts)

	size := number(int64(c.BodyMin))
	if c.BodyMax != c.BodyMin {
		size += "-" + number(int64(c.BodyMax))
	}
	parts = []string{number(int64(c.Sessions)) + " of " + size + " bytes"}
	if c.HotShare > 0 {
		parts = append(parts, fmt.Sprintf("%d%% of pages on %s", c.HotShare, number(int64(c.HotSessions))))
	}
	writeWrapped(b, "sessions", parts)
	if p := r.Preload; p != nil {
		parts = []string{fmt.Sprintf("%s created in %.1f s", number(p.Sessions), p.ElapsedS)}
		if p.Refused > 0 {
			parts = append(parts, number(p.Refused)+" were locked already")
		}
		writeWrapped(b, "preload", parts)
	}
	mix := string(c.Mode)
	if c.Mode == ModePages {
		mix = c.Mix.String()
	}
	writeWrapped(b, "mix", strings.Split(mix, ","))
}

// writeLatencies writes one block of the table.
func writeLatencies(b *bytes.Buffer, title string, kinds []KindLatency) {
	fmt.Fprintf(b, "\n%-10s%12s%11s%9s%9s%9s%9s%9s\n", title, "count", "per s", "p50", "p90", "p99", "p99.9", "max")
	for _, k := range kinds {
		fmt.Fprintf(b, "%-10s%12s%11s%9s%9s%9s%9s%9s\n", k.Kind, number(k.Count), rate(k.PerS),
			span(k.P50), span(k.P90), span(k.P99), span(k.P999), span(k.Max))
	}
}

func (r *LoadResult) writeAnswers(b *bytes.Buffer) {
	b.WriteByte('\n')
	var parts []string
	for i, a := range r.Answers {
		parts = append(parts, fmt.Sprintf("%d %s", a.Status, number(a.Count)))
		if i+1 == len(r.Answers) || r.Answers[i+1].Request != a.Request {
			writeWrapped(b, a.Request, parts)
			parts = nil
		}
	}
}

// writeRest writes what needs a line only if it occurred.
func (r *LoadResult) writeRest(b *bytes.Buffer) {
	b.WriteByte('\n')
	writeWrapped(b, "bodies", []string{size(r.BodyBytesSent) + " sent", size(r.BodyBytesReceived) + " received"})
	var locks []string
	for _, part := range []struct {
		n    int64
		what string
	}{
		{r.Polls, "polls"},
		{r.LocksBroken, "locks broken"},
		{r.SavesRefused, "saves refused"},
	} {
		if part.n > 0 {
			locks = append(locks, number(part.n)+" "+part.what)
		}
	}
	if len(locks) > 0 {
		writeWrapped(b, "locks", locks)
	}
	if r.ConnectionsReplaced > 0 {
		writeWrapped(b, "links", []string{number(r.ConnectionsOpened) + " opened", number(r.ConnectionsReplaced) + " found closed"})
	}
	if o := r.OpenLoop; o != nil {
		parts := []string{plural(o.PagesLate, "page") + " began late"}
		if o.PagesLate > 0 {
			parts = append(parts, "at most "+span(o.MaxLateUS))
		}
		if o.PagesUnbegun > 0 {
			parts = append(parts, number(o.PagesUnbegun)+" never began: the rate was too high")
		}
		writeWrapped(b, "late", parts)
	}
	writeWrapped(b, "failed", []string{plural(r.PagesFailed, "page")})
	writeSamples(b, r.ErrorSamples)
	if v := r.Verify; v != nil {
		writeWrapped(b, "verified", []string{number(v.Bodies) + " bodies", plural(v.Faults, "fault")})
		writeSamples(b, v.Kinds)
	}
}

func writeSamples(b *bytes.Buffer, list []Sample) {
	for _, s := range list {
		text := fmt.Sprintf("%12s  %s", number(s.Count), s.Text)
		if len(text) > tableWidth {
			text = text[:tableWidth-3] + "..."
		}
		b.WriteString(text + "\n")
	}
}

// writeWrapped writes a title and parts with commas between them, broken between parts where a line would get too long.
func writeWrapped(b *bytes.Buffer, title string, parts []string) {
	line := fmt.Sprintf("%-10s", title)
	for i, part := range parts {
		if i > 0 {
			if len(line)+len(", ")+len(part) >= tableWidth {
				b.WriteString(line + ",\n")
				line = strings.Repeat(" ", 10)
			} else {
				line += ", "
			}
		}
		line += part
	}
	b.WriteString(line + "\n")
}

// number writes n with commas between thousands.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

// rate writes a number a second, with a decimal while that says something.
func rate(perS float64) string {
	if perS < 100 {
		return strconv.FormatFloat(perS, 'f', 1, 64)
	}
	return number(int64(perS + 0.5))
}

// span writes microseconds with three digits and their unit, in at most seven characters.
func span(us float64) string {
	switch d := time.Duration(us * 1e3); {
	case us < 999.5:
		return fmt.Sprintf("%.0fus", us)
	case us < 9995:
		return fmt.Sprintf("%.2fms", us/1e3)
	case us < 99950:
		return fmt.Sprintf("%.1fms", us/1e3)
	case us < 999500:
		return fmt.Sprintf("%.0fms", us/1e3)
	default:
		return fmt.Sprintf("%.2fs", d.Seconds())
	}
}

// size writes bytes in the largest fitting unit.
func size(n int64) string {
	switch f := float64(n); {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", f/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", f/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", f/(1<<30))
	}
}
