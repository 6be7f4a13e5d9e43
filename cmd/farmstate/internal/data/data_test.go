package data

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/snapshot"
)

var (
	written = time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	header  = snapshot.Header{Written: written, Program: "farmstate test", Salt: [32]byte{1}}
	secret  = []byte("a secret that is long enough")
)

func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// sessions fills a snapshot.
func sessions(all ...engine.Parcel) func(*snapshot.Writer) error {
	return func(w *snapshot.Writer) error {
		for _, p := range all {
			w.Take(p, true)
			if err := w.Spill(); err != nil {
				return err
			}
		}
		return nil
	}
}

func write(t *testing.T, d *Dir, secret []byte, all ...engine.Parcel) {
	t.Helper()
	totals, err := d.Write(&header, secret, sessions(all...))
	if err != nil || totals.Sessions != int64(len(all)) {
		t.Fatal(totals, err)
	}
}

// load returns the keys that are read so long after the snapshot was written.
func load(t *testing.T, d *Dir, after time.Duration, secret []byte) (keys string, x Loaded) {
	t.Helper()
	x, ok, err := d.Load(written.Add(after), secret, nil, func(h *snapshot.Header, p engine.Parcel) bool {
		if h.Program != header.Program {
			t.Errorf("header %+v", h)
		}
		keys += p.Key
		return p.Key != "x"
	})
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	return keys, x
}

func session(key string, left time.Duration) engine.Parcel {
	return engine.Parcel{Key: key, Body: []byte("body of " + key), Cookie: 1, Minutes: 20, Left: int64(left)}
}

