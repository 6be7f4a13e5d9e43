package docs

import (
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// block is a fenced block of a document.
type block struct {
	line int // of its first fence
	info string
	text string
}

// markdown is a document, taken apart.
type markdown struct {
	file
	prose  []string // its lines; those of fenced blocks are empty
	blocks []block
}

func parseMarkdown(f file) markdown {
	m := markdown{file: f}
	var fence string // of the block we are in
	n := 0
	for line := range strings.Lines(f.text) {
		n++
		line = strings.TrimSuffix(line, "\n")
		bare := strings.TrimLeft(line, " ")
		switch {
		case fence == "" && strings.HasPrefix(bare, "```"):
			info := strings.TrimLeft(bare, "`")
			fence = bare[:len(bare)-len(info)]
			m.blocks = append(m.blocks, block{line: n, info: strings.TrimSpace(info)})
			line = ""
		case fence != "" && strings.TrimSpace(line) == fence:
			fence, line = "", ""
		case fence != "":
			b := &m.blocks[len(m.blocks)-1]
			b.text += line + "\n"
			line = ""
		}
		m.prose = append(m.prose, line)
	}
	return m
}

func documents(t *testing.T) []markdown {
	t.Helper()
	var all []markdown
	for _, f := range tree(t) {
		if f.isDoc() {
			all = append(all, parseMarkdown(f))
		}
	}
	return all
}

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	mdLink   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// anchors are the places of a document that a link can go to.
func (m markdown) anchors() map[string]bool {
	all := map[string]bool{}
	for _, line := range m.prose {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			all[anchor(title)] = true
		}
	}
	return all
}

// anchor is what a heading is called in links: small letters, digits, hyphens for spaces.
func anchor(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(title)) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}

// TestLinks follows all links within the tree.
func TestLinks(t *testing.T) {
	files := map[string]bool{}
	for _, f := range tree(t) {
		for p := f.path; p != "."; p = path.Dir(p) {
			files[p] = true
		}
	}
	docs := documents(t)
	anchors := map[string]map[string]bool{}
	for _, m := range docs {
		anchors[m.path] = m.anchors()
	}
	for _, m := range docs {
		for n, line := range m.prose {
			for _, match := range mdLink.FindAllStringSubmatch(line, -1) {
				to, at, _ := strings.Cut(match[1], "#")
				if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
					continue
				}
				target := m.path
				if to != "" {
					target = path.Join(m.dir(), to)
				}
				switch {
				case !files[target]:
					t.Errorf("%s:%d: link to %s, which does not exist", m.path, n+1, target)
				case at != "" && !anchors[target][at]:
					t.Errorf("%s:%d: link to %s, which has no heading #%s", m.path, n+1, target, at)
				}
			}
		}
	}
}

// TestIndex finds documents to which no way leads from the README.
func TestIndex(t *testing.T) {
	docs := map[string]markdown{}
	for _, m := range documents(t) {
		docs[m.path] = m
	}
	reached := map[string]bool{"README.md": true}
	for queue := []string{"README.md"}; len(queue) > 0; queue = queue[1:] {
		m := docs[queue[0]]
		for _, line := range m.prose {
			for _, match := range mdLink.FindAllStringSubmatch(line, -1) {
				name, _, _ := strings.Cut(match[1], "#")
				to := path.Join(m.dir(), name)
				if _, ours := docs[to]; ours && !reached[to] {
					reached[to] = true
					queue = append(queue, to)
				}
			}
		}
	}
	for _, m := range documents(t) {
		if !reached[m.path] && !strings.Contains(m.path, "/testdata/") && !within(m.dir(), "bench/...", "fuzz/...") {
			t.Errorf("%s: no way of links leads to it from the README", m.path)
		}
	}
}
