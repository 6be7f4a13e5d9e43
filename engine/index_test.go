package engine

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// collidingKeys returns n keys with one hash. XXH64 is no cryptographic hash: of two words that go into one lane of its state, the first may be anything if the
// second makes up for it.
func collidingKeys(seed uint64, n int) []string {
	const prime1, prime2 = 11400714785074694791, 14029467366897019727
	inverse := uint64(prime2) // of prime2 modulo 2^64, by Newton's method
	for range 6 {
		inverse *= 2 - prime2*inverse
	}
	lane := seed + prime1 // the state of the first lane, less prime2
	lane += prime2
	round := func(state, word uint64) uint64 { return bits.RotateLeft64(state+word*prime2, 31) * prime1 }
	keys := make([]string, n)
	for i := range keys {
		var key [64]byte
		copy(key[8:], "/LM/W3SVC/1/ROOT(")
		copy(key[40:], "hash)/sessionid of a key")
		first := 0x4141414141414141 + uint64(i)
		binary.LittleEndian.PutUint64(key[0:], first)
		binary.LittleEndian.PutUint64(key[32:], (0x5a5a5a5a5a5a5a5a-round(lane, first))*inverse)
		keys[i] = string(key[:])
	}
	return keys
}

// TestCollidingKeys: the other tests of collisions are worth nothing if there are none.
func TestCollidingKeys(t *testing.T) {
	for _, seed := range []uint64{0, 1, 0xdeadbeefdeadbeef} {
		e, err := New(Options{Seed: seed}, Time{})
		if err != nil {
			t.Fatal(err)
		}
		keys := collidingKeys(seed, 5)
		for i, key := range keys {
			if e.Hash([]byte(key)) != e.Hash([]byte(keys[0])) || i > 0 && key == keys[0] {
				t.Errorf("seed %d: key %d does not collide", seed, i)
			}
		}
	}
}

// TestHash: without a seed it is plain XXH64, so that others can compute it.
func TestHash(t *testing.T) {
	e, err := New(Options{}, Time{})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		key := []byte(fmt.Sprint(make([]byte, n)))
		if got, want := e.Hash(key), xxhash.Sum64(key); got != want {
			t.Fatalf("hash of %d bytes %x, want %x", n, got, want)
		}
	}
}

// TestCollisions: sessions with one hash do not get into each other's way, in whatever order they come and go.
func TestCollisions(t *testing.T) {
	const n = 4
	keys := collidingKeys(0, n)
	orders := [][n]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}}
	for _, come := range orders {
		for _, go1 := range orders {
			w := newWorld(t, Options{})
			for i, at := range come {
				w.play(get(keys[at]), "404", set(keys[at], fmt.Sprint(at)), "200")
				for _, other := range come[:i+1] {
					w.play(get(keys[other]), fmt.Sprintf("200 %d/20", other))
				}
				w.checkIndex()
			}
			for i, at := range go1 {
				w.play(acquire(keys[at]), fmt.Sprintf("200 %d/20 #2", at), remove(keys[at], 2), "200", get(keys[at]), "404")
				for _, other := range go1[i+1:] {
					w.play(get(keys[other]), fmt.Sprintf("200 %d/20", other))
				}
				w.checkIndex()
				if i == 1 { // comes again while others are there
					w.play(set(keys[at], "again"), "200", get(keys[at]), "200 again/20", remove(keys[at]), "200")
					w.checkIndex()
				}
			}
			w.empty()
		}
	}
}

// TestCollidedSessionsAreAudited: the search for locks left behind must not overlook them.
func TestCollidedSessionsAreAudited(t *testing.T) {
	w := newWorld(t, Options{StaleLock: staleAfter})
	keys := collidingKeys(0, 3)
	for _, key := range keys {
		w.play(set(key, "a"), "200", acquire(key), "200 a/20 #2")
	}
	live(staleAfter * 2)(w)
	toldOf(len(keys))(w)
}

// TestKeys: keys of all lengths, with a slash at any place, are told apart.
func TestKeys(t *testing.T) {
	w := newWorld(t, Options{})
	var keys []string
	for n := range 50 {
		plain := strings.Repeat("x", n)
		if n > 0 {
			keys = append(keys, plain)
		}
		for at := range n + 1 {
			keys = append(keys, plain[:at]+"/"+plain[at:])
		}
	}
	keys = append(keys, strings.Repeat("long", 500), strings.Repeat("long", 500)+"/id", "/id/"+strings.Repeat("long", 500))
	for i, key := range keys {
		w.do(set(key, fmt.Sprint(i))).want("200")
	}
	w.check()
	w.checkIndex()
	for i, key := range keys {
		w.do(get(key)).want(fmt.Sprintf("200 %d/20", i))
		s := w.session(key)
		if got := string(s.key()); got != key || !s.is([]byte(key)) || s.is([]byte(key+"x")) || s.is([]byte(key)[1:]) {
			t.Fatalf("%q takes itself for %q", key, got)
		}
		if got, want := w.e.hashOf(s), w.e.Hash([]byte(key)); got != want {
			t.Fatalf("hash of %q: %x, want %x", key, got, want)
		}
	}
	w.empty()
}

// TestShards: every hash has a shard, and they are used alike.
func TestShards(t *testing.T) {
	var used [numShards]int
	const each = 100
	for i := range uint64(numShards * each) {
		used[shardOf(xxhash.Sum64(binary.LittleEndian.AppendUint64(nil, i)))]++
	}
	for shard, n := range used {
		if n < each/2 || n > each*2 {
			t.Errorf("shard %d has %d of %d", shard, n, each)
		}
	}
	if at := shardOf(^uint64(0)); at != numShards-1 {
		t.Errorf("the last hash is in shard %d", at)
	}
}
