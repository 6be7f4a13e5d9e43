package bench

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// BenchmarkCycle answers what a page costs over real sockets: acquire, then save with the cookie. One connection a goroutine; server and clients share
// the processors.
func BenchmarkCycle(b *testing.B) {
	for _, size := range bodySizes {
		b.Run("body="+sizeName(size), func(b *testing.B) {
			e, err := engine.New(engine.Options{LockWait: engine.DefaultLockWait}, engine.Time{})
			if err != nil {
				b.Fatal(err)
			}
			srv, err := netpoll.Listen(netpoll.Options{Addr: "127.0.0.1:0"}, e)
			if err != nil {
				b.Fatal(err)
			}
			defer func() {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				if err := srv.Shutdown(ctx); err != nil {
					b.Error(err)
				}
			}()
			ids := make(chan int, 1024)
			for i := range cap(ids) {
				ids <- i
			}
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				p := newPager(b, srv.Addr().String(), <-ids, size)
				defer p.conn.Close()
				for pb.Next() {
					if err := p.page(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// pager is a client that opens one page after the other on a session of its own.
type pager struct {
	conn    net.Conn
	target  []byte
	acquire []byte
	save    []byte
	body    []byte
	buf     []byte
}

func newPager(b *testing.B, addr string, session, size int) *pager {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	p := &pager{conn: conn, body: makeBody(size), buf: make([]byte, size+1024)}
	p.target = wire.AppendTarget(nil, appendKey(nil, session))
	p.acquire = wire.AppendRequest(nil, &wire.Request{Verb: wire.Get, Target: p.target, Exclusive: wire.Acquire, Timeout: 20})
	if _, err := p.put(0); err != nil {
		b.Fatal(err)
	}
	return p
}

func (p *pager) page() error {
	a, err := p.exchange(p.acquire)
	if err != nil || !a.HasCookie {
		return fmt.Errorf("acquire: %+v, %w", a, err)
	}
	p.body[0]++
	a, err = p.put(a.Cookie)
	if err != nil || a.Status != wire.StatusOK {
		return fmt.Errorf("save: %+v, %w", a, err)
	}
	return nil
}

func (p *pager) put(cookie uint32) (wire.Answer, error) {
	p.save = wire.AppendRequest(p.save[:0], &wire.Request{
		Verb: wire.Put, Target: p.target, ContentLength: len(p.body), Timeout: 20, HasCookie: true, Cookie: int32(cookie),
	})
	p.save = append(p.save, p.body...)
	return p.exchange(p.save)
}

// exchange sends a request and reads the whole answer.
func (p *pager) exchange(req []byte) (a wire.Answer, err error) {
	if _, err = p.conn.Write(req); err != nil {
		return a, err
	}
	lim := wire.Limits{MaxHead: 1 << 10, MaxBody: 1 << 20}
	for got := 0; ; {
		n, err := p.conn.Read(p.buf[got:])
		if err != nil {
			return a, err
		}
		got += n
		head, fault := wire.ParseAnswer(p.buf[:got], &lim, &a)
		switch {
		case fault == wire.Short:
		case fault != wire.OK:
			return a, fmt.Errorf("answer: %v", fault)
		case got == head+a.ContentLength:
			return a, nil
		}
	}
}
