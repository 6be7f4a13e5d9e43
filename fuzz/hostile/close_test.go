package hostile

import (
	"fmt"
	"testing"

	"github.com/farmstate/farmstate/engine"
)

// TestCloseUnderAttack: a node that ends while copies are held here, sessions are on their way to somebody who says nothing, and bodies are on their way in, has all its
// sessions and no memory for anything else.
func TestCloseUnderAttack(t *testing.T) {
	a := newArena(t)
	defer a.canary.stop()
	defer a.other.close()
	e := startEvil(t, newNode(), a.victim)
	defer e.stop()
	const moving = 20
	for i := range moving {
		if out, _, _ := a.victim.do(t, engine.Set, fmt.Sprint("/own/", i), "8 bytes.", 0); out.Status != engine.OK {
			t.Fatalf("a new session: %v", out.Status)
		}
	}
	e.answers(3 | 3<<2) // says nothing to anything from now on
	before := a.victim.engine.Stats()
	for i := range moving {
		e.query(fmt.Sprint("/own/", i), nil)
	}
	for i := range 100 {
		e.transfer(fmt.Sprint("/h/", i), 5000, nil)
	}
	for i := range 10 {
		e.transfer(fmt.Sprint("/h/large", i), 1<<20, nil)
	}
	e.heard(a)
	a.victim.close()
	after := a.victim.engine.Stats()
	if after.Bytes != before.Bytes || after.Sessions != before.Sessions {
		t.Errorf("%d bytes and %d sessions, %d and %d before", after.Bytes, after.Sessions, before.Bytes, before.Sessions)
	}
	for i := range moving {
		key := fmt.Append(nil, "/own/", i)
		if s := a.victim.engine.Look(a.victim.now(), key); s.State != engine.SightHere {
			t.Errorf("session %d is %v", i, s.State)
		}
	}
}
