package conformance

import (
	"flag"
	"testing"
	"time"

	"github.com/farmstate/farmstate/netpoll/conformance/naive"
)

var slow = flag.Bool("slow", false, "also run the cases that wait for up to 86 s")

// startNaive starts a server with the options that the cases are written for.
func startNaive(t *testing.T, fault naive.Fault) string {
	t.Helper()
	s, err := naive.Listen(naive.Options{
		LockWait:    400 * time.Millisecond,
		IdleTimeout: 30 * time.Second,
		Fault:       fault,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.Addr()
}

// TestOwnCases runs the whole set against a second implementation of the
// protocol, so that a failure elsewhere means the server and not the runner.
func TestOwnCases(t *testing.T) {
	Run(t, startNaive(t, naive.NoFault), Cases(), Options{Slow: *slow})
}

// TestFaults checks that a server with a single fault fails a case that is
// about it.
func TestFaults(t *testing.T) {
	cases := make(map[string]*Case)
	for _, c := range Cases() {
		cases[c.ID] = &c
	}
	for _, tt := range []struct {
		name  string
		fault naive.Fault
		id    string
	}{
		{"shared lock", naive.SharedLock, "K13"},
		{"sticky flag", naive.StickyFlag, "C03"},
		{"lost counter", naive.LostCounter, "B20"},
		{"late save", naive.LateSave, "B24"},
		{"deaf release", naive.DeafRelease, "B06"},
		{"eager touch", naive.EagerTouch, "E02"},
		{"blind remove", naive.BlindRemove, "J07"},
		{"old read", naive.OldRead, "A09"},
		{"header order", naive.LooseHeaders, "B01"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr := startNaive(t, tt.fault)
			if err := runCase(t.Context(), addr, cases[tt.id]); err == nil {
				t.Errorf("case %s passes", tt.id)
			} else {
				t.Log(err)
			}
		})
	}
}
