package snapshot

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// secrets are the two ways in which a file can be written.
var secrets = map[string][]byte{"plain": nil, "encrypted": testSecret}

// TestRoundTrip: what was written is read, in one order, whatever the sizes.
func TestRoundTrip(t *testing.T) {
	for name, secret := range secrets {
		t.Run(name, func(t *testing.T) {
			r := random(t)
			for _, size := range []struct{ sessions, body int }{{0, 1}, {1, 1}, {3, 100}, {3000, 1000}, {40, 200 << 10}, {3, 3 << 20}} {
				all := make([]engine.Parcel, size.sessions)
				for i := range all {
					all[i] = randomParcel(r, i, size.body)
				}
				file := write(t, all, secret)
				got, reader, err := read(file, secret)
				if err != nil {
					t.Fatalf("%+v: %v", size, err)
				}
				want := testHeader
				want.Encrypted, want.length = secret != nil, reader.Header().length
				if h := reader.Header(); h != want {
					t.Errorf("header %+v, want %+v", h, want)
				}
				if sortLarge(got, all); !same(got, all) {
					t.Errorf("%+v: not the same sessions", size)
				}
			}
		})
	}
}

// sortLarge brings both into one order: within what is written at a time, large ones come last.
func sortLarge(lists ...[]engine.Parcel) {
	for _, list := range lists {
		byKey := map[string]engine.Parcel{}
		var keys []string
		for _, p := range list {
			byKey[p.Key] = p
			keys = append(keys, p.Key)
		}
		slices.Sort(keys)
		for i, k := range keys {
			list[i] = byKey[k]
		}
	}
}

// TestSizes: bodies at each bound of a frame.
func TestSizes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, largeBody - 1, largeBody, partLen - 1, partLen, partLen + 1, 2 * partLen, 2*partLen + 1} {
		p := randomParcel(r, n, 1)
		p.Body = bytes.Repeat([]byte{byte(n)}, n)
		p.Key = strings.Repeat("k", maxKey)
		all := []engine.Parcel{p, p, p, p}
		for name, secret := range secrets {
			if got, _, err := read(write(t, all, secret), secret); err != nil || !same(got, all) {
				t.Errorf("%s: a body of %d bytes: %v", name, n, err)
			}
		}
	}
}

// small is a file of a few frames, with a large record among them.
func small(t *testing.T, secret []byte) (file []byte, all []engine.Parcel) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	var out bytes.Buffer
	w, err := NewWriter(&out, &testHeader, secret)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		p := randomParcel(r, i, 20)
		if i == 5 {
			p.Body = bytes.Repeat([]byte("large "), 15000)
		}
		all = append(all, p)
		w.Take(p, true)
		if err := w.Spill(); err != nil {
			t.Fatal(err)
		}
		if i%3 == 2 {
			w.writeRecords()
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), all
}

// TestCutAnywhere: all whole frames before the end are read, and the rest is described.
func TestCutAnywhere(t *testing.T) {
	for name, secret := range secrets {
		t.Run(name, func(t *testing.T) {
			file, all := small(t, secret)
			loaded := 0
			for n := range file {
				if n > 2000 && n < len(file)-2000 && n%997 != 0 {
					continue // inside the large body one byte is like another
				}
				got, _, err := read(file[:n], secret)
				d, ok := errors.AsType[*Damage](err)
				if !ok || !d.Cut && n > 0 || d.Size != int64(n) || d.Offset+d.Unread != d.Size || d.Sessions != int64(len(got)) || !same(got, all[:len(got)]) {
					t.Fatalf("cut at %d: %v, %d sessions", n, err, len(got))
				}
				if len(got) < loaded {
					t.Fatalf("cut at %d: %d sessions, but %d if cut earlier", n, len(got), loaded)
				}
				loaded = len(got)
			}
			if loaded != len(all) {
				t.Errorf("%d of %d sessions were read without the last byte", loaded, len(all))
			}
			if _, _, err := read(append(bytes.Clone(file), 0), secret); !damaged(err) {
				t.Errorf("with a byte behind it: %v", err)
			}
		})
	}
}

