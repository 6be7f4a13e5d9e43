package netpoll

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// TestPanic: a fault in what a request sets off ends that request, wherever it is carried out, and its connection if it is carried out there, and
// nothing else. The faulty part is what the engine calls when it refuses a save for want of memory, or finds a lock left behind.
func TestPanic(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		var log logged
		s, _ := start(t, Options{Transport: transport, Loops: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))}, engine.Options{
			MaxMemory: 1 << 20, StaleLock: time.Millisecond,
			Events: engine.Events{
				Refused:  func(engine.Refusal) { panic("oops") },
				LockLeft: func(engine.StaleLock) { panic("oops") },
			},
		})
		other := dial(t, s)
		ask(t, other, putReq("/fill", make([]byte, 1<<20-45<<10)), wire.StatusOK)
		ask(t, other, putReq("/a", []byte("x")), wire.StatusOK)
		ask(t, other, putReq("/b", []byte("x")), wire.StatusOK)
		const hot = 20
		for i := range hot {
			ask(t, other, putReq(fmt.Sprint("/hot", i), []byte("x")), wire.StatusOK)
		}
		ask(t, other, putReq("/hot0", make([]byte, 36<<10)), wire.StatusOK) // a session may still grow where a new one is refused
		panics := func() int64 { return s.Stats().Panics }

		// On the connection's own lane: with no session, with one that is entered, and with a body that was not taken in.
		for i, request := range [][]byte{putReq("/new", make([]byte, 60<<10)), putReq("/a", make([]byte, 64<<10)), putReq("/b", make([]byte, 100<<10))} {
			c := dial(t, s)
			check(t, c.send(append(append(getReq("/none"), request...), deleteReq("/fill")...)))
			if _, err := c.answer(); err == nil { // it may be lost with the connection
				check(t, c.closed())
			}
			n := int64(i + 1)
			eventually(t, "the connection is counted", func() bool { return s.Stats().Connections == 1 })
			if st := s.Stats(); st.Panics != n || st.Closed["fault"] != n || log.count("event=fault") != int(n) {
				t.Fatalf("%d panics, %d connections, %d lines, want %d of each", st.Panics, st.Closed["fault"], log.count("event=fault"), n)
			}
			ask(t, other, headReq("/fill"), wire.StatusOK)
		}

		// In the queue, where the event loop or the worker carries it out: one session's many requests in one piece have to yield. It may come too soon
		// after a new batch, and be carried out at once; so try again.
		queued := false
		for i := 1; !queued; i++ {
			if i == hot {
				t.Fatal("the request was never queued")
			}
			before := s.Stats()
			key := fmt.Sprint("/hot", i)
			c := dial(t, s)
			check(t, c.send(append(bytes.Repeat(headReq(key), hotShare), putReq(key, make([]byte, 10<<10))...)))
			eventually(t, "the save has ended in a fault", func() bool { return panics() > before.Panics })
			c.close()
			eventually(t, "the connection is gone", func() bool { return s.Stats().Connections == 1 })
			queued = s.Stats().Closed["fault"] == before.Closed["fault"]
		}
		ask(t, other, headReq("/fill"), wire.StatusOK)

		// In the ticker.
		before := panics()
		ask(t, other, acquireReq("/fill"), wire.StatusOK)
		eventually(t, "the lock is found", func() bool { return panics() > before })
		ask(t, other, getReq("/none"), wire.StatusNotFound)
	})
}
