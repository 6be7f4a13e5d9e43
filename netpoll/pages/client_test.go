package pages

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// newTestClient returns a client that the test closes.
func newTestClient(t *testing.T, cfg Config) *Client {
	t.Helper()
	c := NewClient(cfg)
	t.Cleanup(c.Close)
	return c
}

// TestTarget holds targets against the examples of docs/protocol.md §3.9.
func TestTarget(t *testing.T) {
	const id = "z445nnecaiiqye55asxwtm55"
	for _, tt := range []struct{ app, want string }{
		{"/LM/W3SVC/1/ROOT", "%2fLM%2fW3SVC%2f1%2fROOT(cAHkmVhipCLv%2fQnONQmPsKL%2bq%2fAjnK%2fnYS9aV3Zlad8%3d)%2f" + id},
		{"/LM/W3SVC/2/ROOT/shop", "%2fLM%2fW3SVC%2f2%2fROOT%2fshop(R5cLvsolxp83Pl171VCJDriS0xmS6SzeKpszgt1KZI4%3d)%2f" + id},
		{"4d2f1a7c", "%2f4d2f1a7c(BMoYc06Iz4zYHvdRfrrrlPekP%2fkfSiGi820PaIRsUvE%3d)%2f" + id},
	} {
		if got := Target(tt.app, id); got != tt.want {
			t.Errorf("%s: have %s, want %s", tt.app, got, tt.want)
		}
	}
	if got, want := escape("a b\u00e9~-_.!*()'"), "a+b%c3%a9%7e-_.!*()%27"; got != want {
		t.Errorf("have %s, want %s", got, want)
	}
}

// TestRequests checks the bytes of every method. See docs/protocol.md §4.9.
func TestRequests(t *testing.T) {
	const head = " {T} HTTP/1.1\r\nHost: stateserver\r\n"
	const zeros = "Timeout: 0\r\nContent-Length: 0\r\nExtraFlags: 0\r\nLockCookie: 0\r\n"
	call := map[string]func(context.Context, *Client) error{
		"get":     func(ctx context.Context, c *Client) error { _, err := c.GetItem(ctx, "i"); return err },
		"acquire": func(ctx context.Context, c *Client) error { _, err := c.GetItemExclusive(ctx, "i"); return err },
		"release": func(ctx context.Context, c *Client) error { return c.ReleaseItemExclusive(ctx, "i", 2) },
		"set": func(ctx context.Context, c *Client) error {
			return c.SetAndReleaseItemExclusive(ctx, "i", []byte("blob"), 30, 2)
		},
		"create": func(ctx context.Context, c *Client) error { return c.CreateUninitializedItem(ctx, "i", 20) },
		"remove": func(ctx context.Context, c *Client) error { return c.RemoveItem(ctx, "i", 2) },
		"reset":  func(ctx context.Context, c *Client) error { return c.ResetItemTimeout(ctx, "i") },
	}
	for _, tt := range []struct {
		call  string
		zeros bool
		want  string
	}{
		{"get", false, "GET" + head + "\r\n"},
		{"acquire", false, "GET" + head + "Exclusive: acquire\r\n\r\n"},
		{"release", false, "GET" + head + "Exclusive: release\r\nLockCookie: 2\r\n\r\n"},
		{"set", false, "PUT" + head + "Timeout: 30\r\nContent-Length: 4\r\nExtraFlags: 0\r\nLockCookie: 2\r\n\r\nblob"},
		{"create", false, "PUT" + head + "Timeout: 20\r\nContent-Length: 7\r\nExtraFlags: 1\r\nLockCookie: 0\r\n\r\n\x14\x00\x00\x00\x00\x00\xff"},
		{"remove", false, "DELETE" + head + "LockCookie: 2\r\n\r\n"},
		{"reset", false, "HEAD" + head + "\r\n"},
		{"get", true, "GET" + head + zeros + "\r\n"},
		{"reset", true, "HEAD" + head + zeros + "\r\n"},
		{"release", true, "GET" + head + "Exclusive: release\r\n" + strings.Replace(zeros, "Cookie: 0", "Cookie: 2", 1) + "\r\n"},
	} {
		f := startFake(t, respond("404 Not Found", ""))
		c := newTestClient(t, Config{Addr: f.addr(), Zeros: tt.zeros})
		if err := call[tt.call](t.Context(), c); err != nil {
			t.Errorf("%s: %v", tt.call, err)
		}
		want := strings.Replace(tt.want, "{T}", Target("/LM/W3SVC/1/ROOT", "i"), 1)
		if got := f.sent(); len(got) != 1 || got[0] != want {
			t.Errorf("%s, zeros %t: sent %q, want %q", tt.call, tt.zeros, got, want)
		}
	}
}

