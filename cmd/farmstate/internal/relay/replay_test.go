package relay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// record returns the name of a recording of a dialogue with a new server.
func record(t *testing.T, dialogue func(dial func() *testClient)) string {
	t.Helper()
	name, rec := recording(t)
	r := start(t, Options{Recorder: rec}, serve(t, "127.0.0.1:0").addr)
	dialogue(func() *testClient { return dial(t, r.addr) })
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	return name
}

// pages is what two web servers say: one has a lock, the other one waits for it.
func pages(dial func() *testClient) {
	a, b := dial(), dial()
	a.ask(put(plainID, "first"))
	a.ask(acquire(plainID))
	b.ask(acquire(plainID)) // refused in the end
	b.send(acquire(plainID))
	a.ask(put(plainID, "second", "LockCookie: 2\r\n"))
	b.reply()
	b.ask(release(plainID, 3))
	a.ask(release(plainID, 17))
	a.ask(get(plainID))
}

// TestReplaySame: on a new server nothing differs, but for dates to the last byte.
func TestReplaySame(t *testing.T) {
	t.Parallel()
	name := record(t, pages)
	if result, all := replay(t, name, serve(t, "127.0.0.1:0").addr, ReplayOptions{}); result != (ReplayResult{Same: 8}) {
		t.Errorf("%+v\n%+v", result, all)
	}
	result, all := replay(t, name, serve(t, "127.0.0.1:0").addr, ReplayOptions{Strict: true})
	if result.Different != 1 || result.Same != 7 || len(all) != 1 || all[0].Operation != "acquire" || all[0].Fields[0].Name != "head" {
		t.Errorf("%+v\n%+v", result, all)
	}
}

// TestReplayOverlap: requests that overlap on one session are sent a little apart, so that the server sees them in the recorded order.
func TestReplayOverlap(t *testing.T) {
	t.Parallel()
	name, rec := recording(t)
	r := start(t, Options{Recorder: rec}, serve(t, "127.0.0.1:0").addr)
	a, b := dial(t, r.addr), dial(t, r.addr)
	a.ask(put(plainID, "first"))
	a.ask(acquire(plainID))
	b.send(acquire(plainID))
	eventually(t, "the second acquire waits", func() bool { return r.exchanges.Load() == 3 })
	a.ask(release(plainID, 2))
	b.reply()
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "127.0.0.1:0")
	began := time.Now()
	result, all := replay(t, name, s.addr, ReplayOptions{})
	if took := time.Since(began); result != (ReplayResult{Same: 4}) || took < settle {
		t.Errorf("%+v after %s\n%+v", result, took, all)
	}
}

// TestReplayCookies: a server that counts locks from somewhere else is the same.
func TestReplayCookies(t *testing.T) {
	t.Parallel()
	name := record(t, pages)
	s := serve(t, "127.0.0.1:0")
	c := dial(t, s.addr)
	c.ask(put(plainID, "zero"))
	for cookie := 2; cookie < 7; cookie++ {
		c.ask(acquire(plainID))
		c.ask(release(plainID, cookie))
	}
	if result, all := replay(t, name, s.addr, ReplayOptions{}); result != (ReplayResult{Same: 8}) {
		t.Errorf("%+v\n%+v", result, all)
	}
}

// TestReplayPresent: a server that has the sessions already is told of, once and with the first answer that shows it; and the replay ends at its bound.
func TestReplayPresent(t *testing.T) {
	t.Parallel()
	name := record(t, func(dial func() *testClient) {
		c := dial()
		for range 3 {
			c.ask(get(plainID))
		}
		c.ask(put(plainID, "first"))
		c.ask(get("another1"))
	})
	s := serve(t, "127.0.0.1:0")
	present, looks := 0, 0
	opt := ReplayOptions{MaxDifferences: 2, Present: func() { present++ }, Progress: func(ReplayResult) { looks++ }}
	if result, all := replay(t, name, s.addr, opt); result != (ReplayResult{Same: 5}) || present != 0 || looks < 5 {
		t.Fatalf("%+v, told %d times, %d looks\n%+v", result, present, looks, all)
	}
	result, all := replay(t, name, s.addr, opt)
	if result.Different != 2 || !result.Stopped || len(all) != 2 || present != 1 {
		t.Errorf("%+v, told %d times\n%+v", result, present, all)
	}
	locked := serve(t, "127.0.0.1:0")
	c := dial(t, locked.addr)
	c.ask(put(plainID, "mine"))
	c.ask(acquire(plainID))
	present = 0
	if result, all := replay(t, record(t, func(dial func() *testClient) { dial().ask(put(plainID, "first")) }), locked.addr, opt); result.Different != 1 || present != 1 {
		t.Errorf("locked: %+v, told %d times\n%+v", result, present, all)
	}
}

