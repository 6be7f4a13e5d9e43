package bench

import (
	"errors"
	"regexp"
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

func TestSessionIDs(t *testing.T) {
	cfg := LoadConfig{Targets: []string{"a:1"}, Seed: 3}
	cfg.EnsureDefaults()
	p := newPopulation(&cfg)
	form := regexp.MustCompile(`^/LM/W3SVC/1/ROOT\(cAHkmVhipCLv/QnONQmPsKL\+q/AjnK/nYS9aV3Zlad8=\)/[a-z0-5]{24}$`)
	seen := make(map[string]bool)
	for n := range uint64(20_000) {
		target := p.appendTarget(nil, n)
		key := string(wire.AppendKey(nil, target))
		if !form.MatchString(key) {
			t.Fatalf("session %d: key is %s", n, key)
		}
		if string(wire.AppendTarget(nil, []byte(key))) != string(target) {
			t.Fatalf("session %d: target %s is not as ASP.NET writes it", n, target)
		}
		if seen[key] {
			t.Fatalf("session %d: its key belongs to another", n)
		}
		seen[key] = true
	}
}

func TestAppIDWithoutSlash(t *testing.T) {
	cfg := LoadConfig{Targets: []string{"a:1"}, AppID: "4d2f1a7c"}
	cfg.EnsureDefaults()
	const want = "%2f4d2f1a7c(BMoYc06Iz4zYHvdRfrrrlPekP%2fkfSiGi820PaIRsUvE%3d)%2f"
	if got := string(newPopulation(&cfg).prefix); got != want {
		t.Errorf("prefix is %s; want %s", got, want)
	}
}

func TestSizesCoverTheRange(t *testing.T) {
	cfg := LoadConfig{Targets: []string{"a:1"}, BodyMin: 100, BodyMax: 103}
	cfg.EnsureDefaults()
	p := newPopulation(&cfg)
	var seen [4]int
	for n := range uint64(4000) {
		size := p.size(n)
		if size < 100 || size > 103 {
			t.Fatalf("session %d: %d bytes", n, size)
		}
		seen[size-100]++
		if p.size(n) != size {
			t.Fatalf("session %d: its size changes", n)
		}
	}
	for i, count := range seen {
		if count < 800 || count > 1200 {
			t.Errorf("%d of 4000 sessions have %d bytes; want about 1000", count, 100+i)
		}
	}
}

func TestStamp(t *testing.T) {
	id := []byte("abcdefghijklmnopqrstuvwx")
	other := []byte("abcdefghijklmnopqrstuvwy")
	for _, size := range []int{MinVerifyBody, MinVerifyBody + 1, 1000} {
		body := filler(size, 1)
		stamp(body, id, 77)
		if n, err := readStamp(body, id); n != 77 || err != nil {
			t.Errorf("%d bytes: read %d, %v; want 77", size, n, err)
		}
		if _, err := readStamp(body, other); !errors.Is(err, errBodyOthers) {
			t.Errorf("%d bytes: read as another session: %v", size, err)
		}
		for i := range body {
			body[i] ^= 1
			if _, err := readStamp(body, id); err == nil {
				t.Fatalf("%d bytes: byte %d was changed and nobody saw", size, i)
			}
			body[i] ^= 1
		}
		if _, err := readStamp(body[:size-1], id); err == nil {
			t.Errorf("%d bytes: the last byte was cut off and nobody saw", size)
		}
	}
	if n, err := readStamp(emptyBlob, id); n != 0 || err != nil {
		t.Errorf("empty blob: %d, %v; want 0", n, err)
	}
}
