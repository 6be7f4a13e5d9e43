package appkey

import (
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"testing"
)

// remembered returns the prefixes in order, and fails if Each tells one twice.
func remembered(t *testing.T, table *Table) []string {
	t.Helper()
	var all []string
	table.Each(func(prefix string) bool {
		all = append(all, prefix)
		return true
	})
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Fatalf("told twice: %q", all)
	}
	if table.Len() != len(all) {
		t.Fatalf("Len is %d, Each tells %d", table.Len(), len(all))
	}
	return all
}

func TestTableRemembers(t *testing.T) {
	table := NewTable()
	prefix := []byte("/a(h)")
	table.Note(prefix)
	copy(prefix, "/b(h)") // may be reused
	table.Note(prefix)
	table.Note(prefix)
	if got := remembered(t, table); !slices.Equal(got, []string{"/a(h)", "/b(h)"}) {
		t.Errorf("remembered %q", got)
	}
	created := map[string]uint64{}
	table.Created(func(prefix string, sessions uint64) bool {
		created[prefix] = sessions
		return true
	})
	if !maps.Equal(created, map[string]uint64{"/a(h)": 1, "/b(h)": 2}) {
		t.Errorf("created %v", created)
	}
}

func TestTableEachStops(t *testing.T) {
	table := NewTable()
	for _, p := range []string{"/a(h)", "/b(h)", "/c(h)"} {
		table.Note([]byte(p))
	}
	calls := 0
	table.Each(func(string) bool {
		calls++
		return calls < 2
	})
	if calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
}

func TestTableIgnores(t *testing.T) {
	table := NewTable()
	table.Note(nil)
	table.Note([]byte(strings.Repeat("x", MaxPrefix+1)))
	if got := remembered(t, table); len(got) != 0 {
		t.Errorf("remembered %q", got)
	}
	table.Note([]byte(strings.Repeat("x", MaxPrefix)))
	if table.Len() != 1 {
		t.Error("a prefix of MaxPrefix bytes is not remembered")
	}
}

func TestTableForgetsTheLeastRecentlyNoted(t *testing.T) {
	for _, c := range []struct {
		size        int
		noted, want string // one letter a prefix
	}{
		{1, "ab", "b"},
		{0, "ab", "b"}, // one at least
		{2, "abac", "ac"},
		{2, "ababc", "bc"},
		{3, "abcabd", "abd"},
		{3, "abcd", "bcd"},
		{3, "abcdbe", "bde"},
		{3, "abcda", "acd"},
	} {
		table := NewTableSize(c.size)
		for _, p := range c.noted {
			table.Note([]byte(string(p)))
		}
		if got := strings.Join(remembered(t, table), ""); got != c.want {
			t.Errorf("size %d, %s: remembered %s, want %s", c.size, c.noted, got, c.want)
		}
	}
}

// TestTableKeepsWhatIsUsed drowns one application among ever new ones.
func TestTableKeepsWhatIsUsed(t *testing.T) {
	table := NewTable()
	for i := range 20 * TableSize {
		if i%(TableSize/2) == 0 {
			table.Note([]byte("/shop(h)"))
		}
		table.Note(fmt.Appendf(nil, "/%d(h)", i))
	}
	all := remembered(t, table)
	if len(all) != TableSize {
		t.Errorf("%d prefixes, want %d", len(all), TableSize)
	}
	if !slices.Contains(all, "/shop(h)") {
		t.Error("the application that is used is forgotten")
	}
}

// TestTableAddsOnce: a reader can overlook a prefix while it moves in the index, or come second with a new one.
func TestTableAddsOnce(t *testing.T) {
	table := NewTable()
	prefix := []byte("/a(h)")
	hash := maphash.Bytes(table.seed, prefix)
	table.add(hash, prefix)
	table.add(hash, prefix)
	table.Created(func(_ string, sessions uint64) bool {
		if sessions != 2 {
			t.Errorf("%d sessions, want 2", sessions)
		}
		return true
	})
	if got := remembered(t, table); len(got) != 1 {
		t.Errorf("remembered %q", got)
	}
}

// TestTableModel compares with a naive list of prefixes in the order of their last note.
func TestTableModel(t *testing.T) {
	r := random(t)
	for range 200 {
		size := 1 + r.IntN(9)
		table := NewTableSize(size)
		var model []string // least recently noted first
		created := map[string]uint64{}
		for step := range 200 {
			prefix := fmt.Sprintf("/%d(h)", r.IntN(3*size))
			if at := slices.Index(model, prefix); at >= 0 {
				// The table does not tell apart what was noted again between two additions. So note nothing twice in between.
				if r.IntN(4) > 0 {
					continue
				}
				table.Note([]byte(prefix))
				model = append(slices.Delete(model, at, at+1), prefix)
				created[prefix]++
				prefix = fmt.Sprintf("/new%d(h)", step)
			}
			table.Note([]byte(prefix))
			model = append(model, prefix)
			created[prefix]++
			if len(model) > size {
				delete(created, model[0])
				model = model[1:]
			}
			got := map[string]uint64{}
			table.Created(func(prefix string, sessions uint64) bool {
				got[prefix] = sessions
				return true
			})
			if !maps.Equal(got, created) {
				t.Fatalf("size %d, step %d: remembered %v, want %v", size, step, got, created)
			}
		}
		checkIndex(t, table)
	}
}

// checkIndex holds the index to its invariants: it has exactly what the list has, and each entry can be found.
func checkIndex(t *testing.T, table *Table) {
	t.Helper()
	entries := 0
	for i := range table.slots {
		if k := table.slots[i].Load(); k != nil {
			entries++
			if table.find(k.hash, []byte(k.prefix)) != k {
				t.Fatalf("%q cannot be found", k.prefix)
			}
		}
	}
	if entries != table.Len() {
		t.Fatalf("%d entries in the index, %d in the list", entries, table.Len())
	}
}
