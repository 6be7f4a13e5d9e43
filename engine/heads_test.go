package engine

import (
	"fmt"
	"strings"
	"testing"
)

// TestHeads: the sessions of an application share one copy of what their keys have in common; names that somebody makes up do not fill the memory.
func TestHeads(t *testing.T) {
	w := newWorld(t, Options{})
	const app = "/LM/W3SVC/1/ROOT(hash)/"
	for i := range 3 {
		w.do(set(fmt.Sprintf("%ssession%d", app, i), "a")).want("200")
	}
	first := w.session(app + "session0")
	if other := w.session(app + "session2"); other.head != first.head || other.ownHead || *other.head != app {
		t.Errorf("two sessions of an application have the heads %q and %q", *first.head, *other.head)
	}
	for i := range 2 * maxHeads {
		w.do(set(fmt.Sprintf("/app%d(hash)/s", i), "a")).want("200")
	}
	if n := len(*w.e.heads.known.Load()); n != maxHeads {
		t.Errorf("%d heads are kept, want %d", n, maxHeads)
	}
	long := "/" + strings.Repeat("x", maxHeadLen) + "/s"
	w.do(set(long, "a")).want("200")
	if s := w.session(long); !s.ownHead {
		t.Error("a very long head is shared")
	}
	for _, key := range []string{long, "/app0(hash)/s", fmt.Sprintf("/app%d(hash)/s", 2*maxHeads-1)} {
		s := w.session(key)
		want := int64(sessionCost + s.body.cap())
		if s.ownHead {
			want += int64(len(key) - len("s"))
		}
		if s.cost() != want {
			t.Errorf("%.20q costs %d bytes, want %d", key, s.cost(), want)
		}
	}
	w.check()
}
