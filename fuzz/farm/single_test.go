//go:build unix

package farm

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSingle plays what a single node does, on a node that is linked to another. Not here, because netpoll/conformance has it: S10 to S13 (the cases F, which
// wait for expiry), S17 (K16 to K18), F7 and F8 and F10 byte by byte (H). S9 has another answer in docs/protocol.md §7.8.
func TestSingle(t *testing.T) {
	t.Parallel()
	f := startFarm(t, pair(), secret, "--lock-wait", "0", "--max-body", "32MiB")
	k := newKeys(20)
	big, biggest := strings.Repeat("b", 20_971_520), strings.Repeat("c", 32<<20)
	const a, b = 0, 1
	for _, c := range []struct {
		id    string
		steps []step
	}{
		{"S1", []step{{a, GET(k[1]), "404"}, {a, PUT(k[1], "hello"), okPut}, {a, GET(k[1]), okGet("hello")}}},
		{"S2", []step{
			{a, PUT(k[2], "hello"), okPut},
			{a, ACQ(k[2]), "200 OK\r\nX-AspNet-Version: 2.0.50727\r\nLockCookie: 2\r\nTimeout: 20\r\nCache-Control: private\r\nContent-Length: 5\r\n\r\nhello"},
			{a, GET(k[2]), "423 #2"},
		}},
		{"S3", []step{
			{a, PUT(k[3], "v"), "200"}, {a, ACQ(k[3]), "200 #2 v"},
			{a, PUT(k[3], "w"), "423 #2"}, {a, PUT(k[3], "w", cookie(7)), "423 #2"}, {a, DEL(k[3]), "423 #2"}, {a, DEL(k[3], 7), "423 #2"}, {a, REL(k[3], 7), "423 #2"},
			{a, REL(k[3], 2), "200"}, {a, GET(k[3]), "200 v"},
		}},
		{"S4", []step{
			{a, PUT(k[4], "v"), "200"}, {a, ACQ(k[4]), "200 #2 v"}, {a, REL(k[4], 2), "200"}, {a, ACQ(k[4]), "200 #3 v"},
			{a, PUT(k[4], "w", cookie(3)), "200"}, {a, GET(k[4]), "200 w"},
		}},
		{"S5", []step{{a, PUT(k[5], "v"), "200"}, {a, REL(k[5], 99), okPut}}},
		{"S6", []step{{a, PUT(k[6], "v"), "200"}, {a, request("GET", k[6], "Exclusive: release\r\n"), "400"}}},
		{"S7", []step{{a, PUT(k[7], "v", flag1()), "200"}, {a, GET(k[7]), "200 ! v"}, {a, GET(k[7]), "200 v"}}},
		{"S8", []step{{a, PUT(k[8], "v"), "200"}, {a, PUT(k[8], "w", flag1()), "200"}, {a, GET(k[8]), "200 v"}}},
		{"S14", []step{
			{a, PUT(k[14], "v", life(-1)), "400"}, {a, PUT(k[14], "v", life("abc")), "400"}, {a, GET(k[14]), "404"},
			{a, PUT(k[14], "v", life(0)), "200"}, {b, GET(k[14]), strings.Replace(okGet("v"), "Timeout: 20", "Timeout: 0", 1)},
		}},
		{"S15", []step{{a, PUT(k[15], big[:5_242_780]), "200"}, {a, GET(k[15]), okGet(big[:5_242_780])}, {b, GET(k[15]), okGet(big[:5_242_780])}}},
		{"S16", []step{
			{a, PUT(k[16], big), "200"}, {a, GET(k[16]), okGet(big)}, {b, GET(k[16]), okGet(big)},
			{a, PUT(k[16], biggest), "200"}, {b, GET(k[16]), okGet(biggest)},
			{a, PUT(k[16], "new"), "200"}, {a, GET(k[16]), "200 new"},
		}},
	} {
		t.Run(c.id, func(t *testing.T) { f.play(t, c.steps...) })
	}
	t.Run("S16/refused", func(t *testing.T) {
		c := f.nodes[0].dial()
		if a := c.do(request("PUT", k[17], fmt.Sprintf("Content-Length: %d\r\n", 32<<20+1))); a.status != 400 || !c.closed() {
			t.Errorf("%v", a)
		}
	})
}

// pieces are sent in segments of their own.
func (c *client) pieces(t testing.TB, pieces ...string) answer {
	t.Helper()
	for i, p := range pieces {
		if i > 0 {
			pass(2 * time.Millisecond)
		}
		if _, err := c.Write([]byte(p)); err != nil {
			return answer{err: err}
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(patience)) // fails if it is closed, and then so does reading
	return c.read()
}

// TestFraming cuts requests as a network may, and sends what is no request, to a node that is linked to another.
func TestFraming(t *testing.T) {
	t.Parallel()
	f := startFarm(t, pair(), plain)
	n := f.nodes[0]
	k := newKey()
	f.play(t, step{0, PUT(k, "hello"), okPut})
	get, save := GET(k), PUT(k, "hello")
	for _, c := range []struct {
		id     string
		pieces []string
		want   string // of the last answer; empty if the connection is to be closed
		before []string
	}{
		{"F1", strings.Split(get, ""), okGet("hello"), nil},
		{"F2", []string{get[:strings.IndexByte(get, '\n')], get[strings.IndexByte(get, '\n'):]}, okGet("hello"), nil},
		{"F3", []string{get[:len(get)-1], "\n"}, okGet("hello"), nil},
		{"F4", []string{save[:len(save)-5], "he", "llo"}, okPut, nil},
		{"F5", []string{get + get}, okGet("hello"), []string{okGet("hello")}},
		{"F6", []string{save + get}, okGet("hello"), []string{okPut}},
		{"F7", []string{"GET " + k + " HTTP/1.1\r\n\r\n"}, okGet("hello"), nil}, // ASP.NET sends it, nothing needs it: docs/protocol.md §3.3
		{"F8 POST", []string{strings.Replace(get, "GET", "POST", 1)}, "400", nil},
		{"F8 garbage", []string{"\x00\x01\x02garbage\r\n\r\n"}, "400", nil},
		{"F9", []string{request("PUT", k, "Content-Length: -1\r\n")}, "400", nil},
		{"F10 no number", []string{request("PUT", k, "Content-Length: abc\r\n")}, "400", nil},
		{"F10 no colon", []string{request("GET", k, "Nonsense\r\n")}, "400", nil},
		{"F11 line", []string{request("GET", k, "X: "+strings.Repeat("x", 17<<10)+"\r\n")}, "400", nil},
		{"F11 lines", []string{request("GET", k, strings.Repeat("X: x\r\n", 100))}, okGet("hello"), nil},
		{"F13 answer", []string{"200 OK\r\n\r\n"}, "400", nil},
		{"F13 query", []string{GT(k, "127.0.0.1:1", newID(), "", 5)}, "400", nil},
		{"F13 ping", []string{PING}, "404", nil}, // a session like any other by that name
	} {
		t.Run(c.id, func(t *testing.T) {
			conn := n.dial()
			a := conn.pieces(t, c.pieces...)
			for _, want := range c.before {
				if !a.is(want) {
					t.Errorf("%v, want %q", a, want)
				}
				a = conn.read()
			}
			if !a.is(c.want) {
				t.Errorf("%v, want %q", a, c.want)
			}
		})
	}
	f.play(t, step{1, GET(k), okGet("hello")}, step{0, GET(k), okGet("hello")})
}
