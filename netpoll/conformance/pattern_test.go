package conformance

import (
	"fmt"
	"testing"
	"time"
)

// ticksOf writes t as a server in a time zone so far east of Greenwich would.
func ticksOf(t time.Time, east time.Duration) string {
	t = t.Add(east)
	return fmt.Sprint((t.Unix()+secondsToUnix)*ticksPerSecond + int64(t.Nanosecond()/100))
}

func TestPatterns(t *testing.T) {
	now := time.Now()
	age := func(d time.Duration) string { return ticksOf(now.Add(-d), time.Hour) }
	for _, tt := range []struct {
		pattern, value string
		ok             bool
	}{
		{"2", "2", true},
		{"2", "02", false},
		{"<int 0..2>", "0", true},
		{"<int 0..2>", "2", true},
		{"<int 0..2>", "3", false},
		{"<int 0..2>", "-1", false},
		{"<int -3..2>", "-3", true},
		{"<int 0..2>", "01", false},
		{"<int 0..2>", "+1", false},
		{"<int 0..2>", "", false},
		{"<int 0..2>", "1 ", false},
		{"<ticks>", age(3 * time.Second), true},
		{"<ticks>", age(7900 * time.Millisecond), true},
		{"<ticks>", age(8100 * time.Millisecond), false},
		{"<ticks>", age(-2100 * time.Millisecond), false},
		{"<ticks>", ticksOf(now.Add(-3*time.Second), 345*time.Minute), true}, // Nepal
		{"<ticks>", ticksOf(now.Add(-3*time.Second), -12*time.Hour), true},
		{"<ticks>", ticksOf(now.Add(-3*time.Second), 14*time.Hour), true},
		{"<ticks>", ticksOf(now.Add(-3*time.Second), 15*time.Hour), false},
		{"<ticks>", ticksOf(now.Add(-3*time.Second), 7*time.Minute), false},
		{"<ticks>", fmt.Sprint(now.Unix()), false},
		{"<ticks>", "638409078000000000", false},
		{"<ticks>", "9999999999999999999", false},
		{"<ticks>", "", false},
	} {
		s := &scope{ticks: make(map[string]bool)}
		p, err := decodePattern(tt.pattern, s)
		if err != nil {
			t.Fatal(err)
		}
		r := &reply{head: []byte("423 Locked\r\nLockAge: 3\r\n\r\n"), at: now}
		if err := p.match(tt.value, r, nil); (err == nil) != tt.ok {
			t.Errorf("%s against %q: %v, want match %t", tt.pattern, tt.value, err, tt.ok)
		}
	}
}
