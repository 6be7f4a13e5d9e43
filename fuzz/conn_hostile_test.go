package fuzz

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/farmstate/farmstate/engine"
)

var (
	hostileSeed  = flag.Uint64("hostile.seed", 0, "TestHostile: the seed of its inputs; 0 takes a new one, which is printed")
	hostileInput = flag.Int("hostile.input", -1, "TestHostile: play this input alone; needs the seed")
)

// hostileInputs is how many connections and their inputs TestHostile has, for all transports together.
const hostileInputs = 100_000

// TestHostile lets clients loose on a server that mean no good, or that are broken: random bytes, damaged, cut off and joined requests, sizes that are not
// kept, answers that nobody reads, connections that end anyhow. All the while honest clients work with sessions of their own and see nothing of it;
// and afterwards no goroutine, no descriptor and no byte of the memory account is left.
func TestHostile(t *testing.T) {
	seed := *hostileSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -hostile.seed=%d", seed)
	inputs := hostileInputs
	if testing.Short() || raceEnabled {
		inputs /= 10
	}
	for i, transport := range connTransports {
		t.Run(transport, func(t *testing.T) {
			nobodyElse, before := goleak.IgnoreCurrent(), descriptors(t)
			s := startConn(t, transport, engine.Options{MaxMemory: 64 << 20, LockWait: time.Millisecond})
			if s == nil {
				t.Skip("not on this system")
			}
			n := inputs / len(connTransports)
			letLoose(t, s, seed, i*n, (i+1)*n)
			s.honest.close()
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			if err := goleak.Find(nobodyElse); err != nil {
				t.Error(err)
			}
			if n := descriptors(t); n > before {
				t.Errorf("%d descriptors are open, %d were before", n, before)
			}
		})
	}
}

// letLoose plays the inputs from first to before last, many at a time, next to honest clients.
func letLoose(t *testing.T, s *connServer, seed uint64, first, last int) {
	const hostile, honest = 16, 2
	var working, attacking sync.WaitGroup
	var over atomic.Bool
	var pages atomic.Int64
	for i := range honest {
		c, err := s.dial(1)
		if err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprint(s.key, i)
		working.Go(func() {
			defer c.close()
			was := []byte("0")
			err := c.save(key, was)
			for n := 1; err == nil && !over.Load(); n++ {
				becomes := fmt.Appendf(nil, "%0*d", 1+n%3000, n)
				err = c.page(key, was, becomes)
				was = becomes
				pages.Add(1)
			}
			if err := errors.Join(err, c.remove(key)); err != nil {
				t.Errorf("honest client %d: %v", i, err)
			}
		})
	}
	var next atomic.Int64
	next.Store(int64(first))
	keys := make([]map[string]struct{}, hostile)
	for w := range hostile {
		keys[w] = map[string]struct{}{}
		attacking.Go(func() {
			for i := int(next.Add(1) - 1); i < last && !t.Failed(); i = int(next.Add(1) - 1) {
				if *hostileInput >= 0 && i != *hostileInput {
					continue
				}
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				in := hostileBytes(r)
				if err := attack(s, r, in, byte(2+w), keys[w]); err != nil {
					t.Errorf("-hostile.seed=%d -hostile.input=%d: %v\nof %d bytes: %q", seed, i, err, len(in), in[:min(len(in), 2000)])
				}
			}
		})
	}
	attacking.Wait()
	over.Store(true)
	working.Wait()
	if t.Failed() {
		return
	}
	s.alone(t)
	all := map[string]struct{}{}
	for _, k := range keys {
		maps.Copy(all, k)
	}
	s.forget(t, all)
	t.Logf("%d pages of honest clients", pages.Load())
}

