package bench

import (
	"errors"
	"testing"
)

func TestTracker(t *testing.T) {
	var tr tracker
	old := tr.now()
	must := func(what string, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Errorf("%s: %v; want %v", what, got, want)
		}
	}
	must("first save", tr.saved(old, 1), nil)
	must("read sent before the save was acknowledged", tr.read(old, 0), nil)
	m := tr.now()
	must("current read", tr.read(m, 1), nil)
	must("read of a save whose answer is still to come", tr.read(m, 5), nil)

	// Acknowledgements that arrive in another order than they were made.
	must("save 3 heard of first", tr.saved(m, 3), nil)
	must("then save 2", tr.saved(m, 2), nil)
	must("save 2 again", tr.saved(m, 2), errLostUpdate)

	// A fault ends all certainty, so that it is reported once.
	must("after a fault", tr.read(m, 0), nil)
	must("after a fault, new mark", tr.read(tr.now(), 0), nil)

	m = tr.now()
	must("save", tr.saved(m, 9), nil)
	must("stale read", tr.read(tr.now(), 8), errStale)
	m = tr.now()
	must("save", tr.saved(m, 9), nil)
	must("far ahead", tr.saved(m, 9+200), nil)
	must("too far back to tell", tr.saved(m, 9), nil)
	must("gone", tr.missing(tr.now()), errVanished)

	m = tr.now()
	must("save", tr.saved(m, 4), nil)
	tr.beginEnd()
	must("read while the session is deleted", tr.read(m, 0), nil)
	must("missing while the session is deleted", tr.missing(tr.now()), nil)
	during := tr.now()
	tr.endEnd()
	must("read sent while it was deleted", tr.read(during, 0), nil)
	must("save that began while it was deleted", tr.saved(during, 1), nil)
	if tr.floor != 0 {
		t.Errorf("floor is %d; a save from before the new beginning must not count", tr.floor)
	}
	must("new beginning", tr.read(tr.now(), 1), nil)
}
