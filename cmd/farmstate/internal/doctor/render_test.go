package doctor

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

var update = flag.Bool("update", false, "write the golden files anew")

// ill is a report with something of everything.
func ill() *Report {
	p := healthy(3)
	n := &p.Nodes[0]
	n.tell(happened(3*time.Second, "peer_refused", "reason", "wrong_secret", "addr", "10.9.0.1:50412", "how", "accepted"))
	n.Facts.Host.ReservedPorts = nil
	p.Nodes[1].Node.Survey.Apps[0] = api.App{App: "/LM/W3SVC/2/ROOT", Hash: "aaaa", Sessions: 100, Old: 100, NeverRead: 99, MinMinutes: 20, MaxMinutes: 20}
	p.Nodes[2].Node.Farm.Gossip.Health = 2
	p.Nodes[2].Name = "a-machine-with-a-very-long-name-\x1b[31mthat-somebody-has-chosen.example.org"
	p.web("/inetpub/shop/web.config", goodState+"\n"+`<httpRuntime executionTimeout="300" />`)
	return Examine(p)
}

// TestGolden: a report fits 80 columns, and what is gravest comes first.
func TestGolden(t *testing.T) {
	var b bytes.Buffer
	if err := ill().WriteText(term.Screen{Writer: &b, Width: 80}, true); err != nil {
		t.Fatal(err)
	}
	const file = "testdata/report.txt"
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s has another text; run this with -update and look at the difference. It is now:\n%s", file, b.String())
	}
}

// TestWidth: all that checks can say fits, and nothing in it can command a terminal.
func TestWidth(t *testing.T) {
	for _, w := range wrongs {
		p := healthy(2)
		w.wrong(p, &p.Nodes[0])
		r := Examine(p)
		for _, colours := range []bool{false, true} {
			var b bytes.Buffer
			if err := r.WriteText(term.Screen{Writer: &b, Width: map[bool]int{false: 80, true: 200}[colours], Colours: colours}, false); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				if term.Width(line) > 80 && len(strings.Fields(line)) > 2 {
					t.Errorf("%s: %d columns: %q", w.check, term.Width(line), line)
				}
				if !colours && strings.Contains(line, "\x1b") {
					t.Errorf("%s: %q", w.check, line)
				}
			}
		}
	}
}

func TestFill(t *testing.T) {
	for _, v := range []struct{ text, want string }{
		{"", "* \n"},
		{"one two three four", "* one two three\n  four\n"},
		{"run `a b c` now please", "* run `a b c` now\n  please\n"},
		{"please run `abc def` now", "* please run\n  `abc def` now\n"},
		{"run `a command that is too long` now", "* run `a command\n  that is too\n  long` now\n"},
		{"unclosed ` run a b c d e f g h", "* unclosed ` run a\n  b c d e f g h\n"},
		{"a-word-that-is-wider-than-all x", "* a-word-that-is-wider-than-all\n  x\n"},
	} {
		var b strings.Builder
		fill(&b, 18, "* ", "  ", v.text)
		if got := b.String(); strings.TrimSpace(got) != strings.TrimSpace(v.want) {
			t.Errorf("%q:\n%swant\n%s", v.text, got, v.want)
		}
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	r := ill()
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r, &back) {
		t.Errorf("%+v\nhas become\n%+v", r, &back)
	}
}

func TestOwner(t *testing.T) {
	root := fstest.MapFS{
		"proc/net/tcp": {Data: []byte("  sl  local_address rem_address   st\n" +
			"   0: 0100007F:A5B8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 4711 1\n" +
			"   1: 0100007F:A5B9 0100007F:1234 01 00000000:00000000 00:00000000 00000000  0 0 4712 1\n")},
		"proc/17/comm": {Data: []byte("redis-server\n")},
		"proc/17/fd/3": {Data: []byte("socket:[4711]"), Mode: os.ModeSymlink | 0o777},
		"proc/18/fd/3": {Data: []byte("socket:[4712]"), Mode: os.ModeSymlink | 0o777},
		"proc/cpuinfo": {},
	}
	for port, want := range map[uint16]string{42424: "redis-server (process 17)", 42425: "", 1: ""} {
		if got := ownerOf(root, port); got != want {
			t.Errorf("%d: %q, want %q", port, got, want)
		}
	}
	if got := ownerOf(fstest.MapFS{}, 42424); got != "" {
		t.Errorf("without /proc: %q", got)
	}
}

func ExampleReport_WriteText() {
	r := &Report{About: "web1", Findings: []Finding{{Check: "log-level", Severity: Note, Where: "web1", What: "The log shows details."}, {Check: "swap", Severity: OK, What: "nothing is swapped out"}}, Notes: 1, Passed: 2}
	if err := r.WriteText(term.Screen{Writer: os.Stdout, Width: 80}, false); err != nil {
		panic(err)
	}
	// Output:
	// Checked web1.
	//
	// NOTES
	//
	// log-level  web1
	//   found  The log shows details.
	//
	// 0 problems, 0 warnings, 1 note; 1 check found nothing (--verbose lists them).
}