func damaged(err error) bool {
	_, ok := errors.AsType[*Damage](err)
	return ok
}

// TestFlippedBits: no changed byte goes unnoticed, and what is read before it, and behind it, is right.
func TestFlippedBits(t *testing.T) {
	step := 1
	if raceEnabled {
		step = 7 // another bit each time
	}
	for name, secret := range secrets {
		t.Run(name, func(t *testing.T) {
			file, all := small(t, secret)
			for n := 0; n < len(file); n += step {
				if n > 2000 && n < len(file)-2000 && n%997 != 0 {
					continue
				}
				broken := bytes.Clone(file)
				broken[n] ^= 1 << (n % 8)
				got, r, err := read(broken, secret)
				if err == nil || !within(got, all) {
					t.Fatalf("byte %d: %v, %d sessions", n, err, len(got))
				}
				d, ok := errors.AsType[*Damage](err)
				if !ok {
					if n >= 12 {
						t.Fatalf("byte %d: %v", n, err)
					}
					continue
				}
				if int64(n) < d.Offset {
					t.Fatalf("byte %d: told to be damaged at %d", n, d.Offset)
				}
				if r != nil && n < len(file)-r.EndLen() {
					if total, ok := r.End(bytes.Clone(broken[len(broken)-r.EndLen():])); !ok || total != int64(len(all)) {
						t.Fatalf("byte %d: the end says %d, %v", n, total, ok)
					}
				}
			}
		})
	}
}

// within reports whether all of some sessions are among those of a file, in their order.
func within(some, all []engine.Parcel) bool {
	for _, p := range all {
		if len(some) > 0 && reflect.DeepEqual(some[0], p) {
			some = some[1:]
		}
	}
	return len(some) == 0
}

// TestDamageIsSmall: one changed byte costs the sessions of one frame, whatever comes behind it, and a large session only itself; a half file has the sessions of its half.
func TestDamageIsSmall(t *testing.T) {
	const sessions = 100
	r := random(t)
	var all []engine.Parcel
	for i := range sessions {
		p := randomParcel(r, i, 1)
		p.Body = bytes.Repeat([]byte{byte(i)}, 140)
		if i == sessions/2 {
			p.Body = bytes.Repeat([]byte("large"), partLen)
		}
		all = append(all, p)
	}
	for name, secret := range secrets {
		t.Run(name, func(t *testing.T) {
			file := write(t, all, secret)
			frames := split(file)
			most := (fullFrame+300)/(recordHead+140) + 1 // in one frame
			at := len(frames[0])
			for i, f := range frames[1 : len(frames)-1] {
				broken := bytes.Clone(file)
				broken[at+frameHead+i%10] ^= 1
				got, reader, err := read(broken, secret)
				d, ok := errors.AsType[*Damage](err)
				if !ok || !within(got, all) || d.Offset > int64(at) || d.Sessions != int64(len(got)) || len(got) < sessions-most {
					t.Fatalf("frame %d: %d sessions, %v", i, len(got), err)
				}
				if f[12] == kindRecords && (d.Unread != int64(len(f)) || d.Offset != int64(at)) || d.Unread < int64(len(f)) {
					t.Errorf("frame %d of %d bytes: %+v", i, len(f), d)
				}
				if total, ok := reader.End(broken[len(broken)-reader.EndLen():]); !ok || total != sessions {
					t.Errorf("frame %d: the end says %d, %v", i, total, ok)
				}
				at += len(f)
			}
			large := slices.IndexFunc(frames, func(f []byte) bool { return f[12] == kindLarge })
			half := file[:len(bytes.Join(frames[:large], nil))]
			if got, _, err := read(half[:len(half)/2+fullFrame/2], secret); !damaged(err) || len(got) < sessions/4-most || !same(got, all[:len(got)]) {
				t.Errorf("of half the small sessions %d: %v", len(got), err)
			}
		})
	}
}

