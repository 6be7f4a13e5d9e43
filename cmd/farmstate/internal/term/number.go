package term

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Bytes is a number of bytes with three digits and a unit of 1024s: 812MiB, 1.2GiB.
func Bytes(n int64) string {
	v, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := 0
	for ; v >= 999.5 && i < len(units)-1; i++ {
		v /= 1024
	}
	if i == 0 {
		return strconv.FormatInt(n, 10) + units[0]
	}
	return digits(v) + units[i]
}

// Count is a number of things, short from a hundred thousand on: 99999, 1.2M.
func Count(n int64) string {
	switch v := float64(n); {
	case n < 100_000:
		return strconv.FormatInt(n, 10)
	case v < 999_500:
		return digits(v/1e3) + "k"
	case v < 999.5e6:
		return digits(v/1e6) + "M"
	default:
		return digits(v/1e9) + "G"
	}
}

// Rate is how many a second.
func Rate(v float64) string {
	switch {
	case math.IsNaN(v) || v < 0:
		return "-"
	case v < 99.5 && v != math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return Count(int64(math.Round(v)))
}

// Seconds is a duration in at most six columns: 0.4ms, 12ms, 1.3s, 4m10s, 3h05m, 12d.
func Seconds(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0) || v < 0:
		return "-"
	case v == 0:
		return "0"
	case v < 0.000_999_5:
		return strconv.FormatFloat(max(1, math.Round(v*1e6)), 'f', 0, 64) + "us"
	case v < 0.999_5:
		return digits(v*1e3) + "ms"
	case v < 59.5:
		return digits(v) + "s"
	}
	d := time.Duration(math.Round(v)) * time.Second
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d/time.Minute), int(d%time.Minute/time.Second))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d/time.Hour), int(d%time.Hour/time.Minute))
	}
	return fmt.Sprintf("%dd", int(d/(24*time.Hour)))
}

// digits is a number below 1024 with two digits or more: 1.2, 12, 812.
func digits(v float64) string {
	if v < 9.95 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// Plural is a number with its word: 1 session, 2 sessions.
func Plural[T int | int64](n T, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(int64(n), 10) + " " + many
}
