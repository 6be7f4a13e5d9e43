package snapshot

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// TestRemovals: removals are read before the sessions, as they were written, also without sessions; times are brought into their range.
func TestRemovals(t *testing.T) {
	removed := []Removal{{1, 2, 3}, {math.MaxUint64, math.MaxUint32, math.MaxInt64}, {0, 0, -1}}
	for i := range uint64(3 * removalsFrame) {
		removed = append(removed, Removal{i, uint32(i), time.Hour})
	}
	want := slices.Clone(removed)
	want[1].Left, want[2].Left = time.Duration(maxSpan), 0
	session := engine.Parcel{Key: "k", Body: []byte("x"), Cookie: 1}
	for name, secret := range secrets {
		for _, all := range [][]engine.Parcel{nil, {session}} {
			file := writeWith(t, removed, all, secret)
			r, err := NewReader(bytes.NewReader(file), int64(len(file)), secret)
			if err != nil {
				t.Fatal(err)
			}
			var got []Removal
			r.Removed = func(x Removal) { got = append(got, x) }
			for range all {
				if _, err := r.Next(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.Next(); !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
				t.Errorf("%s, %d sessions: %d removals, want %d; %v", name, len(all), len(got), len(want), err)
			}
			if got, _, err := read(file, secret); err != nil || len(got) != len(all) {
				t.Errorf("%s: who does not want to know of removals reads %d sessions, %v", name, len(got), err)
			}
		}
	}
}

// TestRemovalsAmiss: frames of removals that no Writer has written end the reading.
func TestRemovalsAmiss(t *testing.T) {
	good := make([]byte, removalLen)
	frame := func(number uint64, kind byte, content []byte) []byte {
		return finishFrame(append(make([]byte, frameHead), content...), number, kind, nil)
	}
	p := engine.Parcel{Key: "k", Body: []byte("x"), Cookie: 1}
	record := append(appendRecordHead(nil, &p), p.Body...)
	head, _, err := makeHeader(&testHeader, nil)
	if err != nil {
		t.Fatal(err)
	}
	old := bytes.Clone(head)
	old[8] = 1
	for name, parts := range map[string][][]byte{
		"none":                {head, frame(0, kindRemoved, nil)},
		"half a one":          {head, frame(0, kindRemoved, good[1:])},
		"too long":            {head, frame(0, kindRemoved, append(good[:removalLen-1:removalLen-1], 0x7f))},
		"behind a session":    {head, frame(0, kindRecords, record), frame(1, kindRemoved, good)},
		"in an older version": {old, frame(0, kindRemoved, good)},
	} {
		if got, _, err := read(mended(bytes.Join(parts, nil)), nil); !damaged(err) || len(got) > 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
