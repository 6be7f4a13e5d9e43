package bench

import (
	"encoding/json"
	"maps"
	"math"
	"strings"
	"testing"
)

func TestMixText(t *testing.T) {
	for _, text := range []string{
		"write=100",
		"write=70,read=30",
		"write=60,read=20,unchanged=12,touch=4,new=3,abandon=1",
	} {
		var m Mix
		if err := m.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if m.String() != text {
			t.Errorf("%s came back as %s", text, m)
		}
	}
	if DefaultMix.validate() != nil {
		t.Errorf("the default mix is not valid: %s", DefaultMix)
	}
	m := DefaultMix
	for text, want := range map[string]string{
		"":                   "write name=percent",
		"write":              "write name=percent",
		"write=x":            "write name=percent",
		"write=60":           "add up to 60 percent",
		"write=60,read=60":   "add up to 120 percent",
		"write=-1,read=101":  "use 0 to 100 percent",
		"writes=100":         `no kind of page is named "writes"`,
		"cycle=100":          `no kind of page is named "cycle"`,
		"write=50,read=50 5": "write name=percent",
	} {
		err := m.UnmarshalText([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q in it", text, err, want)
		}
		if m != DefaultMix {
			t.Fatalf("%q: changed the mix although it was refused", text)
		}
	}
	b, err := json.Marshal(struct{ Mix Mix }{Mix{Write: 100}})
	if err != nil || string(b) != `{"Mix":"write=100"}` {
		t.Errorf("JSON is %s, %v", b, err)
	}
}

// chosen drives the choice of n pages and returns what they were.
func chosen(cfg LoadConfig, n int64) (kinds map[pageKind]int, sessions []uint64) {
	cfg.EnsureDefaults()
	w := newWorker(&run{cfg: cfg, pop: newPopulation(&cfg), recorders: []*recorder{new(recorder)}}, 0)
	kinds = make(map[pageKind]int)
	for i := range n {
		kinds[w.choose(i)]++
		sessions = append(sessions, w.session)
	}
	return kinds, sessions
}

func TestMixIsKept(t *testing.T) {
	const pages = 100_000
	cfg := LoadConfig{Targets: []string{"a:1"}, Sessions: 1000, Seed: 7}
	kinds, _ := chosen(cfg, pages)
	for i, share := range DefaultMix.shares() {
		want := float64(*share) / 100
		got := float64(kinds[pageKind(i)]) / pages
		// Five standard deviations.
		if bound := 5 * math.Sqrt(want*(1-want)/pages); math.Abs(got-want) > bound {
			t.Errorf("%s: %.4f of pages; want %.4f within %.4f", pageKind(i), got, want, bound)
		}
	}
}

func TestSeedRepeatsPages(t *testing.T) {
	cfg := LoadConfig{Targets: []string{"a:1"}, Sessions: 1000, Seed: 7}
	kinds, sessions := chosen(cfg, 2000)
	again, sessionsAgain := chosen(cfg, 2000)
	if !maps.Equal(kinds, again) {
		t.Error("the same seed chose other pages")
	}
	for i := range sessions {
		if sessions[i] != sessionsAgain[i] {
			t.Fatalf("page %d: the same seed chose session %d, then %d", i, sessions[i], sessionsAgain[i])
		}
	}
	cfg.Seed = 8
	_, other := chosen(cfg, 2000)
	same := 0
	for i := range sessions {
		if sessions[i] == other[i] {
			same++
		}
	}
	if same > 100 {
		t.Errorf("another seed chose the same session for %d of 2000 pages", same)
	}
}

func TestHotShare(t *testing.T) {
	cfg := LoadConfig{Targets: []string{"a:1"}, Mode: ModeGet, Sessions: 100_000, HotShare: 30, HotSessions: 4}
	_, sessions := chosen(cfg, 10_000)
	hot := 0
	for _, n := range sessions {
		if n < 4 {
			hot++
		}
	}
	if hot < 2700 || hot > 3300 {
		t.Errorf("%d of 10000 pages went to hot sessions; want about 3000", hot)
	}
}

// New sessions must not be among those that other pages choose.
func TestNewSessionsAreNew(t *testing.T) {
	cfg := LoadConfig{Targets: []string{"a:1"}, Mix: Mix{New: 100}, Sessions: 10}
	_, sessions := chosen(cfg, 1000)
	seen := make(map[uint64]bool)
	for _, n := range sessions {
		if n < 10 || seen[n] {
			t.Fatalf("session %d is not new", n)
		}
		seen[n] = true
	}
}
