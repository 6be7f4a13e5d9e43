package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestComparison: what comparison.md says of others is either documented somewhere, with a source that is listed, or is said not to be; and no source is listed for
// nothing.
func TestComparison(t *testing.T) {
	page, err := os.ReadFile("comparison.md")
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`\[(\d+)\]`)
	listed, used, rows := map[string]bool{}, map[string]bool{}, 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if first := strings.TrimSpace(cells[0]); len(cells) == 2 && first != "" && strings.Trim(first, "0123456789") == "" {
			listed[first] = true
			for _, n := range number.FindAllStringSubmatch(cells[1], -1) {
				used[n[1]] = true
			}
			if m := regexp.MustCompile(`source in (\d+)`).FindStringSubmatch(cells[1]); m != nil {
				used[m[1]] = true
			}
			continue
		}
		if len(cells) != 8 || !strings.HasPrefix(strings.TrimSpace(cells[0]), "**") {
			continue
		}
		rows++
		for _, cell := range cells[1:7] {
			sources := number.FindAllStringSubmatch(cell, -1)
			for _, n := range sources {
				used[n[1]] = true
			}
			if text := strings.TrimSpace(cell); text != "" && len(sources) == 0 && !strings.Contains(text, "documented") {
				t.Errorf("%s: %q has no source", strings.TrimSpace(cells[0]), text)
			}
		}
	}
	if rows < 15 || len(listed) < 20 {
		t.Fatalf("%d rows and %d sources found", rows, len(listed))
	}
	for n := range used {
		if !listed[n] {
			t.Errorf("source %s is not listed", n)
		}
	}
	for n := range listed {
		if !used[n] {
			t.Errorf("nobody refers to source %s", n)
		}
	}
}
