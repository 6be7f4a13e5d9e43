package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// testClient has sessions of eight bytes.
func testClient() *client {
	return &client{names: newNames(3), body: []byte("12345678"), runs: 1}
}

// checkReply feeds a reply byte by byte: it must be incomplete until it is whole, and end where it ends.
func checkReply(t *testing.T, s step, whole string) *client {
	t.Helper()
	c := testClient()
	for i := range whole {
		if n, err := s.reply([]byte(whole[:i]), c); n != 0 || err != nil {
			t.Fatalf("after %d of %d bytes of %q: %d, %v", i, len(whole), whole, n, err)
		}
	}
	if n, err := s.reply([]byte(whole+"more"), c); n != len(whole) || err != nil {
		t.Errorf("%q: %d, %v; want %d", whole, n, err, len(whole))
	}
	return c
}

func refuse(t *testing.T, s step, replies ...string) {
	t.Helper()
	for _, r := range replies {
		if n, err := s.reply([]byte(r), testClient()); n != 0 || err == nil {
			t.Errorf("%q was accepted, %d bytes of it", r, n)
		}
	}
}

func bytesOf(s step, c *client) string { return string(s.request(nil, c)) }

func TestStateProtocol(t *testing.T) {
	const head = "200 OK\r\nX-AspNet-Version: 4.0.30319\r\n"
	const tail = "Cache-Control: private\r\nContent-Length: "
	const refused = "423 Locked\r\nX-AspNet-Version: 4.0.30319\r\nLockDate: 1\r\nLockAge: 3\r\nLockCookie: 2\r\n" + tail + "0\r\n\r\n"
	checkReply(t, stateGet, head+"Timeout: 20\r\n"+tail+"8\r\n\r\n12345678")
	checkReply(t, stateSave, head+tail+"0\r\n\r\n")
	c := checkReply(t, stateAcquire, head+"LockCookie: 7\r\nTimeout: 20\r\n"+tail+"8\r\n\r\n12345678")
	if c.cookie != 7 {
		t.Errorf("cookie is %d; want 7", c.cookie)
	}
	refuse(t, stateAcquire, refused, head+"Timeout: 20\r\n"+tail+"8\r\n\r\n12345678")
	refuse(t, stateSave, refused)
	refuse(t, stateGet, refused, "404 Not Found\r\n"+tail+"0\r\n\r\n", head+tail+"9\r\n\r\n123456789", "+OK\r\n\r\n")

	c.session = 1
	target := string(wire.AppendTarget(nil, []byte(c.names.keys[1])))
	want := "PUT " + target + " HTTP/1.1\r\nHost: stateserver\r\nTimeout: 20\r\nContent-Length: 8\r\nExtraFlags: 0\r\nLockCookie: 7\r\n\r\n12345678"
	if got := bytesOf(stateSaveHeld, c); got != want {
		t.Errorf("save is %q; want %q", got, want)
	}
	get, put := stateRequestSizes(c.names, 8)
	for c.session = range c.names.keys {
		if len(bytesOf(stateGet, c)) != get || len(bytesOf(stateSave, c)) != put {
			t.Errorf("requests of session %d have other lengths than those of the first", c.session)
		}
	}
}

func TestMemcachedProtocol(t *testing.T) {
	checkReply(t, memcachedSet, "STORED\r\n")
	checkReply(t, memcachedGet, "VALUE k 0 8\r\n12345678\r\nEND\r\n")
	refuse(t, memcachedSet, "NOT_STORED\r\n", "ERROR\r\n", "SERVER_ERROR out of memory\r\n")
	refuse(t, memcachedGet, "END\r\n", "ERROR\r\n", "VALUE k 0 9\r\n123456789\r\nEND\r\n")
	c := testClient()
	if got, want := bytesOf(memcachedSet, c), "set "+c.names.keys[0]+" 0 1200 8\r\n12345678\r\n"; got != want {
		t.Errorf("set is %q; want %q", got, want)
	}
}

func TestRedisProtocol(t *testing.T) {
	s := scripts{"one", "two"}
	c := testClient()
	checkReply(t, redisSet, "+OK\r\n")
	checkReply(t, redisGet, "$8\r\n12345678\r\n")
	checkReply(t, redisProviderTimeout, ":1\r\n")
	checkReply(t, s.save(), ":1\r\n")
	id := c.lockID()
	checkReply(t, s.acquire(), fmt.Sprintf("*3\r\n$%d\r\n%s\r\n$8\r\n12345678\r\n$4\r\n1200\r\n", len(id), id))
	refuse(t, redisSet, "-OOM command not allowed\r\n", "$-1\r\n", ":1\r\n", "?\r\n", "\r\n", "\n")
	refuse(t, redisGet, "$-1\r\n", "$9\r\n123456789\r\n", "$x\r\n", "$-2\r\n", "$99999999999\r\n", "$8\r\n1234567890")
	refuse(t, s.save(), ":0\r\n", "-NOSCRIPT\r\n")
	refuse(t, s.acquire(), "*3\r\n$5\r\nother\r\n$0\r\n\r\n$0\r\n\r\n", "*2\r\n", "*-1\r\n", "-NOSCRIPT\r\n")
	want := "*3\r\n$3\r\nSET\r\n$87\r\n" + c.names.keys[0] + "\r\n$8\r\n12345678\r\n"
	if got := bytesOf(redisSet, c); got != want {
		t.Errorf("set is %q; want %q", got, want)
	}
	if got := bytesOf(s.acquire(), c); !strings.HasPrefix(got, "*8\r\n$7\r\nEVALSHA\r\n$3\r\none\r\n$1\r\n3\r\n") || strings.Count(got, "$") != 8 {
		t.Errorf("acquire is %q", got)
	}
	if got := bytesOf(s.save(), c); !strings.HasPrefix(got, "*9\r\n$7\r\nEVALSHA\r\n$3\r\ntwo\r\n$1\r\n3\r\n") || strings.Count(got, "$") != 9 {
		t.Errorf("save is %q", got)
	}
}

func TestNamesDiffer(t *testing.T) {
	n := newNames(1000)
	seen := make(map[string]bool)
	for i, key := range n.keys {
		p := n.provider[i]
		for _, name := range []string{key, p.lock, p.data, p.internal} {
			if seen[name] {
				t.Fatalf("session %d: name %s is taken", i, name)
			}
			seen[name] = true
		}
		if string(wire.AppendKey(nil, n.targets[i])) != key {
			t.Fatalf("session %d: target and key differ", i)
		}
	}
}