func names(t *testing.T, path string) string {
	t.Helper()
	all, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range all {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

// TestWriteLoad: what was written is read by the next process, the sessions whose time is up without.
func TestWriteLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "data")
	d := open(t, path)
	if _, ok, err := d.Load(written, nil, nil, nil); ok || err != nil {
		t.Fatal(ok, err)
	}
	write(t, d, nil, session("a", time.Minute))
	write(t, d, nil, session("a", time.Minute), session("b", 3*time.Minute), session("x", 3*time.Minute))
	for after, want := range map[time.Duration]string{0: "abx", -time.Hour: "abx", time.Minute: "bx", time.Hour: ""} {
		if keys, x := load(t, d, after, nil); keys != want || x.Sessions+x.Expired+x.Refused != 3 || (x.Refused == 1) != (want != "") || x.Damage != nil || x.Plain {
			t.Errorf("after %v: %q, %+v", after, keys, x)
		}
	}
	if runtime.GOOS != "windows" {
		for name, mode := range map[string]os.FileMode{path: os.ModeDir | 0o700, filepath.Join(path, fileName): 0o600} {
			if info, err := os.Stat(name); err != nil || info.Mode() != mode {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
	if got := names(t, path); got != "farmstate-sessions.snapshot lock" {
		t.Error(got)
	}
	// There is a session in it that was not taken.
	load(t, d, 0, nil)
	if _, err := d.Remove(); err != nil || names(t, path) != "farmstate-sessions.snapshot.kept lock" {
		t.Error(err, names(t, path))
	}
	write(t, d, nil)
	for _, want := range []bool{true, false} {
		if removed, err := d.Remove(); err != nil || removed != want {
			t.Error(removed, err)
		}
	}
	if got := names(t, path); got != "farmstate-sessions.snapshot.kept lock" {
		t.Error(got)
	}
}

// TestKeptIfWritingFails: the old snapshot stays, and nothing is left of the new one.
func TestKeptIfWritingFails(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	write(t, d, nil, session("a", time.Minute))
	fault := errors.New("fault")
	if _, err := d.Write(&header, nil, func(w *snapshot.Writer) error {
		p := session("b", time.Minute)
		p.Body = make([]byte, 1<<20)
		return errors.Join(sessions(p)(w), fault)
	}); !errors.Is(err, fault) {
		t.Error(err)
	}
	if _, err := d.Write(&snapshot.Header{Farm: strings.Repeat("x", 300)}, nil, sessions()); err == nil {
		t.Error("a bad header is written")
	}
	if keys, _ := load(t, d, 0, nil); keys != "a" || names(t, path) != "farmstate-sessions.snapshot lock" {
		t.Errorf("%q, %s", keys, names(t, path))
	}
}

// TestSecond: a directory is used by one process at a time.
func TestSecond(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	if _, err := Open(path); err == nil || err.Error() != path+": another process uses this directory; each node needs a directory of its own" {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	open(t, path)
}

// TestRefused: what keeps a directory from being used is told at the start.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		file:                         ": this is a file; name a directory",
		filepath.Join(file, "below"): ": this directory cannot be ",
	}
	if runtime.GOOS != "windows" {
		wide := filepath.Join(dir, "wide")
		if err := os.Mkdir(wide, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(wide, 0o777); err != nil {
			t.Fatal(err)
		}
		cases[wide] = ": other accounts may write into this directory"
	}
	if runtime.GOOS == "linux" {
		cases["/proc/self"] = ": no file can be written there ("
		cases["/proc/self/below"] = ": this directory cannot be made ("
	}
	for path, want := range cases {
		if _, err := Open(path); err == nil || !strings.HasPrefix(err.Error(), path+want) {
			t.Errorf("%v; want %s%s", err, path, want)
		}
	}
}

// TestLeftOver: what a process left behind that was killed while it wrote is taken away.
func TestLeftOver(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, tempName), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	if got := names(t, path); got != "lock" {
		t.Error(got)
	}
}

// TestDamaged: what lies before the damage is read, and behind it, what is missing is told, and the file is kept.
func TestDamaged(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	all := []engine.Parcel{session("a", time.Minute), session("b", time.Minute), session("c", time.Minute)}
	for i := range all {
		all[i].Body = make([]byte, 100<<10)
	}
	write(t, d, nil, all...)
	name := filepath.Join(path, fileName)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file []byte
		keys string
		want string
	}{
		{bytes.Replace(whole, []byte("farmstate test"), []byte("farmstate tess"), 1), "", "is damaged at byte 0 of "},
		{append(bytes.Clone(whole[:150<<10]), append([]byte{1}, whole[150<<10+1:]...)...), "ac", ": 2 sessions could be read, 1 are missing (102"},
		{whole[:250<<10], "ab", ": 2 sessions could be read, it is not known how many are missing (50"},
		{whole[:50], "", "is cut off at byte 0 of 50: 0 sessions could be read"},
		{nil, "", "is cut off at byte 0 of 0: 0 sessions could be read"},
	} {
		if err := os.WriteFile(name, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		if keys, x := load(t, d, 0, nil); keys != c.keys || x.Damage == nil || !strings.Contains(x.Damage.Error(), c.want) {
			t.Errorf("%q, %v; want %q, %s", keys, x.Damage, c.keys, c.want)
		}
	}
	write(t, d, nil, session("e", time.Minute))
	if keys, _ := load(t, d, 0, nil); keys != "e" || names(t, path) != "farmstate-sessions.snapshot farmstate-sessions.snapshot.kept lock" {
		t.Errorf("%q, %s", keys, names(t, path))
	}
}

// TestKeys: a file that does not fit the key is refused with what to do, but for one that was written before there was one.
func TestKeys(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	write(t, d, nil, session("a", time.Minute))
	if keys, x := load(t, d, 0, secret); keys != "a" || !x.Plain {
		t.Errorf("%q, %+v", keys, x)
	}
	write(t, d, secret, session("b", time.Minute))
	if keys, x := load(t, d, 0, secret); keys != "b" || x.Plain || !x.Header.Encrypted {
		t.Errorf("%q, %+v", keys, x)
	}
	name := filepath.Join(path, fileName)
	for want, secret := range map[string][]byte{
		" is encrypted, and no key is given. Name the file with its key (--snapshot-key-file FILE), or move the file away":     nil,
		" was encrypted with another key. Name the file with the key that it was written with (--snapshot-key-file FILE), or ": []byte("another secret, as long"),
	} {
		if _, ok, err := d.Load(written, secret, nil, nil); ok || err == nil || !strings.HasPrefix(err.Error(), name+want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := os.WriteFile(name, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Load(written, nil, nil, nil); err == nil || !strings.HasPrefix(err.Error(), name+" is no snapshot of farmstate. Name another directory (--data DIR), or ") {
		t.Error(err)
	}
	if err := os.WriteFile(name, []byte("farmsnap\xff\xff and more of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Load(written, nil, nil, nil); err == nil || !strings.HasPrefix(err.Error(), name+" has version 65535 of the format, and this program reads version ") {
		t.Error(err)
	}
}
