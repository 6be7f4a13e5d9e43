package engine

import (
	"strings"
	"testing"
	"time"
)

// TestOptions: every option out of range is named.
func TestOptions(t *testing.T) {
	bad := Options{MaxMemory: -1, LockWait: MaxLockWait + 1, LockQueue: -1, SessionQueue: -1, StaleLock: -1, FarmWait: -1, TransferQueue: -1}
	_, err := New(bad, Time{})
	if err == nil {
		t.Fatal("all of them were taken")
	}
	for _, name := range []string{"MaxMemory", "LockWait", "LockQueue", "SessionQueue", "StaleLock", "FarmWait", "TransferQueue"} {
		if !strings.Contains(err.Error(), "engine: "+name+" is -1") && name != "LockWait" || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is missing in:\n%v", name, err)
		}
	}
	for _, d := range []time.Duration{MinFarmWait - 1, MaxFarmWait + 1} {
		if _, err := New(Options{FarmWait: d}, Time{}); err == nil {
			t.Errorf("a FarmWait of %v was taken", d)
		}
	}
	if _, err := New(Options{LockWait: -1}, Time{}); err == nil {
		t.Error("a negative LockWait was taken")
	}
	if _, err := New(Options{LockWait: MaxLockWait, MaxMemory: 1 << 62, StaleLock: time.Nanosecond, FarmWait: MaxFarmWait}, Time{}); err != nil {
		t.Error(err)
	}
}

// TestTicks checks the unit and the origin of LockDate. See docs/protocol.md §5.6.
func TestTicks(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want int64
	}{
		{time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), 621355968000000000},
		{time.Date(2024, 1, 22, 12, 0, 0, 100, time.UTC), 638415216000000001},
		{time.Date(2024, 1, 22, 12, 0, 0, 0, time.FixedZone("", 3600)), 638415216000000000}, // the local time counts
		{time.Date(2024, 1, 22, 12, 0, 0, 0, time.FixedZone("", -9000)), 638415216000000000},
	} {
		_, offset := c.at.Zone()
		if got := Ticks(c.at.UnixNano(), offset); got != c.want {
			t.Errorf("%v: %d, want %d", c.at, got, c.want)
		}
	}
}

// TestNames: what metrics show.
func TestNames(t *testing.T) {
	var names []string
	for _, op := range Ops() {
		names = append(names, op.String())
	}
	for _, s := range Statuses() {
		names = append(names, s.String())
	}
	for p := range PlacedBusy + 1 {
		names = append(names, p.String())
	}
	for s := range SightOccupied + 1 {
		names = append(names, s.String())
	}
	const want = "get acquire release set remove touch leave ok locked not_found no_cookie refused cut sought " +
		"new sought newer kept_newer busy absent here sought away occupied"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
