package message_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

var seed = flag.Uint64("message.seed", 0, "seed of random tests; 0 = a new one")

// seeded returns randomness, and says how to have the same again.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("-message.seed=%d", s)
	return rand.New(rand.NewPCG(s, 0))
}

// touches and shelved are the sessions of a body, as text, and what was wrong with it.
func touches(body []byte) (all []string, err error) {
	err = message.Touches(body, func(key string, left int64) bool {
		all = append(all, fmt.Sprintf("%q %v", key, time.Duration(left)))
		return true
	})
	return all, err
}

func shelved(body []byte) (all []string, err error) {
	err = message.EachShelved(body, func(key string, gen, version uint32) bool {
		all = append(all, fmt.Sprintf("%q %d.%d", key, gen, version))
		return true
	})
	return all, err
}

// TestTouches: §3.8 of docs/peer-protocol.md, the list of a Copy with Touch.
func TestTouches(t *testing.T) {
	body := message.AppendTouch([]byte("dst"), "k", int64(time.Second))
	if string(body) != "dst"+string(touched) {
		t.Errorf("got %q", body)
	}
	longest := strings.Repeat("x", message.MaxKey)
	body = message.AppendTouch(nil, key, 1)
	body = message.AppendTouch(body, "\x00\xff", -1)
	body = message.AppendTouch(body, longest, math.MaxInt64)
	got, err := touches(body)
	want := fmt.Sprintf("%q 1ms %q 0s %q 8760h0m0s", key, "\x00\xff", longest)
	if strings.Join(got, " ") != want || err != nil {
		t.Errorf("got  %.300s, %v\nwant %.300s", got, err, want)
	}
}

// TestEachShelved: §3.8 of docs/peer-protocol.md, the list of a Shelved and of a Copy with Taken.
func TestEachShelved(t *testing.T) {
	body := message.AppendShelved([]byte("dst"), "k", 0, 2)
	if string(body) != "dst\x01k\x02" {
		t.Errorf("got %q", body)
	}
	body = message.AppendShelved(message.AppendShelved(message.AppendShelved(nil, key, 0, 0), "k", math.MaxUint32, math.MaxUint32), "l", 3, 4)
	got, err := shelved(body)
	if want := fmt.Sprintf("%q 0.0 %q 4294967295.4294967295 %q 3.4", key, "k", "l"); strings.Join(got, " ") != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// buried are the removals of a body, as text, and what was wrong with it.
func buried(body []byte) (all []string, err error) {
	err = message.EachBuried(body, func(hash uint64, gen uint32, left int64) bool {
		all = append(all, fmt.Sprintf("%x %d %v", hash, gen, time.Duration(left)))
		return true
	})
	return all, err
}

// TestEachBuried: §3.8 of docs/peer-protocol.md, the list of a Copy with Buried. What is before a fault is passed, and the fault is named.
func TestEachBuried(t *testing.T) {
	body := message.AppendBuried([]byte("dst"), 0x0807060504030201, 2, 1)
	if string(body) != "dst\x01\x02\x03\x04\x05\x06\x07\x08\x02\x01" {
		t.Errorf("got %q", body)
	}
	body = message.AppendBuried(message.AppendBuried(nil, math.MaxUint64, math.MaxUint32, math.MaxInt64), 0, 0, -1)
	got, err := buried(body)
	if want := "ffffffffffffffff 4294967295 8760h0m0s 0 0 0s"; strings.Join(got, " ") != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	for name, rest := range map[string]string{
		"half a hash": "1234567", "no generation": "12345678", "no time": "12345678\x01", "half a time": "12345678\x01\x80",
		"a generation beyond 32 bits": "12345678\x80\x80\x80\x80\x10\x01", "zeros in front": "12345678\x81\x00\x01", "more than 525600 minutes": "12345678\x01\x81\xf0\xdb\xbeu",
	} {
		if got, err := buried(append(bytes.Clone(body), rest...)); len(got) != 2 || !errors.Is(err, message.ErrList) {
			t.Errorf("%s: %d removals, %v", name, len(got), err)
		}
	}
	calls := 0
	if err := message.EachBuried(append(body, 0), func(uint64, uint32, int64) bool { calls++; return false }); calls != 1 || err != nil {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// TestListStops: who has seen enough is not called again, and what follows is not looked at.
func TestListStops(t *testing.T) {
	body := message.AppendTouch(message.AppendTouch(nil, "a", 1), "b", 2)
	calls := 0
	if err := message.Touches(append(body, 0), func(string, int64) bool { calls++; return calls < 2 }); calls != 2 || err != nil {
		t.Errorf("%d calls, %v", calls, err)
	}
	calls = 0
	if err := message.EachShelved(append(body, 0), func(string, uint32, uint32) bool { calls++; return false }); calls != 1 || err != nil {
		t.Errorf("%d calls, %v", calls, err)
	}
	if err := message.Touches(nil, func(string, int64) bool { return false }); err != nil {
		t.Error(err)
	}
}

// TestMalformedLists: what is before the fault is passed, and the fault is named.
func TestMalformedLists(t *testing.T) {
	for _, c := range []struct{ name, body string }{
		{"no key", "\x00\x01"},
		{"half a key", "\x03ab"},
		{"no number", "\x01k"},
		{"half a number", "\x01k\x80"},
		{"a length with zeros in front", "\x81\x00k\x01"},
		{"a number with zeros in front", "\x01k\x81\x00"},
		{"a number beyond 64 bits", "\x01k\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		{"a length beyond 64 bits", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01k\x01"},
		{"a length beyond everything", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01k\x01"},
		{"a key that is too long", "\x81\x80\x01" + strings.Repeat("k", message.MaxKey+1) + "\x01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, each := range []func([]byte) ([]string, error){touches, shelved} {
				got, err := each([]byte("\x01k\x00" + c.body))
				if len(got) != 1 || !errors.Is(err, message.ErrList) {
					t.Errorf("%d sessions, %v", len(got), err)
				}
			}
		})
	}
	if _, err := touches([]byte("\x01k\x81\xf0\xdb\xbeu")); err == nil { // 31536000001
		t.Error("more than 525600 minutes")
	}
}

// TestRandomLists: a list is read as it was written, and with any byte of it changed or missing it is at worst refused.
func TestRandomLists(t *testing.T) {
	r := seeded(t)
	for range 200 {
		var body []byte
		var want []string
		for range r.IntN(8) {
			k := make([]byte, 1+r.IntN(300))
			for i := range k {
				k[i] = byte(r.Uint32())
			}
			left := time.Duration(r.Int64N(525600)) * time.Minute
			body = message.AppendTouch(body, string(k), int64(left))
			want = append(want, fmt.Sprintf("%q %v", k, left))
		}
		if got, err := touches(body); err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
			t.Fatalf("got  %s, %v\nwant %s", got, err, want)
		}
		if len(body) == 0 {
			continue
		}
		body[r.IntN(len(body))] = byte(r.Uint32())
		for _, b := range [][]byte{body, body[:r.IntN(len(body))]} {
			if _, err := touches(b); err != nil && !errors.Is(err, message.ErrList) {
				t.Fatal(err)
			}
			if _, err := shelved(b); err != nil && !errors.Is(err, message.ErrList) {
				t.Fatal(err)
			}
			if _, err := buried(b); err != nil && !errors.Is(err, message.ErrList) {
				t.Fatal(err)
			}
		}
	}
}
