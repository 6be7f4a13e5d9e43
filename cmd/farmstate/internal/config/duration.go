package config

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads a duration with its unit, such as 700ms, 30s or 1m30s.
// Only zero may stand without one.
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err == nil {
		return d, nil
	}
	if _, numeric := strconv.ParseFloat(text, 64); numeric == nil {
		return 0, errors.New("has no unit")
	}
	return 0, errors.New("is not a duration")
}

// formatDuration writes d without the zero parts that time.Duration adds:
// 2m, not 2m0s, and 0, not 0s.
func formatDuration(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
