package pages

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func TestBlob(t *testing.T) {
	if got, want := encodeBlob(20, nil), "\x14\x00\x00\x00\x00\x00\xff"; string(got) != want {
		t.Errorf("an empty session is %q, want %q", got, want)
	}
	for _, items := range []string{"", "x", "\xff\x00"} {
		timeout, got, err := decodeBlob(encodeBlob(525600, []byte(items)))
		if err != nil || timeout != 525600 || string(got) != items {
			t.Errorf("%q came back as %q, %d minutes (%v)", items, got, timeout, err)
		}
	}
	for _, bad := range []string{"", "\xff", "\x14\x00\x00\x00\x00\x00", "\x14\x00\x00\x00\x01\x00\xff",
		"\x14\x00\x00\x00\x00\x00x\xff", "\x14\x00\x00\x00\x01\x00x", "\x14\x00\x00\x00\x00\x01\xff"} {
		if _, _, err := decodeBlob([]byte(bad)); !errors.Is(err, errBlob) {
			t.Errorf("%q was taken (%v)", bad, err)
		}
	}
}

// TestNextPoll walks the client's rhythm. See docs/protocol.md §8.11.
func TestNextPoll(t *testing.T) {
	const interval = 500 * time.Millisecond
	first := time.Unix(1_700_000_000, 0)
	for _, tt := range []struct{ answered, want time.Duration }{
		{0, 500 * time.Millisecond},
		{502 * time.Millisecond, 1000 * time.Millisecond},
		{730 * time.Millisecond, 1000 * time.Millisecond},
		{750 * time.Millisecond, 1000 * time.Millisecond},
		{751 * time.Millisecond, 1500 * time.Millisecond},
		{1000 * time.Millisecond, 1500 * time.Millisecond},
		{1199 * time.Millisecond, 1500 * time.Millisecond},
	} {
		if got := nextPoll(first, first.Add(tt.answered), interval).Sub(first); got != tt.want {
			t.Errorf("answered after %v: polls after %v, want %v", tt.answered, got, tt.want)
		}
	}
}

// locked makes a 423 of that age, in seconds.
func locked(age int) string {
	return respond("423 Locked", "", "LockDate: 638409078000000000", "LockAge: "+strconv.Itoa(age), "LockCookie: 7")
}

// TestPolling has pages meet a lock. They ask every 500 ms and break the lock
// when it is as old as the execution timeout.
func TestPolling(t *testing.T) {
	found := respond("200 OK", string(encodeBlob(20, []byte("x"))), "LockCookie: 8", "Timeout: 20")
	ok := respond("200 OK", "")
	for _, tt := range []struct {
		script []string
		want   []string // methods and statuses
		waits  int
	}{
		{[]string{found, ok}, []string{"GetItemExclusive 200", "ReleaseItemExclusive 200"}, 0},
		{[]string{locked(0), locked(109), found, ok},
			[]string{"GetItemExclusive 423", "GetItemExclusive 423", "GetItemExclusive 200", "ReleaseItemExclusive 200"}, 2},
		{[]string{locked(110), ok, locked(0), found, ok},
			[]string{"GetItemExclusive 423", "ReleaseItemExclusive 200", "GetItemExclusive 423", "GetItemExclusive 200", "ReleaseItemExclusive 200"}, 2},
		{[]string{respond("404 Not Found", ""), ok, locked(0), found, ok},
			[]string{"GetItemExclusive 404", "CreateUninitializedItem 200", "GetItemExclusive 423", "GetItemExclusive 200", "ReleaseItemExclusive 200"}, 1},
		{[]string{respond("404 Not Found", ""), ok, respond("404 Not Found", ""), ok}, // removed at once by somebody else
			[]string{"GetItemExclusive 404", "CreateUninitializedItem 200", "GetItemExclusive 404", "SetAndReleaseItemExclusive 200"}, 0},
	} {
		f := startFake(t, tt.script...)
		clock := &fakeClock{now: time.Now()}
		rec := &record{}
		c := newTestClient(t, Config{Addr: f.addr(), Clock: clock.clock(), Trace: rec.add})
		if err := NewSite(c, SiteOptions{}).ReadWrite(t.Context(), "i", looks); err != nil {
			t.Error(err)
		}
		for _, e := range rec.exchanges {
			if e.Method == ReleaseItemExclusive && e.Sent != 7 && e.Sent != 8 {
				t.Errorf("released with cookie %d", e.Sent)
			}
		}
		if err := rec.expect(tt.want...); err != nil {
			t.Error(err)
		}
		if want := slices.Repeat([]time.Duration{500 * time.Millisecond}, tt.waits); !slices.Equal(clock.waits, want) {
			t.Errorf("waited %v, want %v", clock.waits, want)
		}
	}
}

// TestPageFails checks that the error of a page comes back and its lock goes.
func TestPageFails(t *testing.T) {
	fault := errors.New("the page's own")
	fails := func(*Session) error { return fault }
	found := respond("200 OK", string(encodeBlob(20, []byte("x"))), "LockCookie: 2", "Timeout: 20")
	f := startFake(t, found, respond("200 OK", ""), found, respond("400 Bad Request", ""))
	rec := &record{}
	c := newTestClient(t, Config{Addr: f.addr(), Trace: rec.add})
	site := NewSite(c, SiteOptions{})
	if err := site.ReadWrite(t.Context(), "i", fails); !errors.Is(err, fault) {
		t.Errorf("ended with %v, want %v", err, fault)
	}
	if err := site.ReadWrite(t.Context(), "i", both(puts("y"), fails)); !errors.Is(err, fault) || !errors.Is(err, ErrBadRequest) {
		t.Errorf("ended with %v, want %v and %v", err, fault, ErrBadRequest)
	}
	if err := rec.expect("GetItemExclusive 200", "ReleaseItemExclusive 200", "GetItemExclusive 200", "SetAndReleaseItemExclusive 400"); err != nil {
		t.Error(err)
	}
}

// TestForeignBlob checks that a page does not run on something no page saved.
func TestForeignBlob(t *testing.T) {
	f := startFake(t, respond("200 OK", "junk", "LockCookie: 2", "Timeout: 20"), respond("200 OK", ""))
	rec := &record{}
	c := newTestClient(t, Config{Addr: f.addr(), Trace: rec.add})
	ran := func(*Session) error { return fmt.Errorf("the page ran") }
	if err := NewSite(c, SiteOptions{}).ReadWrite(t.Context(), "i", ran); !errors.Is(err, errBlob) {
		t.Errorf("ended with %v, want %v", err, errBlob)
	}
	if err := rec.expect("GetItemExclusive 200", "ReleaseItemExclusive 200"); err != nil {
		t.Error(err)
	}
}
