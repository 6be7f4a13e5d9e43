package appkey

import (
	"fmt"
	"testing"
)

const (
	benchHash   = "cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8="
	benchPrefix = "/LM/W3SVC/1/ROOT(" + benchHash + ")"
	benchID     = "z445nnecaiiqye55asxwtm55"
)

func BenchmarkSplit(b *testing.B) {
	b.ReportAllocs()
	key := []byte(benchPrefix + "/" + benchID)
	for b.Loop() {
		if _, ok := Split(key); !ok {
			b.Fatal("no parts")
		}
	}
}

func BenchmarkCompare(b *testing.B) {
	other := "/LM/W3SVC/2/Root(" + benchHash + ")/" + benchID
	for _, c := range []struct{ name, key string }{
		{"site", other},
		{"none", "/LM/W3SVC/2/ROOT/shop(" + benchHash + ")/" + benchID},
	} {
		b.Run("cause="+c.name, func(b *testing.B) {
			b.ReportAllocs()
			x, _ := Split([]byte(benchPrefix + "/" + benchID))
			y, _ := Split([]byte(c.key))
			for b.Loop() {
				Compare(x, y)
			}
		})
	}
}

func BenchmarkNote(b *testing.B) {
	for _, apps := range []int{1, TableSize, 2 * TableSize} {
		b.Run(fmt.Sprintf("apps=%d", apps), func(b *testing.B) {
			b.ReportAllocs()
			table := NewTable()
			prefixes := make([][]byte, apps)
			for i := range prefixes {
				prefixes[i] = fmt.Appendf(nil, "/LM/W3SVC/%d/ROOT(%s)", i, benchHash)
				table.Note(prefixes[i])
			}
			i := 0
			for b.Loop() {
				table.Note(prefixes[i])
				if i++; i == apps {
					i = 0
				}
			}
		})
	}
}

func BenchmarkNoteParallel(b *testing.B) {
	b.ReportAllocs()
	table := NewTable()
	b.RunParallel(func(pb *testing.PB) {
		prefix := []byte(benchPrefix)
		for pb.Next() {
			table.Note(prefix)
		}
	})
}

func BenchmarkEach(b *testing.B) {
	b.ReportAllocs()
	table := NewTable()
	for i := range TableSize {
		table.Note(fmt.Appendf(nil, "/LM/W3SVC/%d/ROOT(%s)", i, benchHash))
	}
	for b.Loop() {
		table.Each(func(string) bool { return true })
	}
}

func BenchmarkAppendKey(b *testing.B) {
	alias := []Alias{{From: "/LM/W3SVC/2/ROOT", To: "/LM/W3SVC/1/ROOT"}}
	joined := "/LM/W3SVC/2/ROOT(" + benchHash + ")"
	other := "/LM/W3SVC/7/ROOT(" + benchHash + ")"
	for _, c := range []struct {
		name    string
		aliases []Alias
		fold    bool
		prefix  string
		full    bool // no prefix can be learned any more
	}{
		{"rules=0", nil, false, joined, false},
		{"rules=1/joined", alias, false, joined, false},
		{"rules=1/other", alias, false, other, false},
		{"rules=1/fold", alias, true, joined, false},
		{"rules=1/joined/full", alias, false, joined, true},
		{"rules=1/fold/full", alias, true, joined, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			rules := compile(b, c.aliases, c.fold)
			for i := 0; c.full && i < maxLearned; i++ {
				rules.AppendKey(nil, fmt.Appendf(nil, "/%d(h)/id", i))
			}
			key := []byte(c.prefix + "/" + benchID)
			dst := make([]byte, 0, 256)
			for b.Loop() {
				dst = rules.AppendKey(dst[:0], key)
			}
		})
	}
}
