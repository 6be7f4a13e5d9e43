package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeUnits are the units of a size, in bytes. A bare K, M or G is not among
// them: half of the readers take it for 1000 and half for 1024.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"B", 1},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
}

// sizeForms goes on after a range of sizes.
const sizeForms = "in bytes or with a unit such as KiB, MB or GiB"

// ParseSize reads a size as the options do, for flags of other commands.
func ParseSize(text string) (int64, error) {
	n, err := parseSize(text)
	if err != nil {
		return 0, fmt.Errorf("%s %w; accepted: a size %s", show(text), err, sizeForms)
	}
	return n, nil
}

// parseSize reads a size in bytes: digits, perhaps with decimals, and a unit
// in any case, with or without a space between them; no unit means bytes.
func parseSize(text string) (int64, error) {
	i := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	number, unit := text, ""
	if i >= 0 {
		number, unit = text[:i], strings.TrimSpace(text[i:])
	}
	per, err := unitBytes(unit)
	if err != nil || number == "" {
		return 0, errors.New("is not a size")
	}
	whole, decimals, _ := strings.Cut(number, ".")
	if strings.Contains(decimals, ".") || (decimals == "") != (len(whole) == len(number)) {
		return 0, errors.New("is not a size")
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > math.MaxInt64/per {
		if whole == "" {
			return 0, errors.New("is not a size")
		}
		return 0, errors.New("is too large")
	}
	n *= per
	if decimals == "" {
		return n, nil
	}
	part, err := strconv.ParseFloat("0."+decimals, 64)
	if err != nil || per == 1 {
		return 0, errors.New("is not a whole number of bytes")
	}
	extra := int64(math.Round(part * float64(per)))
	if n > math.MaxInt64-extra {
		return 0, errors.New("is too large")
	}
	return n + extra, nil
}

func unitBytes(unit string) (int64, error) {
	if unit == "" {
		return 1, nil
	}
	for _, u := range sizeUnits {
		if strings.EqualFold(u.name, unit) {
			return u.bytes, nil
		}
	}
	return 0, fmt.Errorf("unknown unit %q", unit)
}

// formatSize writes n as shortly as the units allow without losing a byte;
// parseSize reads it back.
func formatSize(n int64) string {
	best := strconv.FormatInt(n, 10)
	for _, u := range sizeUnits[1:] {
		if n == 0 || n%u.bytes != 0 {
			continue
		}
		if text := strconv.FormatInt(n/u.bytes, 10) + u.name; len(text) <= len(best) {
			best = text
		}
	}
	return best
}
