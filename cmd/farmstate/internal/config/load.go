package config

import (
	"errors"
	"slices"

	"github.com/farmstate/farmstate/engine/appkey"
)

// Inputs is where Load takes values from.
type Inputs struct {
	File     string              // the configuration file; empty for none
	FileFrom string              // the flag or the variable that names it; empty if nothing has to be told apart
	Flags    map[string][]string // by option name, only the options that were given
	Environ  []string            // as os.Environ gives it
}

// Load reads the whole configuration. It finds every problem, not only the
// first: the error is a [Problems].
func Load(in Inputs) (*Config, error) {
	l := loader{config: defaults()}
	if in.File != "" {
		l.file(in.File, in.FileFrom)
	}
	env := fromEnv(in.Environ)
	for i := range Table {
		o := &Table[i]
		if texts, ok := env[o.Name]; ok {
			l.set(o, texts, Origin{SourceEnv, o.Env()}, o.Env())
		}
		if texts, ok := in.Flags[o.Name]; ok {
			l.set(o, texts, Origin{SourceFlag, "--" + o.Flag()}, "--"+o.Flag())
		}
	}
	l.aliases()
	l.legacyPeers()
	l.together()
	if err := l.all().err(); err != nil {
		return nil, err
	}
	return l.config, nil
}

// defaults is the configuration that nobody touched.
func defaults() *Config {
	c := &Config{origins: make(map[string]Origin)}
	for i := range Table {
		o := &Table[i]
		if o.List() {
			continue // A list begins empty.
		}
		if err := o.value.set(c, []string{o.Default}); err != nil {
			panic("config: default of " + o.Name + ": " + err.Error())
		}
	}
	return c
}

type loader struct {
	config   *Config
	reader   *fileReader // nil without a file
	problems Problems
}

// set takes one value, or notes why not. where is for the message.
func (l *loader) set(o *Option, texts []string, from Origin, where string) {
	if err := o.value.set(l.config, texts); err != nil {
		l.problem(where, err.Error()+"; accepted: "+o.Accepts())
		return
	}
	l.config.origins[o.Name] = from
}

func (l *loader) problem(where, what string) {
	l.problems = append(l.problems, Problem{where, what})
}

func (l *loader) warn(where, what string) {
	l.config.Warnings = append(l.config.Warnings, Problem{where, what}.Error())
}

// file takes the values of the configuration file, which from has named.
func (l *loader) file(name, from string) {
	data, err := ReadFile(name)
	if err != nil {
		p, _ := errors.AsType[Problem](err)
		if from != "" {
			p = Problem{from, p.Error()}
		}
		l.problems = append(l.problems, p)
		return
	}
	r := readTOML(name, data)
	for i := range Table {
		o := &Table[i]
		v, ok := r.values[o.Name]
		if !ok {
			continue
		}
		if err := o.value.set(l.config, v.texts); err != nil {
			r.report(v.line, o.Name, "%s; accepted: %s", err, o.Accepts())
			continue
		}
		l.config.origins[o.Name] = Origin{SourceFile, r.where(v.line)}
	}
	r.syntax()
	for _, a := range r.itemsOf(aliases) {
		l.config.Aliases = append(l.config.Aliases, appkey.Alias{From: a.text("from"), To: a.text("to")})
		l.config.aliasAt = append(l.config.aliasAt, Origin{SourceFile, r.where(a.line)})
	}
	l.reader = r
}

// aliases makes rules of the aliases. It has to wait for the other sources,
// because folding bears on what the rules mean.
func (l *loader) aliases() {
	rules, err := appkey.Compile(l.config.Aliases, l.config.FoldApplicationCase)
	l.config.Rules = rules
	if err == nil {
		return
	}
	var items []*fileItem
	if l.reader != nil {
		items = l.reader.itemsOf(aliases)
	}
	for _, err := range joined(err) {
		rule, ok := errors.AsType[*appkey.RuleError](err)
		if !ok {
			l.problem(aliases.name, err.Error())
			continue
		}
		if a := items[rule.Rule-1]; !a.values[rule.Field].bad {
			l.reader.report(a.at(rule.Field), aliases.name+"."+rule.Field, "%s %s", show(rule.Value), rule.Problem)
		}
	}
}

// joined takes an error of errors.Join apart.
func joined(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	return []error{err}
}

// all is every problem: those of the file in the order of its lines, then the
// others.
func (l *loader) all() Problems {
	var all Problems
	if l.reader != nil {
		found := l.reader.problems
		slices.SortStableFunc(found, func(a, b fileProblem) int { return a.line - b.line })
		for _, p := range found {
			all = append(all, p.Problem)
		}
	}
	return append(all, l.problems...)
}

// Place is where the value of the named option was written, as problems name
// it.
func (c *Config) Place(name string) string {
	o := c.Origin(name)
	switch o.Source {
	case SourceFile:
		return o.Where + ": " + name
	case SourceEnv, SourceFlag:
		return o.Where
	case SourceDefault:
	}
	return name
}

// OfFile adds to an error about the file of an option which option that is.
func (c *Config) OfFile(option string, err error) error {
	return Problem{c.Place(option), err.Error()}
}
