package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Print writes c as a TOML file with the origin of each value behind it. The
// file is itself a configuration that gives the same values.
func (c *Config) Print(w io.Writer) error {
	type line struct{ text, origin string }
	lines := make([]line, 0, len(Table))
	width := 0
	for i := range Table {
		o := &Table[i]
		text := o.Name + " = " + o.toml(c)
		lines = append(lines, line{text, c.Origin(o.Name).String()})
		width = max(width, min(len(text), 48))
	}
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%-*s  # %s\n", width, l.text, l.origin)
	}
	for i, a := range c.Aliases {
		fmt.Fprintf(&b, "\n[[%s]]  # %s\nfrom = %s\nto = %s\n", aliasKey, c.AliasOrigin(i), quote(a.From), quote(a.To))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// toml is the value that c has for the option, as TOML spells it.
func (o *Option) toml(c *Config) string {
	values := o.Values(c)
	switch o.value.kind() {
	case kindInteger, kindBoolean:
		return values[0]
	case kindList:
		quoted := make([]string, len(values))
		for i, v := range values {
			quoted[i] = quote(v)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case kindText, kindSize, kindDuration:
	}
	return quote(values[0])
}

// quote spells s as a TOML string, in double quotes where nothing has to be
// escaped.
func quote(s string) string {
	if plain := `"` + s + `"`; strconv.Quote(s) == plain {
		return plain
	}
	doc, err := toml.Marshal(map[string]string{"v": s})
	if err != nil {
		panic(fmt.Sprintf("config: a string that is not TOML: %v", err)) // Values come from TOML or from valid texts.
	}
	return strings.TrimSpace(strings.TrimPrefix(string(doc), "v = "))
}

// printedValue is an option in the JSON form of the configuration.
type printedValue struct {
	Value  any    `json:"value"`
	Source string `json:"source"`
	Where  string `json:"where,omitempty"`
}

type printedAlias struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Where string `json:"where"`
}

// PrintJSON writes c as one JSON object: options, by name, each with its value
// and origin, and aliases.
func (c *Config) PrintJSON(w io.Writer) error {
	out := struct {
		Options map[string]printedValue `json:"options"`
		Aliases []printedAlias          `json:"aliases"`
	}{make(map[string]printedValue), []printedAlias{}}
	for i := range Table {
		o := &Table[i]
		from := c.Origin(o.Name)
		out.Options[o.Name] = printedValue{o.plain(c), from.Source.String(), from.Where}
	}
	for i, a := range c.Aliases {
		out.Aliases = append(out.Aliases, printedAlias{a.From, a.To, c.AliasOrigin(i).Where})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

// plain is the value that c has for the option, with the type that JSON has
// for it; sizes and durations stay texts, since they have a unit.
func (o *Option) plain(c *Config) any {
	values := o.Values(c)
	switch o.value.kind() {
	case kindInteger:
		return json.Number(values[0])
	case kindBoolean:
		return values[0] == "true"
	case kindList:
		return values
	case kindText, kindSize, kindDuration:
	}
	return values[0]
}

// Summary counts the settings of c that are not defaults, for one line.
func (c *Config) Summary() string {
	settings := len(c.origins)
	text := fmt.Sprintf("%d settings", settings)
	if settings == 1 {
		text = "1 setting"
	}
	switch len(c.Aliases) {
	case 0:
	case 1:
		text += ", 1 alias"
	default:
		text += fmt.Sprintf(", %d aliases", len(c.Aliases))
	}
	return text
}