// TestFramesInOrder: frames that are dropped, swapped or repeated are noticed, as are those of another file.
func TestFramesInOrder(t *testing.T) {
	for name, secret := range secrets {
		t.Run(name, func(t *testing.T) {
			file, all := small(t, secret)
			frames := split(file)
			other := testHeader
			other.Salt[3]++
			head, _, err := makeHeader(&other, secret)
			if err != nil {
				t.Fatal(err)
			}
			swapped := append([][]byte{}, frames...)
			swapped[1], swapped[2] = swapped[2], swapped[1]
			for what, parts := range map[string][][]byte{
				"dropped":  append(append([][]byte{}, frames[:2]...), frames[3:]...),
				"swapped":  swapped,
				"repeated": append(append([][]byte{}, frames[:2]...), frames[1:]...),
				"no end":   frames[:len(frames)-1],
			} {
				got, _, err := read(bytes.Join(parts, nil), secret)
				if !damaged(err) || !within(got, all) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if secret != nil {
				frames[0] = head
				if got, _, err := read(bytes.Join(frames, nil), secret); !damaged(err) || len(got) > 0 {
					t.Errorf("under the header of another file: %v", err)
				}
			}
		})
	}
}

// split cuts a file into its header and its frames.
func split(file []byte) (parts [][]byte) {
	n := int(file[12]) | int(file[13])<<8
	for {
		parts = append(parts, file[:n])
		if file = file[n:]; len(file) == 0 {
			return parts
		}
		n = frameHead + int(uint32(file[8])|uint32(file[9])<<8|uint32(file[10])<<16|uint32(file[11])<<24)
	}
}

// TestKeys: each way in which file and key do not fit is told apart.
func TestKeys(t *testing.T) {
	plain, _ := small(t, nil)
	sealed, _ := small(t, testSecret)
	if bytes.Contains(sealed, []byte("large large")) || bytes.Contains(sealed, []byte("W3SVC")) {
		t.Error("the encrypted file can be read")
	}
	for _, c := range []struct {
		file, secret []byte
		want         error
	}{
		{plain, testSecret, ErrPlain}, {sealed, nil, ErrNoKey}, {sealed, []byte("another secret, as long"), ErrWrongKey},
		{[]byte("PK\x03\x04 and so on, and on, and on"), nil, ErrForeign}, {[]byte("P"), nil, ErrForeign},
	} {
		if _, _, err := read(c.file, c.secret); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
	newer := bytes.Clone(plain)
	newer[8] = Version + 1
	_, _, err := read(newer, nil)
	if v, ok := errors.AsType[*VersionError](err); !ok || v.Version != Version+1 || !strings.Contains(err.Error(), fmt.Sprintf("has version %d of the format, and this program reads version", Version+1)) {
		t.Error(err)
	}
}

// TestFailingWriter: the first error stays.
func TestFailingWriter(t *testing.T) {
	full := errors.New("no space left")
	if _, err := NewWriter(&limited{0, full}, &testHeader, nil); !errors.Is(err, full) {
		t.Error(err)
	}
	w, err := NewWriter(&limited{300 << 10, full}, &testHeader, testSecret)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 1000 {
		w.Take(randomParcel(r, i, 1000), false)
		if err = w.Spill(); err != nil {
			break
		}
	}
	if _, again := w.Close(); !errors.Is(err, full) || !errors.Is(again, full) || w.Written() != 300<<10 {
		t.Errorf("%v, then %v, after %d bytes", err, again, w.Written())
	}
	if _, err := NewWriter(new(bytes.Buffer), &Header{Farm: strings.Repeat("x", 256)}, nil); err == nil {
		t.Error("a name that is too long is accepted")
	}
}

type limited struct {
	left int
	err  error
}

func (l *limited) Write(b []byte) (int, error) {
	n := min(len(b), l.left)
	l.left -= n
	if n < len(b) {
		return n, l.err
	}
	return n, nil
}

// TestFailingReader: a fault of the disk is told as one.
func TestFailingReader(t *testing.T) {
	file, all := small(t, nil)
	fault := errors.New("input/output error")
	for _, n := range []int{0, 5, 40, 300, len(file) - 50} {
		r, err := NewReader(&faulty{bytes.NewReader(file[:n]), fault}, int64(len(file)), nil)
		got := 0
		for err == nil {
			if _, err = r.Next(); err == nil {
				got++
			}
		}
		if !errors.Is(err, fault) || got > len(all) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	r, err := NewReader(iotest.OneByteReader(bytes.NewReader(file)), int64(len(file)), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range all {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
}

type faulty struct {
	r   *bytes.Reader
	err error
}

func (f *faulty) Read(b []byte) (int, error) {
	if f.r.Len() == 0 {
		return 0, f.err
	}
	return f.r.Read(b)
}

// TestMemory: what a file claims takes no memory that the file has not.
func TestMemory(t *testing.T) {
	p := engine.Parcel{Key: "k", Body: []byte("x"), Cookie: 1}
	head, _, err := makeHeader(&testHeader, nil)
	if err != nil {
		t.Fatal(err)
	}
	record := appendRecordHead(make([]byte, frameHead), &p)
	record[frameHead+8+3] = 0x3f // a body of almost 1 GiB
	claim := append(bytes.Clone(head), finishFrame(record, 0, kindLarge, nil)...)
	long := append(bytes.Clone(head), bytes.Repeat([]byte{0xff}, 30)...)
	for name, file := range map[string][]byte{"large": claim, "frame": long} {
		got := testing.AllocsPerRun(10, func() {
			if _, _, err := read(file, nil); !damaged(err) {
				t.Errorf("%s: %v", name, err)
			}
		})
		bytes := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = read(file, nil)
			}
		}).AllocedBytesPerOp()
		if got > 20 || bytes > 4<<10 {
			t.Errorf("%s: a file of %d bytes takes %d bytes in %v pieces", name, len(file), bytes, got)
		}
	}
}

// TestBadRecords: a record that no Writer has written ends the reading, even if its frame is whole.
func TestBadRecords(t *testing.T) {
	good := engine.Parcel{Key: "key", Body: []byte("body"), Minutes: 20, Left: 5, Cookie: 2}
	for name, spoil := range map[string]func(b []byte) []byte{
		"flags":       func(b []byte) []byte { b[0] = 8; return b },
		"zero":        func(b []byte) []byte { b[1] = 1; return b },
		"skip":        func(b []byte) []byte { b[2] = 1; return b },
		"no key":      func(b []byte) []byte { b[4] = 0; return b },
		"long key":    func(b []byte) []byte { b[4] = 8; return b },
		"endless key": func(b []byte) []byte { b[7] = 0xff; return b },
		"no body":     func(b []byte) []byte { b[8] = 0; return b },
		"long body":   func(b []byte) []byte { b[8] = 5; return b },
		"minutes":     func(b []byte) []byte { b[15] = 1; return b },
		"cookie 0":    func(b []byte) []byte { b[24] = 0; return b },
		"cookie":      func(b []byte) []byte { b[27] = 0x80; return b },
		"left":        func(b []byte) []byte { b[35] = 0x80; return b },
		"age":         func(b []byte) []byte { b[36] = 1; return b },
		"short":       func(b []byte) []byte { return b[:43] },
		"short body":  func(b []byte) []byte { return b[:len(b)-1] },
		"rest":        func(b []byte) []byte { return append(b, 0) },
	} {
		head, _, err := makeHeader(&testHeader, nil)
		if err != nil {
			t.Fatal(err)
		}
		record := spoil(append(appendRecordHead(nil, &good), good.Body...))
		frame := finishFrame(append(make([]byte, frameHead), record...), 0, kindRecords, nil)
		if got, _, err := read(append(head, frame...), nil); !damaged(err) || len(got) > 1 {
			t.Errorf("%s: %v, %d sessions", name, err, len(got))
		}
	}
}

// TestResume: lives go on, and no cookie is given out twice.
func TestResume(t *testing.T) {
	const min = int64(time.Minute)
	for _, c := range []struct {
		name    string
		in      engine.Parcel
		elapsed time.Duration
		want    engine.Parcel
		alive   bool
	}{
		{"alive", engine.Parcel{Minutes: 20, Left: 10 * min, Cookie: 5}, 3 * time.Minute, engine.Parcel{Minutes: 20, Left: 7 * min, Cookie: 5 + cookieJump}, true},
		{"expired", engine.Parcel{Minutes: 20, Left: 10 * min, Cookie: 5}, 10 * time.Minute, engine.Parcel{}, false},
		{"for ever", engine.Parcel{Cookie: 5}, 1 << 62, engine.Parcel{Cookie: 5 + cookieJump}, true},
		{"the clock went back", engine.Parcel{Minutes: 20, Left: 10 * min, Cookie: 5}, -time.Hour, engine.Parcel{Minutes: 20, Left: 10 * min, Cookie: 5 + cookieJump}, true},
		{"used since", engine.Parcel{Minutes: 20, Left: 25 * min, Cookie: 5}, time.Minute, engine.Parcel{Minutes: 20, Left: 19 * min, Cookie: 5 + cookieJump}, true},
		{"locked", engine.Parcel{Cookie: 5, Locked: true, LockAge: min}, time.Minute, engine.Parcel{Cookie: 5, Locked: true, LockAge: 2 * min, Skip: cookieJump}, true},
		{"locked for ever", engine.Parcel{Cookie: 5, Locked: true, LockAge: maxSpan}, 1<<63 - 1, engine.Parcel{Cookie: 5, Locked: true, LockAge: maxSpan, Skip: cookieJump}, true},
		{"the last cookie", engine.Parcel{Cookie: maxCookie}, 0, engine.Parcel{Cookie: maxCookie}, true},
	} {
		p := c.in
		if alive := Resume(&p, c.elapsed); alive != c.alive || alive && !reflect.DeepEqual(p, c.want) {
			t.Errorf("%s: %+v, %v", c.name, p, alive)
		}
	}
}

// TestParcelFields: a field that engine.Parcel gets has to be written, too, or be listed here.
func TestParcelFields(t *testing.T) {
	known := "Key Literal Body Reserved Minutes Left Gen Version Uninitialized Cookie Skip Locked LockAge"
	var fields []string
	for f := range reflect.TypeFor[engine.Parcel]().Fields() {
		fields = append(fields, f.Name)
	}
	if got := strings.Join(fields, " "); got != known {
		t.Errorf("engine.Parcel has the fields %s; a new one needs a place in the record, and with it a new version (see the package's documentation)", got)
	}
}

var update = flag.Bool("update", false, "write the golden file of the present version")

// TestGolden: files of this version and the one before can be read, for ever as they were written.
func TestGolden(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var want []engine.Parcel
	for i := range 20 {
		want = append(want, randomParcel(r, i, 60))
	}
	removed := []Removal{{Hash: 1 << 63, Gen: 7, Left: time.Hour}, {Hash: 2, Left: time.Minute}}
	if *update {
		name := fmt.Sprintf("testdata/v%d", Version)
		for kind, secret := range secrets {
			if err := os.WriteFile(name+"-"+kind+".snapshot", writeWith(t, removed, want, secret), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for version := max(1, Version-1); version <= Version; version++ {
		if version < oldest {
			t.Errorf("version %d must be readable", version)
		}
		for kind, secret := range secrets {
			file, err := os.ReadFile(fmt.Sprintf("testdata/v%d-%s.snapshot", version, kind))
			if err != nil {
				t.Fatal(err)
			}
			got, reader, err := read(file, secret)
			if err != nil || !same(got, want) {
				t.Errorf("version %d, %s: %v", version, kind, err)
			} else if h := reader.Header(); h.Written != testHeader.Written || h.Node != testHeader.Node || h.Farm != testHeader.Farm || h.Program != testHeader.Program {
				t.Errorf("version %d, %s: header %+v", version, kind, h)
			}
			if version == Version && !bytes.Equal(file, writeWith(t, removed, want, secret)) {
				t.Errorf("version %d, %s: the same sessions are written differently now; that needs a new version", version, kind)
			}
		}
	}
}