// TestAnswers checks what the client makes of answers to a read. See
// docs/protocol.md §9.5.
func TestAnswers(t *testing.T) {
	now := time.Now()
	zone := time.FixedZone("there", -5*60*60)
	clock := &fakeClock{now: now.In(zone)}
	ago := func(d time.Duration) string { return "LockDate: " + itoa(ticksOf(now.In(zone).Add(-d))) }
	for _, tt := range []struct {
		name, answer string
		want         Item
		fails        string
	}{
		{"found", respond("200 OK", "x", "ActionFlags: 1", "LockCookie: 7", "Timeout: 20"), Item{Found: true, Uninitialised: true, Cookie: 7}, ""},
		{"empty", respond("200 OK", "", "Timeout: 20"), Item{}, ""},
		{"missing", respond("404 Not Found", ""), Item{}, ""},
		{"locked", respond("423 Locked", "", "LockDate: 1", "LockAge: 3", "LockCookie: 2"), Item{Locked: true, Cookie: 2, LockAge: 3 * time.Second}, ""},
		{"locked for a year", respond("423 Locked", "", "LockDate: 1", "LockAge: 31536000", "LockCookie: 2"), Item{Locked: true, Cookie: 2}, ""},
		{"no age", respond("423 Locked", "", ago(5*time.Second), "LockCookie: 2"), Item{Locked: true, Cookie: 2, LockAge: 5 * time.Second}, ""},
		{"negative age", respond("423 Locked", "", ago(5*time.Second), "LockAge: -1", "LockCookie: 2"), Item{Locked: true, Cookie: 2, LockAge: 5 * time.Second}, ""},
		{"date to come", respond("423 Locked", "", ago(-5*time.Second), "LockAge: -1", "LockCookie: 2"), Item{Locked: true, Cookie: 2}, ""},
		{"no date either", respond("423 Locked", "", "LockCookie: 2"), Item{Locked: true, Cookie: 2}, ""},
		{"refused", respond("400 Bad Request", ""), Item{}, ErrBadRequest.Error()},
		{"locked with a flag", respond("423 Locked", "", "ActionFlags: 1"), Item{}, "assertions"},
		{"other status", respond("503 Service Unavailable", ""), Item{}, "answered 503"},
		{"no number", respond("200 OK", "", "LockCookie: x"), Item{}, "no number"},
		{"no length", "200 OK\r\nX-AspNet-Version: 4.0.30319\r\n\r\n", Item{}, "without Content-Length"},
		{"an HTTP status line", "HTTP/1.1 " + respond("200 OK", "x"), Item{}, "no status line"},
		{"line feeds", "200 OK\nX-AspNet-Version: 4.0.30319\n\n", Item{}, "CRLF"},
		{"no answer", hangUp, Item{}, "no answer"},
	} {
		f := startFake(t, tt.answer)
		c := newTestClient(t, Config{Addr: f.addr(), Clock: clock.clock()})
		got, err := c.GetItem(t.Context(), "i")
		if tt.fails != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("%s: error %v, want %q in it", tt.name, err, tt.fails)
			}
			continue
		}
		if d := got.LockAge - tt.want.LockAge; d.Abs() < time.Microsecond {
			got.LockAge = tt.want.LockAge // ticks are no nanoseconds
		}
		if err := reads(got, err)(tt.want); err != nil || got.LockAge != tt.want.LockAge {
			t.Errorf("%s: %+v, want %+v (%v)", tt.name, got, tt.want, err)
		}
	}
}

