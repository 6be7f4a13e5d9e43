package appkey

import (
	"bytes"
	"regexp"
	"testing"
)

// grammar is docs/protocol.md §3.8 as slowly and obviously as it can be said.
var grammar = regexp.MustCompile(`(?s)^(.+)\(([^(]*)\)/([^/]+)$`)

// checkSplit holds Split and Prefix to the grammar.
func checkSplit(t *testing.T, key []byte) {
	t.Helper()
	want := grammar.FindSubmatch(key)
	p, ok := Split(key)
	prefix := Prefix(key)
	if ok != (want != nil) || (prefix != nil) != ok {
		t.Fatalf("%q: Split says %v, Prefix %q, the grammar %q", key, ok, prefix, want)
	}
	if !ok {
		return
	}
	if !bytes.Equal(p.App, want[1]) || !bytes.Equal(p.Hash, want[2]) || !bytes.Equal(p.ID, want[3]) {
		t.Fatalf("%q: %q, the grammar says %q", key, p, want[1:])
	}
	if again := string(prefix) + "/" + string(p.ID); again != string(key) {
		t.Fatalf("%q became %q", key, again)
	}
}

// checkRewrite holds AppendKey to what is true of any rules and any key: what was in the buffer stays, the session id stays, a second time
// changes nothing, and a key without an application, or without a rule for it, stays whole.
func checkRewrite(t *testing.T, rules *Rules, key []byte) {
	t.Helper()
	const before = "/b(h)/"
	given := bytes.Clone(key)
	got := rules.AppendKey([]byte(before), key)
	if !bytes.Equal(key, given) {
		t.Fatalf("%q was changed to %q", given, key)
	}
	if !bytes.HasPrefix(got, []byte(before)) {
		t.Fatalf("%q: the buffer is now %q", key, got)
	}
	got = got[len(before):]
	if again := rules.AppendKey(nil, got); !bytes.Equal(again, got) {
		t.Fatalf("%q became %q, then %q", key, got, again)
	}
	p, ok := Split(key)
	if !ok || rules == nil {
		if !bytes.Equal(got, key) {
			t.Fatalf("%q has no application, or there are no rules, but it became %q", key, got)
		}
		return
	}
	if q, ok := Split(got); !ok || !bytes.Equal(q.ID, p.ID) {
		t.Fatalf("%q became %q: the session id is another", key, got)
	}
}

// FuzzSplit checks that Split agrees with a regular expression, and that the parts make up the key again.
func FuzzSplit(f *testing.F) {
	for _, key := range []string{
		benchPrefix + "/" + benchID, "/a(h)/i", "/a(h)/i(k)/j", "/a(h)/k)/i", "a()/i", "(h)/i", ")/i", "/a(h)/", "", "/\xff(\xfe)/\xfd", "((((/))))",
	} {
		f.Add([]byte(key))
	}
	f.Fuzz(checkSplit)
}

// FuzzRewrite checks that any rules that compile keep their promises for any key, whether or not its prefix has been learned, and that
// what a rule stands for is joined: from and to, with the hash the rule names or with any.
func FuzzRewrite(f *testing.F) {
	f.Add("/LM/W3SVC/2/ROOT", "/LM/W3SVC/1/ROOT", "/LM/W3SVC/3/ROOT", "/LM/W3SVC/2/ROOT", false, []byte(benchPrefix+"/"+benchID))
	f.Add("/b(h)", "/a", "/a", "/a(h)", true, []byte("/B(h)/id"))
	f.Add("/a (old)(*)", "b", "c)d(*)", "/a(h)k)", true, []byte("/c)d(*)/id"))
	f.Fuzz(func(t *testing.T, from, to, from2, to2 string, fold bool, key []byte) {
		rules, err := Compile([]Alias{{from, to}, {from2, to2}}, fold)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error that says nothing")
			}
			return
		}
		checkRewrite(t, rules, key)
		if p, ok := Split(key); ok {
			first := string(rules.appendCanonical(nil, Prefix(key), len(p.App))) + "/" + string(p.ID)
			if learned := rules.AppendKey(nil, key); string(learned) != first {
				t.Fatalf("%q became %q once learned, %q before", key, learned, first)
			}
		}
		for _, a := range []Alias{{from, to}, {from2, to2}} {
			x, problem := parsePattern(a.From)
			y, problem2 := parsePattern(a.To)
			if problem != "" || problem2 != "" {
				t.Fatalf("%v compiled: %s %s", a, problem, problem2)
			}
			joinedX, joinedY := rules.AppendKey(nil, []byte(x.prefix()+"/id")), rules.AppendKey(nil, []byte(y.prefix()+"/id"))
			if !bytes.Equal(joinedX, joinedY) {
				t.Fatalf("%v is not joined: %q and %q", a, joinedX, joinedY)
			}
		}
	})
}
