package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

// width is how wide text is at most: it is read, and longer lines read badly.
const width = 80

// titles and colours of the severities.
var shownAs = map[Severity]struct {
	title  string
	colour term.Colour
}{
	Problem: {"PROBLEMS", term.Red},
	Warning: {"WARNINGS", term.Yellow},
	Note:    {"NOTES", term.Blue},
	OK:      {"FOUND NOTHING", term.Green},
}

// WriteJSON writes a report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteText writes a report for people: what is gravest first. verbose lists the checks that found nothing, too.
func (r *Report) WriteText(s term.Screen, verbose bool) error {
	var b strings.Builder
	page := min(s.Width, width)
	fill(&b, page, "", "", term.Clean("Checked "+r.About+"."))
	passed := 0
	for _, severity := range order {
		title := false
		for i := range r.Findings {
			f := &r.Findings[i]
			if f.Severity != severity {
				continue
			}
			if severity == OK {
				passed++
				if !verbose {
					continue
				}
			}
			if !title {
				title = true
				b.WriteString("\n" + s.Paint(shownAs[severity].colour, shownAs[severity].title) + "\n")
			}
			f.write(&b, s, page)
		}
	}
	b.WriteString("\n")
	fill(&b, page, "", "", r.summary(passed, verbose))
	_, err := io.WriteString(s, b.String())
	return err
}

// summary is the last line.
func (r *Report) summary(passed int, verbose bool) string {
	text := fmt.Sprintf("%s, %s, %s; %s found nothing", term.Plural(r.Problems, "problem", "problems"), term.Plural(r.Warnings, "warning", "warnings"),
		term.Plural(r.Notes, "note", "notes"), term.Plural(passed, "check", "checks"))
	if !verbose && passed > 0 {
		text += " (--verbose lists them)"
	}
	return text + "."
}

// write writes one finding.
func (f *Finding) write(b *strings.Builder, s term.Screen, page int) {
	if f.Severity == OK {
		fill(b, page, "  "+term.Pad(f.Check, 22, false)+" ", strings.Repeat(" ", 25), term.Clean(f.What))
		return
	}
	b.WriteString("\n" + s.Paint(shownAs[f.Severity].colour, f.Check))
	if f.Where != "" {
		var where strings.Builder
		indent := strings.Repeat(" ", 2)
		if len(f.Check)+2+term.Width(f.Where) > page {
			b.WriteString("\n")
			fill(&where, page, indent, indent, term.Clean(f.Where))
		} else {
			where.WriteString("  " + term.Clean(f.Where) + "\n")
		}
		b.WriteString(where.String())
	} else {
		b.WriteString("\n")
	}
	const indent = "         "
	fill(b, page, "  found  ", indent, term.Clean(f.What))
	if f.Means != "" {
		fill(b, page, "  means  ", indent, term.Clean(f.Means))
	}
	for i, do := range f.Do {
		head := "  do     - "
		if i > 0 {
			head = indent + "- "
		}
		fill(b, page, head, indent+"  ", term.Clean(do))
	}
}

// fill writes a text in lines of at most so many columns, broken at blanks alone: names stay whole, and so do commands, which stand between backquotes, if there is a
// line that can hold them. A word that is wider has a line to itself.
func fill(b *strings.Builder, page int, first, indent, text string) {
	line, width := first, term.Width(first)
	empty := true
	for _, word := range words(text, page-term.Width(indent)) {
		w := term.Width(word)
		if !empty && width+1+w > page {
			b.WriteString(line + "\n")
			line, width, empty = indent, term.Width(indent), true
		}
		if !empty {
			line += " "
			width++
		}
		line, width, empty = line+word, width+w, false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// words splits a text at blanks, but not inside a command that fits into so many columns.
func words(text string, room int) []string {
	var all []string
	for word := range strings.FieldsSeq(text) {
		if n := len(all); n > 0 && strings.Count(all[n-1], "`") == 1 {
			all[n-1] += " " + word
			continue
		}
		all = append(all, word)
	}
	var fit []string
	for _, word := range all {
		if term.Width(word) > room {
			fit = append(fit, strings.Fields(word)...)
		} else {
			fit = append(fit, word)
		}
	}
	return fit
}
