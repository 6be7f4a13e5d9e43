package appkey

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

// TestSplit holds Split and Prefix to docs/protocol.md §3.8.
func TestSplit(t *testing.T) {
	const hash = "cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8="
	for _, c := range []struct {
		name, key     string
		app, hash, id string // app is empty if the key has no parts
	}{
		{"site", "/LM/W3SVC/1/ROOT(" + hash + ")/z445", "/LM/W3SVC/1/ROOT", hash, "z445"},
		{"application", "/LM/W3SVC/2/ROOT/shop(h)/z445", "/LM/W3SVC/2/ROOT/shop", "h", "z445"},
		{"development server", "/4d2f1a7c(h)/z445", "/4d2f1a7c", "h", "z445"},
		{"no slash in front", "4d2f1a7c(h)/z445", "4d2f1a7c", "h", "z445"},
		{"shortest", "a()/i", "a", "", "i"},
		{"parentheses in the application", "/LM/W3SVC/1/ROOT/shop (old)(h)/i", "/LM/W3SVC/1/ROOT/shop (old)", "h", "i"},
		{"key inside the application", "/a(h)/i(k)/j", "/a(h)/i", "k", "j"},
		{"parenthesis shut twice", "/a(h)k)/i", "/a", "h)k", "i"},
		{"parenthesis shut before a slash, twice", "/a(h)/k)/i", "/a", "h)/k", "i"},
		{"parentheses in the session id", "/a(h)/(i)", "/a", "h", "(i)"},
		{"opened in the session id only", "/a)/(i", "", "", ""},
		{"canonical", "/a(*)/i", "/a", "*", "i"},
		{"other bytes", "/\xff\x00(\xfe)/\xfd", "/\xff\x00", "\xfe", "\xfd"},
		{"empty", "", "", "", ""},
		{"slash", "/", "", "", ""},
		{"no parentheses", "/a/i", "", "", ""},
		{"no slash", "/a(h)i", "", "", ""},
		{"something in between", "/a(h)b/i", "", "", ""},
		{"no session id", "/a(h)/", "", "", ""},
		{"slash in the session id", "/a(h)/i/j", "", "", ""},
		{"no application", "(h)/i", "", "", ""},
		{"never opened", "/ah)/i", "", "", ""},
		{"no hash at all", ")/i", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := []byte(c.key)
			p, ok := Split(key)
			if ok != (c.app != "") || string(p.App) != c.app || string(p.Hash) != c.hash || string(p.ID) != c.id {
				t.Errorf("Split(%q) = %q, %q, %q, %v", c.key, p.App, p.Hash, p.ID, ok)
			}
			want := ""
			if ok {
				want = strings.TrimSuffix(c.key, "/"+c.id)
			}
			if got := Prefix(key); string(got) != want || (got == nil) == ok {
				t.Errorf("Prefix(%q) = %q, want %q", c.key, got, want)
			}
		})
	}
}

// TestPartsAreFenced appends to what Split and Prefix return: the key behind must not change.
func TestPartsAreFenced(t *testing.T) {
	key := []byte("/a(h)/id")
	p, _ := Split(key)
	_ = append(p.App, 'x')
	_ = append(p.Hash, 'x')
	_ = append(Prefix(key), 'x')
	if !bytes.Equal(key, []byte("/a(h)/id")) {
		t.Errorf("the key is now %q", key)
	}
}

func TestKindOf(t *testing.T) {
	sum := sha256.Sum256([]byte("/LM/W3SVC/1/ROOT"))
	plain := base64.StdEncoding.EncodeToString(sum[:])
	keyed := base64.StdEncoding.EncodeToString(sum[:20])
	for _, c := range []struct {
		hash string
		want HashKind
	}{
		{plain, HashPlain},
		{keyed, HashKeyed},
		{"", HashUnknown},
		{"*", HashUnknown},
		{plain[1:], HashUnknown},
		{keyed + "=", HashUnknown},
		{strings.Repeat("=", plainLen), HashUnknown},
		{strings.Repeat("A", keyedLen), HashUnknown},
		{"-" + keyed[1:], HashUnknown},
	} {
		if got := KindOf([]byte(c.hash)); got != c.want {
			t.Errorf("KindOf(%q) = %v, want %v", c.hash, got, c.want)
		}
	}
}

func TestHashKindString(t *testing.T) {
	for k, want := range map[HashKind]string{HashUnknown: "unknown", HashPlain: "plain", HashKeyed: "keyed", 9: "HashKind(9)"} {
		if got := k.String(); got != want {
			t.Errorf("%d is %q, want %q", uint8(k), got, want)
		}
	}
}