// attack plays one input on a connection of its own, from the loopback address with this number. It adds the keys that may have been stored.
func attack(s *connServer, r *rand.Rand, in []byte, from byte, keys map[string]struct{}) error {
	c, err := s.dial(from)
	if err != nil {
		return err
	}
	defer c.reset()
	want := readStream(in)
	maps.Copy(keys, want.keys)
	var sent error
	for rest := in; len(rest) > 0 && sent == nil; {
		n := len(rest)
		if r.IntN(4) == 0 {
			n = 1 + r.IntN(n)
		}
		_, sent = c.nc.Write(rest[:n])
		rest = rest[n:]
	}
	gone := errors.Is(sent, syscall.EPIPE) || errors.Is(sent, syscall.ECONNRESET)
	if sent != nil && !(gone && want.ends) {
		return sent
	}
	if r.IntN(4) == 0 {
		return nil // without reading
	}
	for i := range want.answers {
		if _, _, err := c.answer(); err != nil {
			if errors.Is(err, syscall.ECONNRESET) && gone {
				return nil // more than the server reads after a refusal
			}
			return fmt.Errorf("answer %d of %d: %w", i+1, want.answers, err)
		}
	}
	switch {
	case want.ends && r.IntN(8) == 0:
		return c.ended()
	case !want.ends && r.IntN(16) == 0:
		_ = c.nc.CloseWrite()
		return c.ended()
	}
	return nil
}

// hostileBytes makes up an input.
func hostileBytes(r *rand.Rand) []byte {
	heads := append(GoodHeads(), BadHeads()...)
	pick := func() []byte { return []byte(heads[r.IntN(len(heads))]) }
	good := func() []byte { return []byte(heads[r.IntN(len(GoodHeads()))]) }
	switch r.IntN(12) {
	case 0: // noise
		return noise(r, r.IntN(300))
	case 1: // noise behind a beginning that is all right
		return append(good(), noise(r, r.IntN(300))...)
	case 2:
		return pick()
	case 3: // cut off
		b := good()
		return b[:r.IntN(len(b))]
	case 4, 5: // damaged
		b := good()
		for range 1 + r.IntN(4) {
			b = damage(r, b)
		}
		return b
	case 6: // one behind the other
		var b []byte
		for range 1 + r.IntN(20) {
			b = append(b, good()...)
		}
		return b
	case 7: // the same, damaged
		var b []byte
		for range 1 + r.IntN(20) {
			b = append(b, good()...)
		}
		return damage(r, b)
	case 8: // a body of some size, or less than was announced, or more
		n := r.IntN(1 << r.IntN(18))
		b := fmt.Appendf(nil, "PUT /body%d HTTP/1.1\r\nContent-Length: %d\r\n\r\n", r.IntN(50), n)
		return append(b, bytes.Repeat([]byte("GET /"), (n+r.IntN(3)*n/2)/5+r.IntN(2))...)
	case 9: // lengths and numbers around and beyond all bounds
		names := []string{"Content-Length", "Timeout", "LockCookie", "ExtraFlags", "Exclusive", "Connection", "X"}
		values := []string{"-1", "0", "1", "1048575", "1048576", "1048577", "2147483646", "2147483647", "4294967296", "9223372036854775808", "00", "+-1", "acquire", "close", ""}
		b := []byte([]string{"GET", "PUT", "HEAD", "DELETE"}[r.IntN(4)] + " /number" + strconv.Itoa(r.IntN(9)) + " HTTP/1.1\r\n")
		for range r.IntN(5) {
			b = append(b, names[r.IntN(len(names))]+": "+values[r.IntN(len(values))]+"\r\n"...)
		}
		return append(append(b, "\r\n"...), noise(r, r.IntN(100))...)
	case 10: // a header block around the limit
		n := connLimits.MaxHead - 60 + r.IntN(120)
		return []byte("GET /long HTTP/1.1\r\nX: " + strings.Repeat("y", n) + "\r\n\r\n")
	default: // many headers, no end
		return append([]byte("GET /many HTTP/1.1\r\n"), bytes.Repeat([]byte("A: b\r\n"), r.IntN(1000))...)
	}
}

func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// damage changes one thing.
func damage(r *rand.Rand, b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	i, j := r.IntN(len(b)), r.IntN(len(b))
	i, j = min(i, j), max(i, j)
	switch r.IntN(6) {
	case 0:
		b[i] ^= 1 << r.IntN(8)
	case 1:
		b[i] = "\r\n \t:\x00\x7f%+0"[r.IntN(10)]
	case 2: // a piece is missing
		b = append(b[:i:i], b[j:]...)
	case 3: // a piece comes twice
		b = append(b[:j:j], b[i:]...)
	case 4: // a byte too many
		b = append(b[:i:i], append([]byte{byte(r.Uint32())}, b[i:]...)...)
	case 5: // two pieces change places
		b = append(b[j:len(b):len(b)], b[:j]...)
	}
	return b
}

// descriptors is how many descriptors this process has open; 0 where the system does not say.
func descriptors(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
