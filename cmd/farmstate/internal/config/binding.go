package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A binding joins an option to its field in Config: it reads texts into the
// field and writes the field as texts. set leaves the field alone when it
// returns an error, which says what is wrong with the text, as in
// `"2m" is above 30s`.
type binding interface {
	kind() kind
	accepts() string
	set(c *Config, texts []string) error
	get(c *Config) []string
}

// scalar is a binding of a single value. When an option is given twice in one
// place, the last one counts.
type scalar[T any] struct {
	field  func(*Config) *T
	parse  func(string) (T, error)
	format func(T) string
	typ    kind
	words  string
}

func (s scalar[T]) kind() kind      { return s.typ }
func (s scalar[T]) accepts() string { return s.words }

func (s scalar[T]) set(c *Config, texts []string) error {
	text := texts[len(texts)-1]
	v, err := s.parse(text)
	if err != nil {
		return fmt.Errorf("%s %w", show(text), err)
	}
	*s.field(c) = v
	return nil
}

func (s scalar[T]) get(c *Config) []string {
	return []string{s.format(*s.field(c))}
}

// within adds a range to parse; its ends are accepted.
func within[T int64 | time.Duration](lo, hi T, format func(T) string, parse func(string) (T, error)) func(string) (T, error) {
	return func(text string) (T, error) {
		v, err := parse(text)
		switch {
		case err != nil:
			return 0, err
		case v < lo:
			return 0, fmt.Errorf("is below %s", format(lo))
		case v > hi:
			return 0, fmt.Errorf("is above %s", format(hi))
		}
		return v, nil
	}
}

// orWord lets word stand for a value that no number means.
func orWord[T int64 | time.Duration](word string, means T, parse func(string) (T, error), format func(T) string) (func(string) (T, error), func(T) string) {
	return func(text string) (T, error) {
			if text == word {
				return means, nil
			}
			return parse(text)
		}, func(v T) string {
			if v == means {
				return word
			}
			return format(v)
		}
}

const autoWord = "auto"

func parseInteger(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 0, errors.New("is too large")
	}
	if err != nil {
		return 0, errors.New("is not a whole number")
	}
	return n, nil
}

func formatInteger(n int64) string {
	return strconv.FormatInt(n, 10)
}

func integer(lo, hi int64, field func(*Config) *int64) binding {
	return scalar[int64]{
		field:  field,
		parse:  within(lo, hi, formatInteger, parseInteger),
		format: formatInteger,
		typ:    kindInteger,
		words:  fmt.Sprintf("a whole number from %d to %d", lo, hi),
	}
}

// integerOrZero is an integer with 0 for "the program chooses".
func integerOrZero(hi int64, field func(*Config) *int64, zero string) binding {
	b := integer(0, hi, field).(scalar[int64])
	b.words += "; 0 " + zero
	return b
}

func size(lo, hi int64, field func(*Config) *int64) binding {
	return scalar[int64]{
		field:  field,
		parse:  within(lo, hi, formatSize, parseSize),
		format: formatSize,
		typ:    kindSize,
		words:  fmt.Sprintf("a size from %s to %s, %s", formatSize(lo), formatSize(hi), sizeForms),
	}
}

// sizeOrAuto is a size of at least lo, or the word auto, which is 0 in Config.
func sizeOrAuto(lo int64, field func(*Config) *int64) binding {
	parse, format := orWord(autoWord, 0, within(lo, math.MaxInt64, formatSize, parseSize), formatSize)
	return scalar[int64]{
		field:  field,
		parse:  parse,
		format: format,
		typ:    kindSize,
		words:  fmt.Sprintf("auto, or a size of at least %s, %s", formatSize(lo), sizeForms),
	}
}

func duration(lo, hi time.Duration, example string, field func(*Config) *time.Duration) binding {
	return scalar[time.Duration]{
		field:  field,
		parse:  within(lo, hi, formatDuration, parseDuration),
		format: formatDuration,
		typ:    kindDuration,
		words:  fmt.Sprintf("a duration from %s to %s, such as %s", formatDuration(lo), formatDuration(hi), example),
	}
}

// durationOrZero is 0, or a duration of at least lo.
func durationOrZero(lo, hi time.Duration, example string, field func(*Config) *time.Duration) binding {
	b := duration(lo, hi, example, field).(scalar[time.Duration])
	ranged := b.parse
	b.parse = func(text string) (time.Duration, error) {
		if d, err := parseDuration(text); err == nil && d == 0 {
			return 0, nil
		}
		return ranged(text)
	}
	b.words = "0, or " + b.words
	return b
}

func boolean(field func(*Config) *bool) binding {
	return scalar[bool]{
		field: field,
		parse: func(text string) (bool, error) {
			switch text {
			case "true":
				return true, nil
			case "false":
				return false, nil
			}
			return false, errors.New("is not true or false")
		},
		format: strconv.FormatBool,
		typ:    kindBoolean,
		words:  "true, false",
	}
}

func enum(words []string, field func(*Config) *string) binding {
	return scalar[string]{
		field: field,
		parse: func(text string) (string, error) {
			if !slices.Contains(words, text) {
				return "", errors.New("is not known")
			}
			return text, nil
		},
		format: func(s string) string { return s },
		typ:    kindText,
		words:  strings.Join(words, ", "),
	}
}

func text(words string, parse func(string) (string, error), format func(string) string, field func(*Config) *string) binding {
	return scalar[string]{field: field, parse: parse, format: format, typ: kindText, words: words}
}

// fileName is the name of a file; an empty one is none.
func fileName(field func(*Config) *string) binding {
	return text("the name of a file, or nothing", parseFileName, identity, field)
}

// logLevels in rising order; their names are those that slog prints, in lower
// case.
var logLevels = []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}

func formatLevel(l slog.Level) string {
	return strings.ToLower(l.String())
}

func level(field func(*Config) *slog.Level) binding {
	names := make([]string, len(logLevels))
	for i, l := range logLevels {
		names[i] = formatLevel(l)
	}
	return scalar[slog.Level]{
		field: field,
		parse: func(text string) (slog.Level, error) {
			if i := slices.Index(names, text); i >= 0 {
				return logLevels[i], nil
			}
			return 0, errors.New("is not known")
		},
		format: formatLevel,
		typ:    kindText,
		words:  strings.Join(names, ", "),
	}
}

// networks is the binding of a list of networks. A list replaces the whole
// list of a source of lower precedence.
type networks struct {
	field func(*Config) *[]netip.Prefix
}

func (networks) kind() kind { return kindList }

func (networks) accepts() string {
	return "networks and IP addresses, such as 10.1.0.0/16, 192.168.7.12 or fd00::/8"
}

func (n networks) set(c *Config, texts []string) error {
	nets, err := parseNetworks(texts)
	if err != nil {
		return err
	}
	*n.field(c) = nets
	return nil
}

func (n networks) get(c *Config) []string {
	return formatNetworks(*n.field(c))
}
