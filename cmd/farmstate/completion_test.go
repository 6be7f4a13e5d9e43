package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// need skips a test whose program is not there; in CI, where all that tests need is installed, it fails.
func need(t *testing.T, program string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("these shells are at home elsewhere")
	}
	path, err := exec.LookPath(program)
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return path
}

func script(t *testing.T, shell string) string {
	t.Helper()
	status, stdout, stderr := call(t, nil, "completion", shell)
	if status != exitOK || stderr != "" {
		t.Fatalf("exit status %d, %q", status, stderr)
	}
	return stdout
}

// completions are what each shell has to say when the last word is to be completed.
var completions = []struct {
	words []string
	want  []string // all of it, in any order; nil: not looked at
	has   string   // one of it
	lacks string
}{
	{[]string{"s"}, []string{"serve", "service", "status"}, "", ""},
	{[]string{"config", ""}, []string{"check", "import", "print"}, "", ""},
	{[]string{"config", "check", "--h"}, []string{"--help"}, "", ""},
	{[]string{"status", "--"}, nil, "--farm", "--gops"},
	{[]string{"serve", "--lock"}, []string{"--lock-queue", "--lock-wait"}, "", ""},
	{[]string{"serve", "--log-level", ""}, []string{"debug", "info", "warn", "error"}, "", ""},
	{[]string{"serve", "--standalone", "--log-format", "j"}, []string{"json"}, "", ""},
	{[]string{"log-level", "w"}, []string{"warn"}, "", ""},
	{[]string{"log-level", "--admin", "locks", "e"}, []string{"error"}, "", ""},
	{[]string{"completion", ""}, []string{"bash", "zsh", "fish", "powershell"}, "", ""},
	{[]string{"status", "--check", "r"}, []string{"ready"}, "", ""},
	{[]string{"trace", "--level", "1"}, []string{"1", "10"}, "", ""},
	{[]string{"trace", "--out", "a f"}, []string{"a file", "a folder"}, "", ""},
	{[]string{"config", "check", "a file"}, []string{"a file"}, "", ""},
	{[]string{"help", "unl"}, []string{"unlock"}, "", ""},
	{[]string{"status", "--admin", ""}, []string{}, "", ""},
}

// fill makes the folder in which completions are tried.
func fill(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "a folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// judge compares what a shell offers, a line each, with what it should.
func judge(t *testing.T, i int, offered string) {
	t.Helper()
	c := completions[i]
	var got []string
	for line := range strings.Lines(offered) {
		got = append(got, strings.TrimSuffix(strings.TrimSpace(line), "/"))
	}
	if c.want != nil {
		slices.Sort(got)
		want := slices.Sorted(slices.Values(c.want))
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", c.words, got, want)
		}
	}
	if c.has != "" && !slices.Contains(got, c.has) || c.lacks != "" && slices.Contains(got, c.lacks) {
		t.Errorf("%q: %q", c.words, got)
	}
}

