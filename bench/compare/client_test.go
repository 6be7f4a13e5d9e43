package main

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// lineStep sends the number of the session and expects it back.
var lineStep = step{
	request: func(dst []byte, c *client) []byte { return append(append(dst, c.names.keys[c.session]...), '\n') },
	reply: func(b []byte, _ *client) (int, error) {
		return strings.IndexByte(string(b), '\n') + 1, nil
	},
}

// lineServer answers each line with what reply makes of it, and closes the connection on "". It returns its address.
func lineServer(t *testing.T, reply func(nc net.Conn, line string) string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = nc.Close() }()
				for lines := bufio.NewScanner(nc); lines.Scan(); {
					out := reply(nc, lines.Text())
					if _, err := nc.Write([]byte(out)); err != nil || out == "" {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		all.Wait()
	})
	return ln.Addr().String()
}

func TestCrowdSharesSessionsOut(t *testing.T) {
	var mu sync.Mutex
	owners := make(map[string]net.Conn)
	count := make(map[string]int)
	enough := make(chan struct{}) // closed when all sessions have been used
	var once sync.Once
	addr := lineServer(t, func(nc net.Conn, line string) string {
		mu.Lock()
		defer mu.Unlock()
		if owner, known := owners[line]; known && owner != nc {
			t.Errorf("two clients use session %s", line)
		}
		owners[line] = nc
		if count[line]++; len(count) == 10 {
			once.Do(func() { close(enough) })
		}
		return line + "\n"
	})
	opt := &options{Connections: 3, Body: 8, Sessions: 10}
	cr, err := startCrowd(t.Context(), addr, opt, newNames(10), &workload{steps: []step{lineStep, lineStep}})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-enough:
	case err := <-cr.failed:
		t.Error(err)
	}
	if err := cr.stop(); err != nil {
		t.Error(err)
	}
	total := 0
	for _, n := range count {
		total += n
	}
	if int64(total) != cr.done() || total%2 != 0 {
		t.Errorf("%d requests answered, %d counted", total, cr.done())
	}
}

func TestCrowdReportsFailure(t *testing.T) {
	for name, test := range map[string]struct{ reply, want string }{
		"closed":         {"", "the server closed the connection"},
		"bytes too many": {"x\ny\n", "2 bytes behind a reply of 2"},
		"too long":       {strings.Repeat("x", 100_000), "a reply of more than"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := lineServer(t, func(net.Conn, string) string { return test.reply })
			opt := &options{Connections: 2, Body: 8, Sessions: 10}
			cr, err := startCrowd(t.Context(), addr, opt, newNames(10), &workload{steps: []step{lineStep}})
			if err != nil {
				t.Fatal(err)
			}
			if err := cr.wait(t.Context(), time.Minute); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v; want %q in it", err, test.want)
			}
			if err := cr.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestClientRunsThroughItsSessions(t *testing.T) {
	addr := lineServer(t, func(_ net.Conn, line string) string { return line + "\n" })
	c, err := dial(t.Context(), addr, &options{Body: 8}, newNames(10), 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{2, 5, 8, 2, 5} {
		if err := c.run(&workload{steps: []step{lineStep}}); err != nil {
			t.Fatal(err)
		}
		if c.session != want {
			t.Errorf("run %d is on session %d; want %d", i, c.session, want)
		}
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}
