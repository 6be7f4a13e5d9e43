package netpoll

import (
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/appkey"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// TestOptionsOutOfRange: each is reported by its name, all of them at once, and nothing is opened.
func TestOptionsOutOfRange(t *testing.T) {
	e, err := engine.New(engine.Options{}, engine.Time{})
	check(t, err)
	_, err = Listen(Options{
		Transport: "quic", Loops: 256, MaxHead: 255, MaxBody: 1<<30 + 1, MaxConns: -1, MaxOutput: -1, MaxOutputTotal: -1,
		IdleTimeout: time.Millisecond, ASPNetVersion: "1.1.4322",
	}, e)
	for _, name := range []string{
		"Transport", "Loops", "MaxHead", "MaxBody", "MaxConns", "MaxOutput", "MaxOutputTotal", "IdleTimeout", "1.1.4322",
	} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: does not name %s", err, name)
		}
	}
	if _, err := Listen(Options{Addr: "127.0.0.1:no"}, e); err == nil {
		t.Error("a port without a number is taken")
	}
}

// TestSpelling: the status line and the version are as the options say.
func TestSpelling(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s, _ := start(t, Options{Transport: transport, HTTPStatusLine: true, ASPNetVersion: "2.0.50727"}, engine.Options{})
		c := dial(t, s)
		const want = "HTTP/1.1 404 Not Found\r\nX-AspNet-Version: 2.0.50727\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"
		check(t, c.send(getReq("/none")))
		if got := c.read(t, len(want)); string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// TestRules: two applications that a rule makes one share their sessions, waiters included.
func TestRules(t *testing.T) {
	rules, err := appkey.Compile(nil, true)
	check(t, err)
	transports(t, func(t *testing.T, transport string) {
		s, e := start(t, Options{Transport: transport, Rules: rules}, engine.Options{LockWait: longWait})
		key := func(app string) string {
			return "%2fLM%2fW3SVC%2f1%2f" + app + "(cAHkmVhipCLv%2fQnONQmPsKL%2bq%2fAjnK%2fnYS9aV3Zlad8%3d)%2fid"
		}
		a, b := dial(t, s), dial(t, s)
		check(t, put(a, key("ROOT"), []byte("x")))
		cookie := ask(t, a, acquireReq(key("Root")), wire.StatusOK).Cookie
		check(t, b.send(append(acquireReq(key("root")), getReq("/other")...)))
		eventually(t, "it waits", func() bool { return e.Stats().Waiting == 1 })
		ask(t, a, releaseReq(key("ROOT"), cookie), wire.StatusOK)
		expect(t, b, wire.StatusOK)
		expect(t, b, wire.StatusNotFound)
		if n := e.Stats().Sessions; n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
	})
}
