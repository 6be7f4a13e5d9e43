package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// completionCmd is farmstate completion.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish,powershell" help:"The shell: bash, zsh, fish or powershell."`
}

// Help is shown below the summary of the command.
func (*completionCmd) Help() string {
	return "The script goes to standard output. For this session alone:\n\n" +
		"bash: source <(farmstate completion bash)\n\n" +
		"zsh: source <(farmstate completion zsh)\n\n" +
		"fish: farmstate completion fish | source\n\n" +
		"PowerShell: farmstate completion powershell | Out-String | Invoke-Expression\n\n" +
		"docs/commands.md says where it goes to stay."
}

// Run writes the script.
func (c *completionCmd) Run(a *app) error {
	model := completionsOf(a.parser.Model.Node)
	write := map[string]func(io.Writer, []completion) error{
		"bash": writeBash, "zsh": writeZsh, "fish": writeFish, "powershell": writePowerShell,
	}[c.Shell]
	return write(a.stdout, model)
}

// completion is what can stand behind a command.
type completion struct {
	path  string // its words with spaces between; empty for the program itself
	subs  []word // commands below it
	flags []flagCompletion
	args  argument // of what it takes without a flag
}

// word is something to be completed, with a line about it.
type word struct{ text, help string }

// flagCompletion is a flag, and what can stand behind it.
type flagCompletion struct {
	word           // with its dashes
	short string   // with its dash; empty if it has none
	value argument // of a switch: none
}

// argument says what values can be.
type argument struct {
	kind  argumentKind
	words []string // for argumentWords
}

type argumentKind byte

const (
	argumentNone  argumentKind = iota // there is no value
	argumentAny                       // nobody knows
	argumentFile                      // the name of a file or folder
	argumentWords                     // one of these
)

// completionsOf walks through the grammar.
func completionsOf(n *kong.Node) []completion {
	c := completion{path: strings.Join(path(n), " ")}
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			flag := flagCompletion{word: word{"--" + f.Name, firstSentence(f.Help)}, value: argumentOf(f.Value, f.PlaceHolder)}
			if f.Short != 0 {
				flag.short = "-" + string(f.Short)
			}
			if f.IsBool() {
				flag.value = argument{}
			}
			c.flags = append(c.flags, flag)
		}
	}
	for _, p := range n.Positional {
		c.args = argumentOf(p, p.Name)
	}
	var below []completion
	for _, child := range n.Children {
		if child.Hidden || child.Type != kong.CommandNode {
			continue
		}
		c.subs = append(c.subs, word{child.Name, firstSentence(child.Help)})
		below = append(below, completionsOf(child)...)
	}
	if c.path == "help" {
		c.args = argument{argumentWords, nil}
		for _, leaf := range root(n).Children {
			c.args.words = append(c.args.words, leaf.Name)
		}
	}
	return append([]completion{c}, below...)
}

func root(n *kong.Node) *kong.Node {
	for n.Parent != nil {
		n = n.Parent
	}
	return n
}

// choices is how a list of words is written that an option accepts.
var choices = regexp.MustCompile(`^[a-z]+(, [a-z]+)+$`)

// argumentOf says what can stand for a value. meta is what stands for it in the help.
func argumentOf(v *kong.Value, meta string) argument {
	list := v.Enum
	if list == "" {
		list = v.Tag.Get("complete")
	}
	if list == "" && v.Flag != nil {
		for i := range config.Table {
			if o := &config.Table[i]; "Option_"+o.Name == fieldName(v) && choices.MatchString(o.Accepts()) {
				list = strings.ReplaceAll(o.Accepts(), ", ", ",")
			}
		}
	}
	if list != "" {
		words := strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
		return argument{argumentWords, words}
	}
	if meta := strings.ToLower(meta); slices.Contains([]string{"file", "dir", "folder", "path"}, meta) {
		return argument{argumentFile, nil}
	}
	return argument{argumentAny, nil}
}

// fieldName is the name of the field that newOptionFlags makes for an option.
func fieldName(v *kong.Value) string { return "Option_" + strings.ReplaceAll(v.Flag.Name, "-", "_") }

// firstSentence is the first sentence of a help text, for lists; without quotes and such, which shells take for something else.
func firstSentence(text string) string {
	for _, end := range []string{". ", ": ", "; ", " (default"} {
		text, _, _ = strings.Cut(text, end)
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("'\"`$\\:[]{}\n", r) {
			return -1
		}
		return r
	}, strings.TrimSuffix(text, "."))
}

// flagKeys are the patterns "command --flag" of flags of a kind; text is a key of a case statement, or empty.
func flagKeys(model []completion, want func(argument) bool) []string {
	var keys []string
	for _, c := range model {
		for _, f := range c.flags {
			if want(f.value) {
				keys = append(keys, c.path+" "+f.text)
				if f.short != "" {
					keys = append(keys, c.path+" "+f.short)
				}
			}
		}
	}
	return keys
}

// quoted are texts in single quotes, with something between them.
func quoted(texts []string, between string) string {
	q := make([]string, len(texts))
	for i, t := range texts {
		q[i] = "'" + t + "'"
	}
	return strings.Join(q, between)
}

// wordKeys are the keys of flags that take one of some words, by these words.
func wordKeys(model []completion) (lists []string, keys map[string][]string) {
	keys = map[string][]string{}
	for _, c := range model {
		for _, f := range c.flags {
			if f.value.kind != argumentWords {
				continue
			}
			list := strings.Join(f.value.words, " ")
			if keys[list] == nil {
				lists = append(lists, list)
			}
			keys[list] = append(keys[list], c.path+" "+f.text)
		}
	}
	return lists, keys
}

// flagTexts are the flags of a command.
func (c *completion) flagTexts() []string {
	var all []string
	for _, f := range c.flags {
		all = append(all, f.text)
	}
	return all
}

// writer collects the first error of many writes.
type scriptWriter struct {
	w   io.Writer
	err error
}

func (s *scriptWriter) line(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.w, format+"\n", args...)
	}
}
