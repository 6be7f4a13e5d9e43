package config

import "fmt"

// Source is one of the places that a value may come from, in rising order of
// precedence.
type Source uint8

// The sources.
const (
	SourceDefault Source = iota
	SourceFile
	SourceEnv
	SourceFlag
)

// String is the name of the source as `farmstate config print` shows it.
func (s Source) String() string {
	switch s {
	case SourceDefault:
		return "default"
	case SourceFile:
		return "file"
	case SourceEnv:
		return "env"
	case SourceFlag:
		return "flag"
	}
	panic(fmt.Sprintf("config: unknown source %d", uint8(s)))
}

// An Origin is a source and, except for a default, the place in it: a flag, a
// variable, or a file and line.
type Origin struct {
	Source Source
	Where  string // "--max-body", "FARMSTATE_MAX_BODY", "farm.toml:3"
}

// String is the origin for a reader: "default", "file farm.toml:3".
func (o Origin) String() string {
	if o.Where == "" {
		return o.Source.String()
	}
	return o.Source.String() + " " + o.Where
}
