package engine

import (
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine/appkey"
)

// TestNearMiss asks for a session under one key while it lives under another.
func TestNearMiss(t *testing.T) {
	const (
		id    = "z445nnecaiiqye55asxwtm55"
		lives = "/LM/W3SVC/1/ROOT/shop(hash)/" + id
	)
	for _, c := range []struct {
		name  string
		asked Ticket
		cause appkey.Cause
	}{
		{"another site id", get("/LM/W3SVC/2/ROOT/shop(hash)/" + id), appkey.SiteID},
		{"another site id and hash", get("/LM/W3SVC/2/ROOT/shop(other)/" + id), appkey.SiteID},
		{"other letter case", get("/LM/W3SVC/1/ROOT/Shop(hash)/" + id), appkey.PathCase},
		{"another hash", get("/LM/W3SVC/1/ROOT/shop(other)/" + id), appkey.Hash},
		{"an acquire", acquire("/LM/W3SVC/2/ROOT/shop(hash)/" + id), appkey.SiteID},
		{"a release", release("/LM/W3SVC/2/ROOT/shop(hash)/"+id, 2), appkey.SiteID},
		{"another application", get("/LM/W3SVC/1/ROOT/blog(hash)/" + id), appkey.None},
		{"another session", get("/LM/W3SVC/2/ROOT/shop(hash)/y445nnecaiiqye55asxwtm55"), appkey.None},
		{"no such parts", get("whatever"), appkey.None},
		{"a touch", touch("/LM/W3SVC/2/ROOT/shop(hash)/" + id), appkey.None},
		{"a removal", remove("/LM/W3SVC/2/ROOT/shop(hash)/" + id), appkey.None},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.play(set(lives, "a"), "200", c.asked, "404", get(lives), "200 a/20")
			var counted [appkey.NumCauses]int64
			if c.cause != appkey.None {
				counted[c.cause] = 1
				if want := (NearMiss{Asked: string(c.asked.Key), Found: lives, Cause: c.cause}); len(w.nearMisses) != 1 || w.nearMisses[0] != want {
					t.Errorf("told %+v, want %+v", w.nearMisses, want)
				}
			} else if len(w.nearMisses) > 0 {
				t.Errorf("told %+v", w.nearMisses)
			}
			if got := w.e.Stats().NearMisses; got != counted {
				t.Errorf("counted %v, want %v", got, counted)
			}
		})
	}
}

// TestNoNearMissOfTheDead: a session that has been removed, or whose time is over, lives nowhere.
func TestNoNearMissOfTheDead(t *testing.T) {
	const asked, other = "/LM/W3SVC/2/ROOT(hash)/id", "/LM/W3SVC/1/ROOT(hash)/id"
	w := newWorld(t, Options{})
	w.play(
		set(other, "a"), "200",
		20*time.Minute, get(asked), "404", // not swept yet
		get(other), "404", get(asked), "404",
		set(other, "a"), "200", remove(other), "200", get(asked), "404",
	)
	if len(w.nearMisses) != 0 {
		t.Errorf("told %+v", w.nearMisses)
	}
	w.play(set(other, "a"), "200", yielding(get(other)), "parked", get(asked), "404", run)
	if len(w.nearMisses) != 1 {
		t.Errorf("a session that is in use: told %+v", w.nearMisses)
	}
}
