package config

import (
	"bytes"
	_ "embed"
	"text/template"
)

//go:embed reference.md.tmpl
var referenceText string

// group is the options under one heading.
type group struct {
	Name    string
	Options []*Option
}

// Reference is docs/configuration.md: every option, in Markdown.
func Reference() ([]byte, error) {
	t, err := template.New("reference").Funcs(template.FuncMap{"code": code}).Parse(referenceText)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, struct {
		Options []Option
		Groups  []group
	}{Table, groups()})
	return out.Bytes(), err
}

// groups splits Table at its headings. Requires that options of one group
// stand together.
func groups() []group {
	var all []group
	for i := range Table {
		o := &Table[i]
		if len(all) == 0 || all[len(all)-1].Name != o.Group {
			all = append(all, group{Name: o.Group})
		}
		last := &all[len(all)-1]
		last.Options = append(last.Options, o)
	}
	return all
}

// code sets a value as code; an empty one has no form of its own.
func code(value string) string {
	if value == "" {
		return "none"
	}
	return "`" + value + "`"
}
