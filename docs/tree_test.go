// Package docs holds documents, and tests that keep them and the tree to each other: which way dependencies run, what may stand where, that
// what a document names exists, and that the commands it shows work.
package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/farmstate/farmstate"

// file is one file of the tree.
type file struct {
	path string // relative to the top, with slashes
	text string
}

func (f file) isDoc() bool    { return path.Ext(f.path) == ".md" }
func (f file) isGo() bool     { return path.Ext(f.path) == ".go" }
func (f file) isTest() bool   { return strings.HasSuffix(f.path, "_test.go") }
func (f file) dir() string    { return path.Dir(f.path) }
func (f file) isBinary() bool { return strings.ContainsRune(f.text, 0) }

// topDir is the top of the tree.
func topDir(t *testing.T) string {
	t.Helper()
	top, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return top
}

// tree returns all files but those that git ignores.
func tree(t *testing.T) []file {
	t.Helper()
	all, err := readTree()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var readTree = sync.OnceValues(func() ([]file, error) {
	ignored, err := ignoreRules()
	if err != nil {
		return nil, err
	}
	top := os.DirFS("..")
	var all []file
	err = fs.WalkDir(top, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".git" || ignored(name, d.IsDir()):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		text, err := fs.ReadFile(top, name)
		all = append(all, file{name, string(text)})
		return err
	})
	return all, err
})

// ignoreRules reads .gitignore, as far as ours goes: a name, or one at the top with a slash before it, and a slash behind it if it is a
// directory.
func ignoreRules() (ignored func(name string, dir bool) bool, err error) {
	text, err := os.ReadFile("../.gitignore")
	if err != nil {
		return nil, err
	}
	var rules []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			rules = append(rules, line)
		}
		if _, err := path.Match(line, ""); err != nil {
			return nil, fmt.Errorf(".gitignore: %q: %w", line, err)
		}
	}
	return func(name string, dir bool) bool {
		return slices.ContainsFunc(rules, func(rule string) bool {
			rule, dirOnly := strings.CutSuffix(rule, "/")
			rule, atTop := strings.CutPrefix(rule, "/")
			if dirOnly && !dir {
				return false
			}
			against := name
			if !atTop {
				against = path.Base(name)
			}
			match, _ := path.Match(rule, against) // the rule is known to be a good one
			return match
		})
	}, nil
}

// topLevel is what may stand at the top. More files and folders there would make the way in harder to find.
var topLevel = []string{
	".ci", ".gitignore", ".golangci.yml", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "bench", "cmd", "docs",
	"engine", "fuzz", "go.mod", "go.sum", "netpoll", "peer",
}

func TestTopLevel(t *testing.T) {
	for _, f := range tree(t) {
		top, _, _ := strings.Cut(f.path, "/")
		if !slices.Contains(topLevel, top) {
			t.Errorf("%s: nothing but %s may stand at the top of the tree", f.path, strings.Join(topLevel, ", "))
		}
	}
}

// TestNoPlaces finds files that know the machine they were written on.
func TestNoPlaces(t *testing.T) {
	// Written so that they do not find themselves.
	homes := regexp.MustCompile(`/home[/][a-z]|/Users[/]|C:\\Users[\\]|/root[/](go|\.)`)
	top := topDir(t) + string(filepath.Separator)
	for _, f := range tree(t) {
		if place := homes.FindString(f.text); place != "" {
			t.Errorf("%s names a place of one machine: %s", f.path, place)
		}
		if strings.Contains(f.text, top) {
			t.Errorf("%s names the folder of this checkout: %s", f.path, top)
		}
	}
}

// TestNothingLeft finds what somebody meant to come back to.
func TestNothingLeft(t *testing.T) {
	left := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	for _, f := range tree(t) {
		for n, line := range slices.Collect(strings.Lines(f.text)) {
			if f.isGo() && left.MatchString(line) {
				t.Errorf("%s:%d: finish it or take it out: %s", f.path, n+1, strings.TrimSpace(line))
			}
		}
	}
}

// TestNoSleep finds tests that wait for real time. Inside a synctest bubble sleeping costs nothing and is exact; everywhere else a test waits
// for what it wants to see, with a deadline.
func TestNoSleep(t *testing.T) {
	for _, f := range tree(t) {
		if f.isTest() && strings.Contains(f.text, "time."+"Sleep(") && !strings.Contains(f.text, `"testing/synctest"`) {
			t.Errorf("%s sleeps, but not on a fake clock: wait for the condition instead", f.path)
		}
	}
}

// TestText finds what makes a file differ for no reason: line ends of another system, spaces at a line's end, no line end at the last.
func TestText(t *testing.T) {
	for _, f := range tree(t) {
		if f.isBinary() || strings.Contains(f.path, "/testdata/") {
			continue
		}
		if strings.Contains(f.text, "\r") && !f.isGo() {
			t.Errorf("%s has carriage returns", f.path)
		}
		if f.text != "" && !strings.HasSuffix(f.text, "\n") {
			t.Errorf("%s does not end with a line end", f.path)
		}
		for n, line := range slices.Collect(strings.Lines(f.text)) {
			line = strings.TrimSuffix(line, "\n")
			if strings.TrimRight(line, " \t") != line {
				t.Errorf("%s:%d ends with a space", f.path, n+1)
			}
		}
	}
}
