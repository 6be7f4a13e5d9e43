package member

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/peer/message"
)

func TestMeta(t *testing.T) {
	for _, c := range []card{
		{Member: Member{Free: -1}},
		{Member: Member{Name: "web1", PeerAddr: "10.0.0.1:42425", StateAddr: ":42424", AdminAddr: "10.0.0.1:42480", Program: "farmstate 1.2", Free: 1 << 40, Leaving: true}, going: true},
		{Member: Member{Name: "wëb", PeerAddr: "[fd00::1]:1", StateAddr: "", Free: 0}},
		{Member: Member{Name: strings.Repeat("n", maxText), PeerAddr: strings.Repeat("p", maxAddr-6) + ":65535", StateAddr: strings.Repeat("s", maxAddr-6) + ":65535",
			Program: strings.Repeat("g", maxText), Free: 1<<63 - 2}},
	} {
		b, err := encodeMeta(&c)
		if err != nil || len(b) > MetaMax {
			t.Fatalf("%+v: %d bytes, %v", c, len(b), err)
		}
		if got, err := parseMeta(b); err != nil || got != c {
			t.Errorf("%+v became %+v, %v", c, got, err)
		}
		for i := range b { // whatever is missing or too much shows
			if _, err := parseMeta(b[:i]); err == nil {
				t.Errorf("%d bytes of %x are taken", i, b)
			}
		}
		if _, err := parseMeta(append(b, 0)); err == nil {
			t.Errorf("a byte more than %x is taken", b)
		}
	}
}

// TestMetaTooLong: with the longest of all texts, the address of the admin pages is left out.
func TestMetaTooLong(t *testing.T) {
	long := strings.Repeat("p", maxAddr-6) + ":65535"
	c := card{Member: Member{Name: strings.Repeat("n", maxText), PeerAddr: long, StateAddr: long, AdminAddr: long, Program: strings.Repeat("g", maxText), Free: 1<<63 - 2}}
	b, err := encodeMeta(&c)
	if err != nil || len(b) > MetaMax {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	c.AdminAddr = ""
	if got, err := parseMeta(b); err != nil || got != c {
		t.Errorf("became %+v, %v", got, err)
	}
}

func TestMetaForPeople(t *testing.T) {
	c := card{Member: Member{Name: "a\nb\x00" + strings.Repeat("ä", 100), Free: -7}}
	b, err := encodeMeta(&c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseMeta(b)
	if err != nil || !strings.HasPrefix(got.Name, "a?b?ä") || len(got.Name) > maxText || got.Free != -1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMetaRefused(t *testing.T) {
	for _, addr := range []string{"web1", ":", "web1:0", "web1:65536", "web1:042", "we b:1", "wéb:1", strings.Repeat("a", maxAddr) + ":1"} {
		if b, err := encodeMeta(&card{Member: Member{PeerAddr: addr}}); err == nil {
			t.Errorf("%q can be told: %x", addr, b)
		}
	}
	if _, err := parseMeta([]byte{2, 0, 0}); !errors.Is(err, errVersion) {
		t.Errorf("of a later version: %v", err)
	}
	for _, b := range [][]byte{nil, {1}, {1, 4, 0, 0, 0, 0, 0, 0}, {1, 0, 0x80, 0, 0, 0, 0, 0, 0}, {1, 0, 0, 1, 7, 0, 0, 0, 0}, {1, 0, 0, 0, 1, 'a', 0, 0, 0}, {1, 0, 0, 0, 0, 0, 0, 1, 'a'}, bytes.Repeat([]byte{1}, MetaMax+1)} {
		if c, err := parseMeta(b); err == nil || c != (card{}) {
			t.Errorf("%x became %+v", b, c)
		}
	}
}

func TestNames(t *testing.T) {
	n := message.Node{0xab, 1}
	if got, ok := parseName(n.String()); !ok || got != n {
		t.Errorf("%v, %v", got, ok)
	}
	for _, name := range []string{"", "web1", strings.ToUpper(n.String()), n.String() + "0", (message.Node{}).String(), strings.Repeat("g", 32)} {
		if _, ok := parseName(name); ok {
			t.Errorf("%q is a name", name)
		}
	}
}

// FuzzMeta: there is one spelling of what a node says about itself.
func FuzzMeta(f *testing.F) {
	for _, c := range []card{{Member: Member{Free: -1}}, {Member: Member{Name: "web1", PeerAddr: "10.0.0.1:42425", StateAddr: ":42424", Program: "p", Free: 300}, going: true}} {
		b, err := encodeMeta(&c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseMeta(b)
		if err != nil {
			if c != (card{}) {
				t.Errorf("%v, and yet %+v", err, c)
			}
			return
		}
		if again, err := encodeMeta(&c); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x became %x, %v", b, again, err)
		}
	})
}