// TestReplayDifferent: what differs is told, and what belongs to users is not.
func TestReplayDifferent(t *testing.T) {
	t.Parallel()
	name := record(t, func(dial func() *testClient) {
		c := dial()
		c.ask(get(plainID))
		c.ask(put(plainID, "secret"))
		c.ask(get("another1"))
		c.ask(acquire(plainID))
	})
	s := serve(t, "127.0.0.1:0")
	c := dial(t, s.addr)
	c.ask(strings.Replace(put("another1", "other"), "Timeout: 20", "Timeout: 9", 1))
	c.ask(put(plainID, "mine"))
	result, all := replay(t, name, s.addr, ReplayOptions{})
	if result.Same != 2 || result.Different != 2 || len(all) != 2 {
		t.Fatalf("%+v\n%+v", result, all)
	}
	first, second := all[0], all[1]
	if first.Exchange != 1 || first.Operation != "GET" || first.Session != "/LM/W3SVC/1/ROOT(aGFzaA==)/z445nn…" ||
		first.Fields[0] != (Field{"status", "404 Not Found", "200 OK"}) || !strings.HasPrefix(first.Fields[1].Live, "4 bytes, SHA-256 ") {
		t.Errorf("%+v", first)
	}
	if second.Exchange != 3 || second.Session != "/LM/W3SVC/1/ROOT(aGFzaA==)/anothe…" || len(second.Fields) != 2 {
		t.Errorf("%+v", second)
	}
}

// TestReplayLost: a server that ends a connection, or says nothing, is told of once for each answer.
func TestReplayLost(t *testing.T) {
	t.Parallel()
	name := record(t, func(dial func() *testClient) {
		c := dial()
		c.ask(get(plainID))
		c.ask(get(plainID))
	})
	addr, conn := oneServer(t)
	go func() {
		c := conn()
		_, _ = c.Read(make([]byte, 1000))
		_ = c.Close()
	}()
	result, all := replay(t, name, addr, ReplayOptions{})
	if result.Different != 2 || !strings.HasPrefix(all[0].Fields[0].Live, "none: ") {
		t.Errorf("%+v\n%+v", result, all)
	}
	addr, _ = oneServer(t)
	result, all = replay(t, name, addr, ReplayOptions{Timeout: 50 * time.Millisecond})
	if result.Different != 2 || all[0].Fields[0].Live != "none: nothing came within 50ms" {
		t.Errorf("%+v\n%+v", result, all)
	}
}

