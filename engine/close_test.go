package engine

import "testing"

// TestClose: an engine that is closed to new sessions says so to whoever wants to make one, and serves those that it has.
func TestClose(t *testing.T) {
	w := newWorld(t, Options{})
	w.do(set(k, "a")).want("200")
	w.e.Close(true)
	w.do(set("/other", "b")).want("refused")
	w.do(insert("/other", "b")).want("refused")
	w.do(get("/other")).want("404")
	w.do(set(k, "c")).want("200")
	w.do(get(k)).want("200 c/20")
	if n := w.e.Stats().Sessions; n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	w.e.Close(false)
	w.do(set("/other", "b")).want("200")
}
