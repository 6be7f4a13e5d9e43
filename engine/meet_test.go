package engine

import (
	"math"
	"testing"
	"time"
)

// TestMeet: two states of a session that have been served without each other. The one with more saves of the later generation stays, where a move does not count; the other
// is returned, unless it is the same. What stays is above what gives way, also in the generation that the move has made.
func TestMeet(t *testing.T) {
	here := Parcel{Key: "k", Body: []byte("here"), Minutes: 20, Left: int64(time.Minute), Gen: 4, Version: 7, Cookie: 1}
	for _, c := range []struct {
		name         string
		gen, version uint32 // of the one that comes
		rank         uint32
		body         string
		want         Placed
		stays        uint32 // the generation of the one that stays
		lost         string
	}{
		{"more saves", 5, 8, 4, "other", PlacedNewer, 5, "here"},
		{"fewer saves", 5, 6, 4, "other", KeptNewer, 6, "other"},
		{"as many", 5, 7, 4, "other", PlacedNewer, 5, "here"},
		{"as many, and the same", 5, 7, 4, "here", PlacedNewer, 5, ""},
		{"fewer saves, and the same", 5, 6, 4, "here", KeptNewer, 6, ""},
		{"both moved, more saves", 4, 8, 4, "other", PlacedNewer, 4, "here"},
		{"both moved, as many", 4, 7, 4, "other", KeptNewer, 5, "other"},
		{"both moved, fewer saves", 4, 6, 4, "other", KeptNewer, 4, "other"},
		{"earlier", 4, 9, 3, "other", KeptNewer, 5, "other"},
		{"much earlier", 3, 9, 2, "other", KeptNewer, 4, "other"},
		{"later", 6, 1, 5, "other", PlacedNewer, 6, "here"},
		{"the last generation", math.MaxUint32, 1, math.MaxUint32 - 1, "other", PlacedNewer, math.MaxUint32, "here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := New(Options{}, Time{})
			if err != nil {
				t.Fatal(err)
			}
			if placed, clash := e.Meet(Time{}, NoLane, here, 3); placed != PlacedNew || clash != nil {
				t.Fatalf("%s, %+v", placed, clash)
			}
			p := here
			p.Body, p.Gen, p.Version = []byte(c.body), c.gen, c.version
			placed, clash := e.Meet(Time{}, NoLane, p, c.rank)
			if placed != c.want || clash == nil || clash.Kept != (c.want == KeptNewer) {
				t.Fatalf("%s, %+v", placed, clash)
			}
			lost := ""
			if clash.Lost != nil {
				lost = string(clash.Lost.Body)
			}
			sight := e.Look(Time{}, []byte("k"))
			if lost != c.lost || clash.Gen != c.stays || sight.Gen != c.stays {
				t.Errorf("%q gives way to generation %d, and there is %d; want %q and %d", lost, clash.Gen, sight.Gen, c.lost, c.stays)
			}
		})
	}
}