// TestReplayNonsense: bytes that are not the protocol are played as well, and the server's end is compared.
func TestReplayNonsense(t *testing.T) {
	t.Parallel()
	name := record(t, func(dial func() *testClient) {
		c := dial()
		c.ask("NONSENSE\r\n\r\n")
		_, _ = io.ReadAll(c.in)
	})
	if result, all := replay(t, name, serve(t, "127.0.0.1:0").addr, ReplayOptions{}); result != (ReplayResult{Same: 1}) {
		t.Errorf("%+v\n%+v", result, all)
	}
	addr, conn := oneServer(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := conn()
		_, _ = c.Read(make([]byte, 1000))
		_, _ = io.WriteString(c, "400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, c)
	}()
	result, all := replay(t, name, addr, ReplayOptions{Timeout: 50 * time.Millisecond})
	if result.Same != 1 || result.Different != 1 || all[0].Fields[0] != (Field{"connection", "closed by the server", "still open after 50ms"}) {
		t.Errorf("%+v\n%+v", result, all)
	}
	<-done
}

// TestDamaged: a line that was altered, lost or moved is noticed, and one that is missing at the end is no damage.
func TestDamaged(t *testing.T) {
	t.Parallel()
	name := record(t, pages)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := Create(name, time.Now()); err == nil || !strings.Contains(err.Error(), "there is such a file") {
		t.Errorf("a recording was overwritten: %v", err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	lines = lines[:len(lines)-1]
	read := func(lines [][]byte) error {
		rec, err := NewRecording(bytes.NewReader(bytes.Join(lines, nil)))
		for err == nil {
			_, err = rec.next()
		}
		return err
	}
	swap := func(i, j int) [][]byte {
		out := append([][]byte(nil), lines...)
		out[i], out[j] = out[j], out[i]
		return out
	}
	altered := append([][]byte(nil), lines...)
	altered[4] = bytes.Replace(altered[4], []byte(`"connection":1`), []byte(`"connection":2`), 1)
	for _, v := range []struct {
		what  string
		lines [][]byte
		want  string
	}{
		{"whole", lines, "EOF"},
		{"the last line is missing", lines[:len(lines)-1], ErrCutOff.Error()},
		{"half a line is missing", append(append([][]byte(nil), lines[:5]...), lines[5][:9]), ErrCutOff.Error()},
		{"a line is missing", append(append([][]byte(nil), lines[:5]...), lines[6:]...), "line 6 is damaged"},
		{"two have changed places", swap(5, 6), "line 6 is damaged"},
		{"one was altered", altered, "line 5 is damaged"},
		{"the first is missing", lines[1:], "this is no recording"},
		{"nothing", nil, "this is no recording"},
	} {
		if err := read(v.lines); err == nil || !strings.HasPrefix(err.Error(), v.want) {
			t.Errorf("%s: %v, want %s", v.what, err, v.want)
		}
	}
	newer, _ := appendLine(nil, &line{Version: recordingVersion + 1}, 0)
	if _, err := NewRecording(bytes.NewReader(newer)); err == nil || !strings.Contains(err.Error(), "has version 2, and this program reads 1") {
		t.Errorf("%v", err)
	}
}

// full is a disk that is full after some bytes.
type full struct{ left int }

var errFull = errors.New("the disk is full")

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func (f *full) Close() error { return nil }

// TestFullDisk: a recording with gaps is worth nothing, so that the relay ends.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	rec := newRecorder(&full{left: 1000}, time.Now())
	s := serve(t, "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := New(Options{Targets: []string{s.addr}, Recorder: rec})
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx, l, func() {}) }()
	c := dial(t, l.Addr().String())
	for range 1000 {
		c.t = t
		if _, err := io.WriteString(c, get(plainID)); err != nil {
			break
		}
		if head, _ := c.reply(); head == "" {
			break
		}
	}
	select {
	case err := <-ended:
		if !errors.Is(err, errFull) {
			t.Errorf("%v", err)
		}
	case <-time.After(patience):
		t.Fatal("the relay does not end")
	}
}

// FuzzRecording: no file makes the reader panic, and what it accepts it would write again.
func FuzzRecording(f *testing.F) {
	first, s := appendLine(nil, &line{Version: recordingVersion}, 0)
	second, s2 := appendLine(nil, &line{Kind: kindHead, Conn: 1, Exchange: 1, Head: "GET \u00e4 HTTP/1.1\r\n\r\n"}, s)
	third, _ := appendLine(nil, &line{Kind: kindStop}, s2)
	f.Add(first)
	f.Add(append(append(append([]byte(nil), first...), second...), third...))
	f.Add([]byte(`{"farmstate_recording":1,"sum":"0000000000000000"}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rec, err := NewRecording(bytes.NewReader(text))
		for n := 0; err == nil; n++ {
			var e *recorded
			if e, err = rec.next(); err != nil {
				break
			}
			if e.conn < 1 || n > len(text) {
				t.Fatalf("%+v", e)
			}
		}
		// The checksum keeps most inputs out; the line itself is read without it.
		l, _, err := parseLine(append(append([]byte(nil), text...), sumOf(text)...), 0)
		if err != nil {
			return
		}
		if _, err := l.event(); err != nil {
			return
		}
		again, _ := appendLine(nil, l, 0)
		if _, _, err := parseLine(again[:len(again)-1], 0); err != nil {
			t.Errorf("%q became %q: %v", text, again, err)
		}
	})
}

// TestCookies: one recorded cookie is one live cookie, for ever.
func TestCookies(t *testing.T) {
	c := (&player{cookies: map[string]*cookies{}}).cookiesOf("key")
	for _, v := range []struct {
		recorded, live uint32
		same           bool
	}{{2, 7, true}, {2, 7, true}, {2, 8, false}, {3, 7, false}, {3, 8, true}, {7, 2, true}, {2, 7, true}} {
		if same := c.same(v.recorded, v.live); same != v.same {
			t.Errorf("%+v: %t", v, same)
		}
	}
}
