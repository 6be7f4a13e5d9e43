package legacy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// block is what a relay read at once from one side of a recorded connection.
type block struct {
	link string // for example "B->A #1"; with a number in front that tells connections of one name apart
	out  bool   // from the side that dialled, or from the test
	b    []byte
	note string // the line above it
}

var (
	linkLine = regexp.MustCompile(`^## \[[\d.]+\] (?:link )?(.*?#\d+) (->|<-) (\d+) bytes$`)
	openLine = regexp.MustCompile(`^## \[[\d.]+\] (?:link )?(.*?#\d+) OPEN$`)
	rawLine  = regexp.MustCompile(`^## \[[\d.]+\] (.*?)\s*(send|recv) (\d+) bytes`)
	connName = regexp.MustCompile(`conn\d`)
)

// readRecording returns the peer side of a recording; what web servers exchanged is left out.
func readRecording(t *testing.T, name string) (blocks []block) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "recorded", name))
	check(t, err)
	opened := map[string]int{}
	var cur *block
	want := 0
	finish := func() {
		if cur != nil && len(cur.b) != want {
			t.Fatalf("%s: %q has %d bytes, want %d", name, cur.note, len(cur.b), want)
		}
		cur = nil
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "## "):
			finish()
			b := block{note: line}
			var size string
			if m := openLine.FindStringSubmatch(line); m != nil {
				opened[m[1]]++
				continue
			} else if m := linkLine.FindStringSubmatch(line); m != nil {
				b.link, b.out, size = strconv.Itoa(opened[m[1]])+" "+m[1], m[2] == "->", m[3]
			} else if m := rawLine.FindStringSubmatch(line); m != nil && !strings.Contains(m[1], "[web") {
				b.link, b.out, size = m[1], m[2] == "send", m[3]
				if conn := connName.FindString(m[1]); conn != "" {
					b.link = conn
				}
			} else {
				continue
			}
			want, err = strconv.Atoi(size)
			check(t, err)
			blocks = append(blocks, b)
			cur = &blocks[len(blocks)-1]
		case cur != nil && (strings.HasPrefix(line, ">>> ") || strings.HasPrefix(line, "<<< ")):
			text, _, cut := strings.Cut(line[4:], "<{...")
			cur.b = append(cur.b, unescape(t, text)...)
			if cut { // the rest was too long to print: keep the whole messages
				cur.b = cur.b[:bytes.LastIndex(cur.b, []byte("\r\n\r\n"))+4]
				cur = nil
			}
		case line == "":
			finish()
		}
	}
	finish()
	if len(blocks) == 0 {
		t.Fatalf("%s has no blocks", name)
	}
	return blocks
}

func unescape(t *testing.T, s string) []byte {
	t.Helper()
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'r':
			b = append(b, '\r')
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case '\\', '\'', '"':
			b = append(b, s[i])
		case 'x':
			b = append(b, unhex(t, s[i+1:i+3])...)
			i += 2
		default:
			t.Fatalf("escape %q", s[i])
		}
	}
	return b
}

func recordings(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/recorded/*.txt")
	check(t, err)
	if len(names) != 14 {
		t.Fatalf("%d recordings", len(names))
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	return names
}

// TestRecordings: every recorded byte of both directions of every link is read, and written again to the byte. Of what the tests of the original
// sent by hand, only what can be read is held against it.
func TestRecordings(t *testing.T) {
	total := 0
	for _, name := range recordings(t) {
		t.Run(name, func(t *testing.T) {
			streams, order := map[string][]byte{}, []string{}
			byHand := map[string]bool{}
			for _, b := range readRecording(t, name) {
				k := b.link + map[bool]string{true: " >", false: " <"}[b.out]
				if streams[k] == nil {
					order = append(order, k)
				}
				streams[k] = append(streams[k], b.b...)
				byHand[k] = strings.Contains(b.note, "send")
			}
			for _, k := range order {
				total += checkStream(t, k, streams[k], byHand[k])
			}
		})
	}
	if total < 500 {
		t.Errorf("only %d messages", total)
	}
}

func checkStream(t *testing.T, name string, stream []byte, byHand bool) (messages int) {
	t.Helper()
	r := NewReader(bytes.NewReader(stream))
	var again []byte
	for {
		var m Message
		err := r.Next(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || m.Bad && !byHand {
			t.Fatalf("%s: message %d: %v, %+v", name, messages, err, m)
		}
		body := make([]byte, m.Length)
		check(t, r.Body(body))
		again = append(append(again, Append(nil, &m)...), body...)
		messages++
	}
	if !byHand && !bytes.Equal(again, stream) {
		t.Errorf("%s: written again as\n%q, was\n%q", name, again, stream)
	}
	return messages
}
