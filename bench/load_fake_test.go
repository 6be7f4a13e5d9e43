package bench

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// fakeServer is a state server of the plainest kind: one map, one mutex. Tests make it lie by its hooks, which are static once
// it serves.
type fakeServer struct {
	t      *testing.T
	format *wire.Format

	// before, if not nil, runs for every request, without the mutex. Request numbers begin with 1.
	before func(n int, r *wire.Request)
	// after, if not nil, may change what is answered. Holds the mutex.
	after func(f *fakeServer, key string, r *wire.Request, a *wire.Answer, body []byte) []byte

	mu sync.Mutex

	// Guarded by mu.

	items    map[string]*fakeItem
	requests int
	conns    map[net.Conn]bool
}

type fakeItem struct {
	body    []byte
	cookie  uint32
	locked  bool
	since   time.Time
	history [][]byte // earlier bodies
}

func newFake(t *testing.T) *fakeServer {
	t.Helper()
	format, err := wire.NewFormat("4.0.30319", false)
	if err != nil {
		t.Fatal(err)
	}
	return &fakeServer{t: t, format: format, items: make(map[string]*fakeItem), conns: make(map[net.Conn]bool)}
}

// listen serves on a loopback port until the test is over, and returns its address.
func (f *fakeServer) listen() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { f.serve(nc) })
		}
	})
	f.t.Cleanup(func() {
		_ = ln.Close()
		f.closeAll()
		all.Wait()
	})
	return ln.Addr().String()
}

func (f *fakeServer) closeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for nc := range f.conns {
		_ = nc.Close()
	}
}

// serve answers the requests of one connection until it ends.
func (f *fakeServer) serve(nc net.Conn) {
	f.mu.Lock()
	f.conns[nc] = true
	f.mu.Unlock()
	defer func() {
		_ = nc.Close()
		f.mu.Lock()
		delete(f.conns, nc)
		f.mu.Unlock()
	}()
	var in []byte
	chunk := make([]byte, 32<<10)
	for {
		var r wire.Request
		n, fault := wire.ParseHead(in, 0, &wireLimits, &r)
		if fault != wire.OK && fault != wire.Short {
			f.t.Errorf("the load generator sent a malformed request: %s", fault)
			return
		}
		if fault == wire.Short || len(in) < n+r.ContentLength {
			got, err := nc.Read(chunk)
			if err != nil {
				return
			}
			in = append(in, chunk[:got]...)
			continue
		}
		key := string(wire.AppendKey(nil, r.Target))
		out := f.answer(key, &r, in[n:n+r.ContentLength])
		in = in[n+r.ContentLength:]
		if out == nil {
			return
		}
		if _, err := nc.Write(out); err != nil {
			return
		}
	}
}

// answer carries out one request; nil closes the connection.
func (f *fakeServer) answer(key string, r *wire.Request, body []byte) []byte {
	f.mu.Lock()
	f.requests++
	n := f.requests
	f.mu.Unlock()
	if f.before != nil {
		f.before(n, r)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var a wire.Answer
	out := f.apply(key, r, body, &a)
	if f.after != nil {
		out = f.after(f, key, r, &a, out)
	}
	if a.Status == wire.StatusOK {
		a.ContentLength = len(out)
	}
	return append(f.format.AppendHead(nil, &a), out...)
}

func (f *fakeServer) apply(key string, r *wire.Request, body []byte, a *wire.Answer) []byte {
	item := f.items[key]
	a.Status = wire.StatusOK
	switch {
	case item == nil && r.Verb == wire.Put:
		f.items[key] = &fakeItem{body: bytes.Clone(body), cookie: 1}
		return nil
	case item == nil:
		a.Status = wire.StatusNotFound
		return nil
	case r.Verb == wire.Head, r.Verb == wire.Put && r.ExtraFlags == 1:
		return nil
	}
	free := !item.locked || r.HasCookie && uint32(r.Cookie) == item.cookie
	plain := r.Verb == wire.Get && r.Exclusive != wire.Release
	if plain && item.locked || !plain && !free {
		*a = wire.Answer{
			Status: wire.StatusLocked, HasCookie: true, Cookie: item.cookie,
			LockAge: int64(time.Since(item.since).Seconds()),
		}
		return nil
	}
	switch {
	case r.Verb == wire.Put:
		item.history = append(item.history, item.body)
		item.body = bytes.Clone(body)
		item.locked = false
	case r.Verb == wire.Delete:
		delete(f.items, key)
	case r.Exclusive == wire.Release:
		item.locked = false
	case r.Exclusive == wire.Acquire:
		item.cookie++
		item.locked, item.since = true, time.Now()
		a.HasCookie, a.Cookie = true, item.cookie
		return item.body
	default:
		return item.body
	}
	return nil
}
