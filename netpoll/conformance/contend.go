package conformance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// contend lets n clients count up the number in the session, rounds times each,
// every time under the lock. No count may be lost and no cookie come twice.
// See docs/protocol.md §7.8 and §7.11.
type contend struct {
	n, rounds int
}

func decodeContend(o *object, _ *scope) action {
	c := contend{require[int](o, "contend"), require[int](o, "rounds")}
	if c.n < 1 || c.n > maxFan || c.rounds < 1 || c.rounds > 100_000 {
		o.fail("contend: %d clients of %d rounds are not possible", c.n, c.rounds)
	}
	return c
}

// cookieJar collects the cookies that were handed out.
type cookieJar struct {
	mu   sync.Mutex
	seen map[string]bool
}

// add fails if the cookie was there before.
func (j *cookieJar) add(cookie string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.seen[cookie] {
		return fmt.Errorf("LockCookie %s was handed out twice", cookie)
	}
	j.seen[cookie] = true
	return nil
}

func (c contend) do(ctx context.Context, p *player) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	jar := &cookieJar{seen: make(map[string]bool)}
	errs := make([]error, c.n)
	var wg sync.WaitGroup
	for i := range c.n {
		wg.Go(func() {
			if err := c.client(ctx, p, jar); err != nil {
				errs[i] = fmt.Errorf("client %d: %w", i+1, err)
				cancel(errs[i]) // the others need not go on
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return context.Cause(ctx)
	}
	return c.checkTotal(ctx, p)
}

// client is one of the clients, on a connection of its own.
func (c contend) client(ctx context.Context, p *player, jar *cookieJar) error {
	conn, err := openConn(ctx, p.addr, &p.limits)
	if err != nil {
		return err
	}
	defer conn.close()
	for range c.rounds {
		if err := c.turn(ctx, p, conn, jar); err != nil {
			return err
		}
	}
	return conn.leftover("at the end")
}

// turn takes the lock, counts and saves.
func (c contend) turn(ctx context.Context, p *player, conn *conn, jar *cookieJar) error {
	r, err := c.acquire(ctx, p, conn)
	if err != nil {
		return err
	}
	cookie, ok := r.header("LockCookie")
	if !ok {
		return r.differs(0, "an acquire was answered without a LockCookie")
	}
	if err := jar.add(cookie); err != nil {
		return err
	}
	n, err := strconv.Atoi(string(r.body))
	if err != nil {
		return r.differs(len(r.head), "want a decimal body")
	}
	timeout, _ := r.header("Timeout")
	body := strconv.Itoa(n + 1)
	put := fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: h\r\nTimeout: %s\r\nContent-Length: %d\r\nExtraFlags: 0\r\nLockCookie: %s\r\n\r\n%s",
		p.names.target(), timeout, len(body), cookie, body)
	_, err = exchange(ctx, p, conn, put, "200")
	return err
}

// Times of the clients, which do not wait for the lock by polling as pages do
// but ask again at once.
const (
	contendPatience = time.Minute          // for one lock
	contendPause    = 2 * time.Millisecond // after a refusal
)

// acquire asks until it gets the lock.
func (c contend) acquire(ctx context.Context, p *player, conn *conn) (reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, contendPatience,
		fmt.Errorf("no lock within %v", contendPatience))
	defer cancel()
	request := "GET " + p.names.target() + " HTTP/1.1\r\nHost: h\r\nExclusive: acquire\r\n\r\n"
	for {
		r, err := exchange(ctx, p, conn, request, "200", "423")
		if err != nil || r.status() == "200" {
			return r, err
		}
		if err := pause(ctx, contendPause); err != nil {
			return r, err
		}
	}
}

// checkTotal reads what the clients have left.
func (c contend) checkTotal(ctx context.Context, p *player) error {
	conn, err := openConn(ctx, p.addr, &p.limits)
	if err != nil {
		return err
	}
	defer conn.close()
	r, err := exchange(ctx, p, conn, "GET "+p.names.target()+" HTTP/1.1\r\nHost: h\r\n\r\n", "200")
	if err != nil {
		return err
	}
	if want := strconv.Itoa(c.n * c.rounds); string(r.body) != want {
		return r.differs(len(r.head), fmt.Sprintf("want a total of %s", want))
	}
	return nil
}

// exchange sends a request and takes its response, which must have one of the
// status numbers.
func exchange(ctx context.Context, p *player, c *conn, request string, status ...string) (reply, error) {
	if err := c.send([]byte(request)); err != nil {
		return reply{}, err
	}
	r, err := c.reply(ctx, p.limits.answer)
	if err != nil {
		return r, err
	}
	for _, want := range status {
		if r.status() == want {
			return r, nil
		}
	}
	return r, r.differs(0, fmt.Sprintf("want status %v", status))
}
