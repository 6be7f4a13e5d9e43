package appkey

import (
	"fmt"
	"sync"
	"testing"
)

// TestNoteWhileOthersAdd notes a few known prefixes from several goroutines while others keep adding and evicting. No note may be
// lost as long as its prefix stays, none may be counted for another, and the index must be whole in the end.
func TestNoteWhileOthersAdd(t *testing.T) {
	const (
		goroutines = 4
		steps      = 3000
	)
	table := NewTableSize(64)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range steps {
				table.Note(fmt.Appendf(nil, "/used%d(h)", i%8)) // noted too often to be forgotten
				table.Note(fmt.Appendf(nil, "/new%d.%d(h)", g, i))
				if i%64 == 0 {
					table.Each(func(prefix string) bool {
						if prefix == "" {
							t.Error("an empty prefix")
						}
						return true
					})
				}
			}
		})
	}
	wg.Wait()
	checkIndex(t, table)
	used := 0
	table.Created(func(prefix string, sessions uint64) bool {
		if len(prefix) == len("/used0(h)") && prefix[:5] == "/used" {
			used++
			if want := uint64(goroutines * steps / 8); sessions != want {
				t.Errorf("%s: %d sessions, want %d", prefix, sessions, want)
			}
		} else if sessions != 1 {
			t.Errorf("%s: %d sessions, want 1", prefix, sessions)
		}
		return true
	})
	if used != 8 || table.Len() != 64 {
		t.Errorf("%d of 8 used prefixes among %d", used, table.Len())
	}
}

// TestAppendKeyWhileOthersLearn rewrites keys, known and new ones, from several goroutines.
func TestAppendKeyWhileOthersLearn(t *testing.T) {
	rules := compile(t, []Alias{{From: "/B", To: "/A"}}, true)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			var dst []byte
			for i := range 2 * maxLearned {
				for _, c := range []struct{ key, want string }{
					{"/b(h)/id", "/a(*)/id"},
					{fmt.Sprintf("/New%d.%d(h)/id", g, i), fmt.Sprintf("/new%d.%d(*)/id", g, i)},
				} {
					if dst = rules.AppendKey(dst[:0], []byte(c.key)); string(dst) != c.want {
						t.Errorf("%s became %s, want %s", c.key, dst, c.want)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := len(*rules.learned.Load()); n != maxLearned {
		t.Errorf("%d prefixes learned, want %d", n, maxLearned)
	}
}
