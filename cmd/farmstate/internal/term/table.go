package term

import (
	"strings"
)

// Column is a column of a table.
type Column struct {
	Title string
	Right bool // numbers stand on the right
	Min   int  // it may be shortened to so many columns of the screen when the table is too wide; 0 = not at all
}

// Cell is one field of a table.
type Cell struct {
	Text   string
	Colour Colour
}

// Table is a table that is made to fit a width.
type Table struct {
	Columns []Column
	Rows    [][]Cell // each as long as Columns
}

// Add adds a row of plain texts.
func (t *Table) Add(texts ...string) {
	row := make([]Cell, len(t.Columns))
	for i, text := range texts {
		row[i].Text = text
	}
	t.Rows = append(t.Rows, row)
}

// Lines lays the table out for a screen: the titles, then one line for each row. No line is wider than the screen: columns that may be are shortened, the widest
// first; then the gaps become narrow; what is still too wide is cut at the end of its line.
func (t *Table) Lines(s Screen) []string {
	cells := make([][]Cell, len(t.Rows))
	for i, row := range t.Rows {
		cells[i] = make([]Cell, len(row))
		for j, c := range row {
			cells[i][j] = Cell{Clean(c.Text), c.Colour}
		}
	}
	widths := t.natural(cells)
	gap := fit(widths, t.Columns, s.Width)
	lines := make([]string, 0, len(cells)+1)
	titles := make([]Cell, len(t.Columns))
	for i, c := range t.Columns {
		titles[i] = Cell{c.Title, Bold}
	}
	for _, row := range append([][]Cell{titles}, cells...) {
		lines = append(lines, Cut(t.line(s, row, widths, gap), s.Width))
	}
	return lines
}

// Write writes the table to its screen.
func (t *Table) Write(s Screen) error {
	_, err := s.Write([]byte(strings.Join(t.Lines(s), "\n") + "\n"))
	return err
}

func (t *Table) line(s Screen, row []Cell, widths []int, gap int) string {
	var b strings.Builder
	for i, c := range row {
		text := Cut(c.Text, widths[i])
		fill := strings.Repeat(" ", widths[i]-Width(text))
		if i > 0 {
			b.WriteString(strings.Repeat(" ", gap))
		}
		if t.Columns[i].Right {
			b.WriteString(fill)
		}
		b.WriteString(s.Paint(c.Colour, text))
		if !t.Columns[i].Right {
			b.WriteString(fill)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// natural is how wide each column would like to be.
func (t *Table) natural(cells [][]Cell) []int {
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = Width(c.Title)
		for _, row := range cells {
			widths[i] = max(widths[i], Width(row[i].Text))
		}
	}
	return widths
}

// fit shortens columns until all fit, and returns how wide the gaps between them are.
func fit(widths []int, columns []Column, width int) (gap int) {
	for gap = 2; gap >= 1; gap-- {
		for total(widths, gap) > width {
			widest := -1
			for i, c := range columns {
				if c.Min > 0 && widths[i] > max(c.Min, Width(c.Title)) && (widest < 0 || widths[i] > widths[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			widths[widest]--
		}
		if total(widths, gap) <= width {
			return gap
		}
	}
	return 1
}

func total(widths []int, gap int) int {
	sum := gap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}