// TestWritesIgnoreStatus checks that a save believes everything but a 400.
func TestWritesIgnoreStatus(t *testing.T) {
	f := startFake(t, respond("200 OK", ""), respond("404 Not Found", ""), respond("423 Locked", "", "LockCookie: 3"),
		respond("503 Service Unavailable", ""), respond("400 Bad Request", ""))
	c := newTestClient(t, Config{Addr: f.addr()})
	for i := range 5 {
		err := c.SetAndReleaseItemExclusive(t.Context(), "i", []byte("x"), 20, 2)
		if refused := errors.Is(err, ErrBadRequest); refused != (i == 4) || err != nil && !refused {
			t.Errorf("answer %d gives %v", i, err)
		}
	}
}

// TestVersion checks that only the first exchange looks at the version.
func TestVersion(t *testing.T) {
	for version, ok := range map[string]bool{
		"X-AspNet-Version: 4.0.30319": true,
		"X-AspNet-Version: 2.0.50727": true,
		"X-AspNet-Version: 1.1.4322":  false,
		"X-AspNet-Version: x":         false,
		"X-Other: 4.0.30319":          false,
	} {
		answer := strings.Replace(respond("404 Not Found", ""), "X-AspNet-Version: 4.0.30319", version, 1)
		f := startFake(t, answer, answer)
		c := newTestClient(t, Config{Addr: f.addr()})
		_, first := c.GetItem(t.Context(), "i")
		_, second := c.GetItem(t.Context(), "i")
		if (first == nil) != ok || first != nil && !errors.Is(first, ErrVersion) || second != nil {
			t.Errorf("%s: the first request ends with %v, the second with %v", version, first, second)
		}
	}
}

// TestNetworkTimeout checks that a server which does not answer fails the page.
func TestNetworkTimeout(t *testing.T) {
	f := startFake(t, "")
	c := newTestClient(t, Config{Addr: f.addr(), NetworkTimeout: 50 * time.Millisecond})
	if _, err := c.GetItem(t.Context(), "i"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended with %v, want %v", err, context.DeadlineExceeded)
	}
}

// TestPool checks which connections requests are sent on.
func TestPool(t *testing.T) {
	missing := slices.Repeat([]string{respond("404 Not Found", "")}, 20)
	get := func(t *testing.T, c *Client) {
		t.Helper()
		if _, err := c.GetItem(t.Context(), "i"); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("last in, first out", func(t *testing.T) {
		f := startFake(t, missing...)
		c := newTestClient(t, Config{Addr: f.addr()})
		get(t, c)
		first, err := c.pool.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		get(t, c) // on a second one
		c.pool.put(first)
		get(t, c)
		get(t, c)
		if want := []int{0, 1, 0, 0}; !slices.Equal(f.served, want) {
			t.Errorf("served on %v, want %v", f.served, want)
		}
	})
	t.Run("dead ones are replaced", func(t *testing.T) {
		f := startFake(t, missing...)
		c := newTestClient(t, Config{Addr: f.addr()})
		get(t, c)
		f.hangUp()
		<-c.pool.idle[0].watched
		get(t, c)
		if want := []int{0, 1}; !slices.Equal(f.served, want) {
			t.Errorf("served on %v, want %v", f.served, want)
		}
	})
	t.Run("idle ones are discarded", func(t *testing.T) {
		f := startFake(t, missing...)
		clock := &fakeClock{now: time.Now()}
		c := newTestClient(t, Config{Addr: f.addr(), Clock: clock.clock()})
		get(t, c)
		clock.After(9 * time.Second) // one tick, at which it had just been used
		get(t, c)
		clock.After(10 * time.Second) // two ticks
		get(t, c)
		if want := []int{0, 0, 1}; !slices.Equal(f.served, want) {
			t.Errorf("served on %v, want %v", f.served, want)
		}
	})
	t.Run("unasked bytes are an error", func(t *testing.T) {
		f := startFake(t, respond("404 Not Found", "")+"x", respond("404 Not Found", ""))
		c := newTestClient(t, Config{Addr: f.addr()})
		get(t, c)
		if _, err := c.GetItem(t.Context(), "i"); !errors.Is(err, errUnasked) {
			t.Errorf("ended with %v, want %v", err, errUnasked)
		}
	})
}
