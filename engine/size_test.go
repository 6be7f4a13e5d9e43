//go:build amd64 || arm64

package engine

import (
	"testing"
	"unsafe"
)

// TestSessionSize: a node holds millions of sessions, so that a field more in the record is a decision. 128 is one of the allocator's sizes, the next is 144.
func TestSessionSize(t *testing.T) {
	if n := unsafe.Sizeof(session{}); n != 128 {
		t.Errorf("a session takes %d bytes, want 128", n)
	}
	if n := unsafe.Sizeof(blob{}); n != 16 {
		t.Errorf("a blob takes %d bytes, want 16", n)
	}
}

// TestStripes: two lanes do not write to one cache line.
func TestStripes(t *testing.T) {
	var c counts
	for lane := range numStripes - 1 {
		a, b := c.stripe(lane), c.stripe(lane+1)
		last := uintptr(unsafe.Pointer(&a.other[numCounts-1]))
		if next := uintptr(unsafe.Pointer(&b.answers[0][0])); next/64 == last/64 {
			t.Errorf("lanes %d and %d share a cache line", lane, lane+1)
		}
	}
	if c.stripe(NoLane) != c.stripe(numStripes-1) {
		t.Error("no lane has a stripe of its own")
	}
}
