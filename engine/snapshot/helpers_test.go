package snapshot

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
)

var seedFlag = flag.Uint64("snapshot.seed", 0, "replay the random tests with this seed; 0 picks one")

// random returns a generator whose seed is printed.
func random(tb testing.TB) *rand.Rand {
	tb.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	tb.Logf("replay with -snapshot.seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

var testHeader = Header{
	Written: time.Date(2026, 11, 26, 8, 0, 0, 123456789, time.UTC), Node: [16]byte{1, 2, 3, 15: 16}, Farm: "shop", Program: "farmstate 1.0", Salt: [32]byte{7, 31: 9},
}

var testSecret = []byte("a secret that is long enough")

// randomParcel returns a session such as an engine may have.
func randomParcel(r *rand.Rand, i, maxBody int) engine.Parcel {
	body := make([]byte, 1+r.IntN(maxBody))
	for i := range body {
		body[i] = byte(r.Uint32())
	}
	p := engine.Parcel{
		Key: fmt.Sprintf("/LM/W3SVC/1/ROOT(aGFzaA==)/%d%0*d", i, r.IntN(40), 0), Body: body, Literal: r.IntN(2) == 0, Uninitialized: r.IntN(2) == 0,
		Gen: r.Uint32() >> r.IntN(33), Version: r.Uint32() >> r.IntN(33), Cookie: 1 + r.Uint32N(maxCookie),
	}
	if r.IntN(4) > 0 {
		p.Minutes = 1 + r.Uint32N(maxMinutes)
		p.Left = r.Int64N(int64(p.Minutes)*int64(time.Minute) + 1)
	}
	if r.IntN(3) == 0 {
		p.Locked, p.LockAge, p.Skip = true, r.Int64N(int64(time.Hour)), uint16(r.Uint32()>>r.IntN(33))
	}
	return p
}

// write returns the file of some sessions.
func write(tb testing.TB, all []engine.Parcel, secret []byte) []byte {
	tb.Helper()
	return writeWith(tb, nil, all, secret)
}

// writeWith is write with removals.
func writeWith(tb testing.TB, removed []Removal, all []engine.Parcel, secret []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, &testHeader, secret)
	if err != nil {
		tb.Fatal(err)
	}
	if err := w.Bury(removed); err != nil {
		tb.Fatal(err)
	}
	for i, p := range all {
		shared := i%2 == 0
		p.Body = bytes.Clone(p.Body)
		w.Take(p, shared)
		if !shared {
			clear(p.Body) // it was valid during the call
		}
		if err := w.Spill(); err != nil {
			tb.Fatal(err)
		}
	}
	totals, err := w.Close()
	if err != nil || totals.Sessions != int64(len(all)) || totals.Bytes != int64(out.Len()) || totals.Bytes != w.Written() {
		tb.Fatalf("%+v, %v; want %d sessions in %d bytes", totals, err, len(all), out.Len())
	}
	return out.Bytes()
}

// read returns what can be read of a file, and the error that ended it; nil at a good end.
func read(file, secret []byte) ([]engine.Parcel, *Reader, error) {
	r, err := NewReader(bytes.NewReader(file), int64(len(file)), secret)
	if err != nil {
		return nil, nil, err
	}
	var all []engine.Parcel
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, r, nil
		}
		if err != nil {
			return all, r, err
		}
		all = append(all, p)
	}
}

// same compares sessions but for where their bodies lie.
func same(a, b []engine.Parcel) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !reflect.DeepEqual(a[i], b[i]) {
			return false
		}
	}
	return true
}
