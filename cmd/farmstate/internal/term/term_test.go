package term

import (
	"bytes"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

func TestColoursAreForTerminals(t *testing.T) {
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, w := range map[string]Screen{"a buffer": Of(new(bytes.Buffer), env()), "the null device": Of(null, env())} {
		if w.Colours || w.Terminal || w.Width != DefaultWidth {
			t.Errorf("%s: %+v", name, w)
		}
		if got := w.Paint(Red, "x"); got != "x" {
			t.Errorf("%s: %q", name, got)
		}
	}
	for want, e := range map[bool][]func(string) string{
		true:  {env(), env("TERM", "xterm"), env("NO_COLOR", "")},
		false: {env("NO_COLOR", "1"), env("NO_COLOR", "0"), env("TERM", "dumb")},
	} {
		for i := range e {
			if got := wantsColours(e[i]); got != want {
				t.Errorf("case %d: %v, want %v", i, got, want)
			}
		}
	}
	s := Screen{Colours: true}
	if got := s.Paint(Red, "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("%q", got)
	}
	if got := s.Paint(Plain, "x") + s.Paint(Red, ""); got != "x" {
		t.Errorf("%q", got)
	}
}

// TestClean: nothing that came from elsewhere commands the terminal.
func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"web1": "web1", "\x1b[2Jx": "?[2Jx", "a\nb\tc": "a b c", "\u009b31m": "?31m", "a\u202eb": "a?b", "ä\xffö": "ä?ö", "…": "…",
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	table := Table{Columns: []Column{{Title: "NODE", Min: 8}, {Title: "SESSIONS", Right: true}, {Title: "WHAT", Min: 6}}}
	table.Add("web1", "12", "all is well")
	table.Add("a-very-long-name", "1234567", "\x1b[31mevil")
	table.Rows[0][2].Colour = Green
	got := strings.Join(table.Lines(Screen{Width: 80}), "\n")
	want := "NODE              SESSIONS  WHAT\n" +
		"web1                    12  all is well\n" +
		"a-very-long-name   1234567  ?[31mevil"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	got = strings.Join(table.Lines(Screen{Width: 30}), "\n")
	want = "NODE       SESSIONS  WHAT\n" +
		"web1             12  all is w…\n" +
		"a-very-l…   1234567  ?[31mevil"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := table.Lines(Screen{Width: 80, Colours: true})[1]; !strings.Contains(got, "\x1b[32mall is well\x1b[0m") {
		t.Errorf("%q", got)
	}
}

// TestTableFits: whatever is in a table, it is not wider than the screen, and has a line for each row.
func TestTableFits(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	letters := []rune("abc é日本\x1b\n ")
	text := func() string {
		b := make([]rune, r.IntN(30))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return string(b)
	}
	for range 500 {
		table := Table{Columns: make([]Column, 1+r.IntN(6))}
		for i := range table.Columns {
			table.Columns[i] = Column{Title: "T", Right: r.IntN(2) == 0, Min: r.IntN(6)}
		}
		for range r.IntN(4) {
			row := make([]Cell, len(table.Columns))
			for i := range row {
				row[i] = Cell{text(), Colour(r.IntN(int(Reverse) + 1))}
			}
			table.Rows = append(table.Rows, row)
		}
		s := Screen{Width: 10 + r.IntN(90), Colours: r.IntN(2) == 0}
		lines := table.Lines(s)
		if len(lines) != len(table.Rows)+1 {
			t.Fatalf("%d lines for %d rows", len(lines), len(table.Rows))
		}
		for _, line := range lines {
			if Width(line) > s.Width || strings.Contains(line, "\n") {
				t.Fatalf("%d columns on a screen of %d: %q", Width(line), s.Width, line)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 999: "999B", 1000: "1.0KiB", 1536: "1.5KiB", 10 << 10: "10KiB", 812 << 20: "812MiB", 1023 << 20: "1.0GiB", 5 << 40: "5.0TiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 99_999: "99999", 100_000: "100k", 999_499: "999k", 1_234_567: "1.2M", 12_345_678_901: "12G"} {
		if got := Count(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 0.5: "0.5", 12: "12", 12.34: "12.3", 1234.5: "1235", 250_000: "250k", -1: "-"} {
		if got := Rate(v); got != want {
			t.Errorf("%v a second: %s, want %s", v, got, want)
		}
	}
	for v, want := range map[float64]string{
		0: "0", 0.0000001: "1us", 0.0004: "400us", 0.0012: "1.2ms", 0.25: "250ms", 1.34: "1.3s", 42: "42s", 59.7: "1m00s", 250: "4m10s", 11100: "3h05m", 1e6: "11d", -1: "-",
	} {
		if got := Seconds(v); got != want || len(got) > 6 {
			t.Errorf("%v s: %s, want %s", v, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	got := Wrap("one two three four five six seven eight", 24, "    ")
	want := "one two three four\n    five six seven eight"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestProgress: a line that is written over on a terminal, and one a second elsewhere.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p, now := Progress{Screen: Screen{Writer: &out, Width: 80}}, time.Unix(1000, 0)
	p.Show(now, "one", false)
	p.Show(now.Add(500*time.Millisecond), "two", false)
	p.Show(now.Add(1100*time.Millisecond), "three", false)
	p.Show(now.Add(1200*time.Millisecond), "four", true)
	if err := p.End("done"); err != nil || out.String() != "one\nthree\nfour\ndone\n" {
		t.Errorf("%q %v", out.String(), err)
	}
	out.Reset()
	p = Progress{Screen: Screen{Writer: &out, Width: 4, Terminal: true}}
	p.Show(now, "12345", false)
	if err := p.End(""); err != nil || out.String() != "\r12…\x1b[K\n" {
		t.Errorf("%q %v", out.String(), err)
	}
	for share, want := range map[float64]string{-1: "[....]", 0: "[....]", 0.5: "[##..]", 1: "[####]", 2: "[####]"} {
		if got := Bar(share, 4); got != want {
			t.Errorf("%v: %s", share, got)
		}
	}
}
