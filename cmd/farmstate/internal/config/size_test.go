package config

import (
	"math"
	"testing"
	"time"
)

// TestSizes: what is printed is short, exact, and read back.
func TestSizes(t *testing.T) {
	for _, v := range []struct {
		text string
		n    int64
		want string
	}{
		{"0", 0, "0"}, {"1", 1, "1"}, {"1B", 1, "1"}, {"1000", 1000, "1KB"}, {"1023", 1023, "1023"},
		{"1024", 1024, "1KiB"}, {"64MiB", 64 << 20, "64MiB"}, {"64 mib", 64 << 20, "64MiB"}, {"10GB", 1e10, "10GB"},
		{"1.5GiB", 3 << 29, "1536MiB"}, {"0.5kb", 500, "500"}, {"2TiB", 2 << 40, "2TiB"}, {"1TB", 1e12, "1TB"},
		{"007", 7, "7"}, {"9223372036854775807", math.MaxInt64, "9223372036854775807"},
	} {
		n, err := parseSize(v.text)
		if err != nil || n != v.n {
			t.Errorf("%q: %d, %v; want %d", v.text, n, err, v.n)
		}
		if got := formatSize(n); got != v.want {
			t.Errorf("%d is printed as %q, want %q", n, got, v.want)
		}
		if back, err := parseSize(formatSize(n)); err != nil || back != n {
			t.Errorf("%d is printed as %q, which is read as %d, %v", n, formatSize(n), back, err)
		}
	}
	for _, text := range []string{
		"", " ", "-1", "+1", "1K", "1G", "1e3", "1.", ".5MB", "1..5MB", "1.5", "1.5B", "MB", "1 000", "1MB x", "0x10", "١MB",
		"9223372036854775808", "8388608TiB",
	} {
		if n, err := parseSize(text); err == nil {
			t.Errorf("%q is read as %d", text, n)
		}
	}
}

// TestDurations: what is printed has no zero parts, and is read back.
func TestDurations(t *testing.T) {
	for text, d := range map[string]time.Duration{
		"0": 0, "700ms": 700 * time.Millisecond, "30s": 30 * time.Second, "2m": 2 * time.Minute, "1h": time.Hour, "24h": 24 * time.Hour,
		"1m30s": 90 * time.Second, "1h30m": 90 * time.Minute, "1h0m30s": time.Hour + 30*time.Second, "1.5s": 1500 * time.Millisecond,
		"10m": 10 * time.Minute, "20h": 20 * time.Hour,
	} {
		if got := formatDuration(d); got != text {
			t.Errorf("%d ns is printed as %q, want %q", d, got, text)
		}
		if got, err := parseDuration(text); err != nil || got != d {
			t.Errorf("%q is read as %s, %v", text, got, err)
		}
	}
}

// TestNearest: a small mistake is recognised, another word is not.
func TestNearest(t *testing.T) {
	names := keyNames()
	for name, want := range map[string]string{
		"lisen": "listen", "LISTEN": "listen", "max-memory": "max_memory", "maxmemory": "max_memory", "lockwait": "lock_wait",
		"log_levels": "log_level", "idle_timout": "idle_timeout", "http_statusline": "http_status_line", "allows": "allow",
		"zzz": "", "secret": "", "": "", "service_host": "",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
