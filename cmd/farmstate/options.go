package main

import (
	"errors"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// optionFlags are the flags of the options of a node, made from the table of
// package config.
type optionFlags struct {
	Config string `help:"Configuration file (TOML)." placeholder:"FILE" group:"Configuration"`
	kong.Plugins
}

// newOptionFlags makes one flag for each option. kong reads its grammar from
// struct fields and their tags, so a struct is made that has them.
func newOptionFlags() optionFlags {
	fields := make([]reflect.StructField, len(config.Table))
	for i := range config.Table {
		o := &config.Table[i]
		fields[i] = reflect.StructField{
			Name: "Option_" + o.Name,
			Type: flagType(o),
			Tag: reflect.StructTag(tag("name", o.Flag()) + tag("help", flagHelp(o)) +
				tag("group", o.Group) + tag("placeholder", o.Meta)),
		}
	}
	return optionFlags{Plugins: kong.Plugins{reflect.New(reflect.StructOf(fields)).Interface()}}
}

func tag(key, value string) string {
	return key + `:"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `" `
}

// flagHelp is the help of an option with its default.
func flagHelp(o *config.Option) string {
	if o.Default == "" || o.Default == "false" {
		return o.Help + "."
	}
	return o.Help + " (default " + o.Default + ")."
}

func flagType(o *config.Option) reflect.Type {
	if o.Boolean() {
		return reflect.TypeFor[switchText]()
	}
	return reflect.TypeFor[flagText]()
}

// given are the texts of the flags that stood on the command line, by option
// name.
func (f *optionFlags) given() map[string][]string {
	flags := make(map[string][]string)
	v := reflect.ValueOf(f.Plugins[0]).Elem()
	for i := range config.Table {
		var texts []string
		switch field := v.Field(i).Interface().(type) {
		case flagText:
			texts = field.texts
		case switchText:
			texts = field.texts
		}
		if texts != nil {
			flags[config.Table[i].Name] = texts
		}
	}
	return flags
}

// load reads the configuration that the flags, the environment and the file
// give together.
func (f *optionFlags) load(environ []string) (*config.Config, error) {
	file, from := f.file(environ)
	cfg, err := config.Load(config.Inputs{
		File:     file,
		FileFrom: from,
		Flags:    f.given(),
		Environ:  environ,
	})
	if err != nil {
		return nil, usageError(err)
	}
	return cfg, nil
}

// file is the name of the configuration file, empty for none, and where that stands.
func (f *optionFlags) file(environ []string) (name, from string) {
	if f.Config != "" {
		return f.Config, "--config"
	}
	for _, entry := range environ {
		if name, ok := strings.CutPrefix(entry, config.FileEnv+"="); ok {
			return name, config.FileEnv
		}
	}
	return "", ""
}

// flagText keeps what was given for an option as it was written: it is parsed
// together with what stands in the file and the environment.
type flagText struct {
	texts []string
}

// Decode implements kong.MapperValue. kong takes -1 for a flag; here it is a value, of which the option says what is wrong with it.
func (f *flagText) Decode(ctx *kong.DecodeContext) error {
	t := ctx.Scan.Peek()
	if !t.IsValue() && !negative(t) {
		accepted := ""
		if o := config.Lookup(strings.ReplaceAll(ctx.Value.Name, "-", "_")); o != nil {
			accepted = "; accepted: " + o.Accepts()
		}
		return errors.New("a value is missing" + accepted)
	}
	f.texts = append(f.texts, ctx.Scan.Pop().String())
	return nil
}

// negative reports whether a word of the command line is a number below 0, or begins as one.
func negative(t kong.Token) bool {
	text := t.String()
	return len(text) > 1 && text[0] == '-' && text[1] >= '0' && text[1] <= '9'
}

// switchText is a flagText for an option that may stand without a value.
type switchText struct {
	texts []string
}

// IsBool implements kong.BoolMapperValue.
func (*switchText) IsBool() bool { return true }

// Decode implements kong.MapperValue.
func (f *switchText) Decode(ctx *kong.DecodeContext) error { //nolint:unparam // the interface wants an error
	text := "true"
	if ctx.Scan.Peek().Type == kong.FlagValueToken {
		text = ctx.Scan.Pop().String()
	}
	f.texts = append(f.texts, text)
	return nil
}
