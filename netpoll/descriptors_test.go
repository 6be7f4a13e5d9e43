//go:build unix

package netpoll

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// fewDescriptors is the child's limit. connLimit makes 32 connections of it.
const (
	fewDescriptors = 64
	fewConns       = 32
)

func init() { children["descriptors"] = fewDescriptorsChild }

// fewDescriptorsChild serves with few descriptors. "eat n" uses up all but n of those that are left, "free" gives them back, "stats" prints
// what the server has counted; the end of its input ends it.
func fewDescriptorsChild() {
	die := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
	}
	say := func(words ...any) { _, _ = fmt.Fprintln(os.Stdout, words...) }
	die(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: fewDescriptors, Max: fewDescriptors}))
	e, err := engine.New(engine.Options{}, engine.Time{})
	die(err)
	s, err := Listen(Options{Addr: "127.0.0.1:0", Transport: os.Getenv("NETPOLL_TEST_TRANSPORT")}, e)
	die(err)
	say("listening on", s.Addr())
	var eaten []*os.File
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var left int
		switch {
		case in.Text() == "free":
			for _, f := range eaten {
				die(f.Close())
			}
			eaten = nil
		case in.Text() == "stats":
			st := s.Stats()
			say("stats", st.Connections, st.AcceptErrors, len(s.Err()))
			continue
		default:
			_, err := fmt.Sscanf(in.Text(), "eat %d", &left)
			die(err)
			for {
				f, err := os.Open(os.DevNull)
				if err != nil {
					break
				}
				eaten = append(eaten, f)
			}
			for ; left > 0; left-- {
				die(eaten[len(eaten)-1].Close())
				eaten = eaten[:len(eaten)-1]
			}
		}
		say("done")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	die(s.Shutdown(ctx))
}

// TestDescriptorExhaustion: neither more clients than descriptors, nor a process that has run out of them, ends the server or harms the connections
// that are there; when descriptors are free again, so is the port.
func TestDescriptorExhaustion(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		p := startChild(t, "descriptors", "NETPOLL_TEST_TRANSPORT="+transport)
		var addr string
		p.hear(t, "listening on %s", &addr)
		dial := func() *client {
			nc, err := net.DialTimeout("tcp", addr, patience)
			check(t, err)
			t.Cleanup(func() { _ = nc.Close() })
			return &client{nc: nc.(*net.TCPConn)}
		}
		stats := func() (conns, acceptErrors int) {
			var faults int
			p.tell(t, "stats")
			p.hear(t, "stats %d %d %d", &conns, &acceptErrors, &faults)
			if faults > 0 {
				t.Fatal("the server has ended")
			}
			return conns, acceptErrors
		}

		// More than there is room for.
		var served []*client
		for range 100 {
			c := dial()
			if _, err := c.do(getReq("/a")); err == nil {
				served = append(served, c)
			} else if !ended(err) {
				t.Fatal(err)
			}
		}
		if len(served) != fewConns {
			t.Fatalf("%d of 100 connections are served, want %d", len(served), fewConns)
		}
		allAnswer := func() {
			t.Helper()
			for _, c := range served {
				ask(t, c, getReq("/a"), wire.StatusNotFound)
			}
		}
		allAnswer()
		for _, c := range served[:10] {
			c.close()
		}
		served = served[10:]
		eventually(t, "the closed connections are gone", func() bool { n, _ := stats(); return n == len(served) })
		for range 10 {
			c := dial()
			ask(t, c, getReq("/a"), wire.StatusNotFound)
			served = append(served, c)
		}

		// Room, but none of the process's own descriptors.
		served[0].close()
		served = served[1:]
		eventually(t, "the closed connection is gone", func() bool { n, _ := stats(); return n == len(served) })
		p.tell(t, "eat 0")
		p.hear(t, "done")
		_, before := stats()
		waiting := dial() // into the backlog
		check(t, waiting.send(getReq("/a")))
		eventually(t, "accept has failed twice", func() bool { _, n := stats(); return n >= before+2 })
		allAnswer()
		p.tell(t, "free")
		p.hear(t, "done")
		expect(t, waiting, wire.StatusNotFound)
		waiting.close()
		eventually(t, "the closed connection is gone", func() bool { n, _ := stats(); return n == len(served) })

		// One descriptor: gnet needs a second for a moment.
		p.tell(t, "eat 1")
		p.hear(t, "done")
		last := dial()
		if _, err := last.do(getReq("/a")); err != nil && !ended(err) {
			t.Fatal(err)
		}
		last.close()
		allAnswer()
		p.tell(t, "free")
		p.hear(t, "done")
		eventually(t, "the last connection is gone", func() bool { n, _ := stats(); return n == len(served) })
		c := dial()
		ask(t, c, getReq("/a"), wire.StatusNotFound)
	})
}
