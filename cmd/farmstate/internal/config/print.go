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
// file is itself a configuration that gives the same values, but for passwords
// that stood in the configuration: they are masked.
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
		fmt.Fprintf(&b, "\n[[%s]]  # %s\nfrom = %s\nto = %s\n", aliases.name, c.AliasOrigin(i), Quote(a.From), Quote(a.To))
	}
	for i, p := range c.LegacyPeers {
		fmt.Fprintf(&b, "\n[[%s]]  # %s\n%s", legacyPeers.name, c.LegacyOrigin(i), p.toml())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// toml is the legacy peer as TOML spells it, with the password masked.
func (p LegacyPeer) toml() string {
	text := fmt.Sprintf("address = %s\nauthenticate = %t\nencrypt = %t\n", Quote(p.Address), p.Authenticate, p.Encrypt)
	switch {
	case p.file != "":
		return text + "password_file = " + Quote(p.file) + "\n"
	case p.Password != "":
		return text + "password = " + Quote(passwordMask) + "  # masked; write the password itself before you use this\n"
	}
	return text
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
			quoted[i] = Quote(v)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case kindText, kindSize, kindDuration:
	}
	return Quote(values[0])
}

// Quote spells s as a TOML string on one line, in double quotes where nothing
// has to be escaped. Requires valid UTF-8.
func Quote(s string) string {
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

type printedLegacyPeer struct {
	Address      string `json:"address"`
	Authenticate bool   `json:"authenticate"`
	Encrypt      bool   `json:"encrypt"`
	Password     string `json:"password,omitempty"` // the mask
	PasswordFile string `json:"password_file,omitempty"`
	Where        string `json:"where"`
}

// PrintJSON writes c as one JSON object: options, by name, each with its value
// and origin, aliases, and legacy peers with their passwords masked.
func (c *Config) PrintJSON(w io.Writer) error {
	out := struct {
		Options     map[string]printedValue `json:"options"`
		Aliases     []printedAlias          `json:"aliases"`
		LegacyPeers []printedLegacyPeer     `json:"legacy_peers"`
	}{make(map[string]printedValue), []printedAlias{}, []printedLegacyPeer{}}
	for i := range Table {
		o := &Table[i]
		from := c.Origin(o.Name)
		out.Options[o.Name] = printedValue{o.plain(c), from.Source.String(), from.Where}
	}
	for i, a := range c.Aliases {
		out.Aliases = append(out.Aliases, printedAlias{a.From, a.To, c.AliasOrigin(i).Where})
	}
	for i, p := range c.LegacyPeers {
		printed := printedLegacyPeer{p.Address, p.Authenticate, p.Encrypt, "", p.file, c.LegacyOrigin(i).Where}
		if p.Password != "" && p.file == "" {
			printed.Password = passwordMask
		}
		out.LegacyPeers = append(out.LegacyPeers, printed)
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
	parts := []string{count(len(c.origins), "setting", "settings")}
	for _, part := range []struct {
		n         int
		one, many string
	}{
		{len(c.Aliases), "alias", "aliases"},
		{len(c.LegacyPeers), "legacy peer", "legacy peers"},
		{len(c.Warnings), "warning", "warnings"},
	} {
		if part.n > 0 {
			parts = append(parts, count(part.n, part.one, part.many))
		}
	}
	return strings.Join(parts, ", ")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