func TestCompletionBash(t *testing.T) {
	bash := need(t, "bash")
	dir := fill(t)
	file := filepath.Join(t.TempDir(), "completion")
	if err := os.WriteFile(file, []byte(script(t, "bash")), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, c := range completions {
		words := "farmstate"
		for _, w := range c.words {
			words += " '" + w + "'"
		}
		try := fmt.Sprintf("set -eu; source \"$0\"; complete -p farmstate >&2; set +e; COMP_WORDS=(%s); COMP_CWORD=%d; _farmstate; for w in \"${COMPREPLY[@]}\"; do echo \"$w\"; done", words, len(c.words))
		cmd := exec.CommandContext(t.Context(), bash, "-c", try, file)
		cmd.Dir = dir
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil || errs.String() != "complete -F _farmstate farmstate\n" {
			t.Fatalf("%q: %v\n%s", c.words, err, errs.String())
		}
		judge(t, i, string(out))
	}
	// bash takes --flag=value for three words.
	cmd := exec.CommandContext(t.Context(), bash, "-c", "source \"$0\"; COMP_WORDS=(farmstate serve --admin = x:1 --log-level = d); COMP_CWORD=7; _farmstate; echo \"${COMPREPLY[*]}\"", file)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "debug\n" {
		t.Errorf("%v %q", err, out)
	}
}

// TestCompletionZsh completes in a zsh that has no terminal: what it would offer is caught.
func TestCompletionZsh(t *testing.T) {
	zsh := need(t, "zsh")
	dir := fill(t)
	file := filepath.Join(t.TempDir(), "completion")
	if err := os.WriteFile(file, []byte(script(t, "zsh")), 0o600); err != nil {
		t.Fatal(err)
	}
	const caught = `compdef() { : }; compset() { : }
compadd() { shift; print -rl -- "$@" }
_describe() { local l; for l in "${(@P)2}"; do [[ $l == ${words[CURRENT]}* ]] && print -r -- "${l%%:*}"; done }
_files() { local f; for f in *(N); do [[ $f == ${words[CURRENT]}* ]] && print -r -- $f; done }
`
	for i, c := range completions {
		words := "farmstate"
		for _, w := range c.words {
			words += " '" + w + "'"
		}
		cmd := exec.CommandContext(t.Context(), zsh, "-fc", caught+fmt.Sprintf("source $0; words=(%s); CURRENT=%d; _farmstate; true", words, len(c.words)+1), file)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v\n%s", c.words, err, out)
			continue
		}
		last := c.words[len(c.words)-1]
		var kept strings.Builder
		for line := range strings.Lines(string(out)) { // compadd itself would leave out what does not begin so
			if strings.HasPrefix(line, last) {
				kept.WriteString(line)
			}
		}
		judge(t, i, kept.String())
	}
}

func TestCompletionFish(t *testing.T) {
	fish := need(t, "fish")
	dir := fill(t)
	file := filepath.Join(t.TempDir(), "completion")
	if err := os.WriteFile(file, []byte(script(t, "fish")), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, c := range completions {
		line := "farmstate"
		for _, w := range c.words {
			line += " " + strings.ReplaceAll(w, " ", `\ `)
		}
		cmd := exec.CommandContext(t.Context(), fish, "--no-config", "-c", "source $argv[1]; complete -C $argv[2] | string replace -r '\\t.*' ''; true", file, line)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", c.words, err, out)
		}
		if strings.Contains(line, `\ `) {
			continue // it offers names of files as they would be typed
		}
		judge(t, i, string(out))
	}
}

// TestCompletionText: every script has all commands, and all options of serve; quotes and brackets stand in pairs.
func TestCompletionText(t *testing.T) {
	parser, err := newParser(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		text := script(t, shell)
		for _, leaf := range parser.Model.Leaves(true) {
			if !strings.Contains(text, "'"+strings.Join(path(leaf), " ")+"'") {
				t.Errorf("%s: no %s", shell, leaf.FullPath())
			}
		}
		for i := range config.Table {
			if flag := config.Table[i].Flag(); !strings.Contains(text, flag) {
				t.Errorf("%s: no flag %s", shell, flag)
			}
		}
		for n, line := range slices.Collect(strings.Lines(text)) {
			if strings.Count(line, "'")%2 != 0 || strings.Count(line, `"`)%2 != 0 || strings.ContainsRune(line, '\t') {
				t.Errorf("%s: line %d: %s", shell, n+1, line)
			}
		}
		if shell == "powershell" {
			for _, pair := range []string{"()", "{}", "[]"} {
				if strings.Count(text, pair[:1]) != strings.Count(text, pair[1:]) {
					t.Errorf("%s: brackets %s are not in pairs", shell, pair)
				}
			}
		}
	}
	if status, _, stderr := call(t, nil, "completion", "tcsh"); status != exitUsage || !strings.Contains(stderr, "bash") {
		t.Errorf("exit status %d, %q", status, stderr)
	}
}
