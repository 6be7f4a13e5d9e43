package fuzz

import (
	"bytes"
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// FuzzKey checks three things of any bytes: taken as a target, their key is what a slow and obvious decoder makes of them, behind
// whatever dst holds, and no longer than the target; taken as a key, the target that the real client sends for it leads back to it.
func FuzzKey(f *testing.F) {
	for _, name := range Targets() {
		f.Add([]byte(name))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		for _, room := range []int{0, len(in), len(in) + 20} {
			dst := append(make([]byte, 0, 3+room), "dst"...)
			got := wire.AppendKey(dst, in)
			if want := "dst" + referenceKey(string(in)); string(got) != want {
				t.Fatalf("key %q, the reference says %q", got, want)
			}
			if len(got) > 3+len(in) {
				t.Fatalf("%d bytes become %d", len(in), len(got)-3)
			}
		}
		if !bytes.Equal(in, before) {
			t.Fatalf("the target was changed to %q", in)
		}
		sent := wire.AppendTarget(nil, in)
		if back := wire.AppendKey(nil, sent); !bytes.Equal(back, in) {
			t.Fatalf("sent as %q, it comes back as %q", sent, back)
		}
	})
}
