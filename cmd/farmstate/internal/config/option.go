package config

import "strings"

// kind is the TOML type that an option takes, and how its value is written
// when it is printed.
type kind uint8

const (
	kindText     kind = iota // a string
	kindInteger              // a whole number
	kindSize                 // a string with a unit, or a whole number of bytes
	kindDuration             // a string with a unit, or 0
	kindBoolean              // true or false
	kindList                 // an array of strings
)

// An Option is one row of [Table]: all that the flags, the environment, the
// file, the help and the reference need to know about one setting.
//
// Static after init.
type Option struct {
	Name    string // snake_case: the TOML key; Flag and Env are made from it
	Group   string // heading in the help and the reference; options of one group stand together
	Unit    string // what a number counts; empty where there is nothing to count
	Default string // as a user would write it
	Meta    string // what stands for the value in the help: SIZE
	Help    string // one sentence without a full stop
	Detail  string // further paragraphs for the reference, Markdown; may be empty
	Off     bool   // an empty value switches it off, so that an empty variable is a value

	value binding
}

// Flag is the name of the option on the command line, without dashes.
func (o *Option) Flag() string {
	return strings.ReplaceAll(o.Name, "_", "-")
}

// Env is the name of the environment variable of the option.
func (o *Option) Env() string {
	return envPrefix + strings.ToUpper(o.Name)
}

// Accepts says in words which values the option takes.
func (o *Option) Accepts() string {
	return o.value.accepts()
}

// Boolean reports whether the flag of the option may stand without a value.
func (o *Option) Boolean() bool {
	return o.value.kind() == kindBoolean
}

// List reports whether the option may be given more than once.
func (o *Option) List() bool {
	return o.value.kind() == kindList
}

// Values is the value that c has for the option, as texts that the option
// accepts: one, or for a list any number.
func (o *Option) Values(c *Config) []string {
	return o.value.get(c)
}

// Lookup finds an option by its name; nil when there is none.
func Lookup(name string) *Option {
	for i := range Table {
		if Table[i].Name == name {
			return &Table[i]
		}
	}
	return nil
}
