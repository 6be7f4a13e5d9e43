//go:build unix

package operate

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// balancer chooses nodes for pages as a load balancer does that asks /readyz: those that are ready, in turn.
type balancer struct {
	nodes []*node
	ready []atomic.Bool
	next  atomic.Int64
	quit  chan struct{}
	ended sync.WaitGroup
}

// checkEvery is how often a node is asked; load balancers take seconds, which a test has not.
const checkEvery = 20 * time.Millisecond

// balance begins to watch nodes; the result has to be closed.
func balance(nodes []*node) *balancer {
	b := &balancer{nodes: nodes, ready: make([]atomic.Bool, len(nodes)), quit: make(chan struct{})}
	for i, n := range nodes {
		b.ready[i].Store(true)
		b.ended.Go(func() {
			tick := time.NewTicker(checkEvery)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					b.ready[i].Store(n.get("/readyz?except=copies").status == http.StatusOK)
				case <-b.quit:
					return
				}
			}
		})
	}
	return b
}

func (b *balancer) close() {
	close(b.quit)
	b.ended.Wait()
}

// pick returns a node that is ready; nil if none is.
func (b *balancer) pick() *node {
	for range b.nodes {
		i := int(b.next.Add(1)) % len(b.nodes)
		if b.ready[i].Load() {
			return b.nodes[i]
		}
	}
	return nil
}

// users are visitors of a site: each opens a page when the one before is there, and each page counts one on in the visitor's session.
type users struct {
	t      *testing.T
	pages  atomic.Int64
	quit   chan struct{}
	ended  sync.WaitGroup
	mu     sync.Mutex
	failed []string // guarded by mu
}

// browse has so many visitors open pages; the result has to be ended.
func browse(t *testing.T, b *balancer, many int) *users {
	t.Helper()
	u := &users{t: t, quit: make(chan struct{})}
	for i := range many {
		u.ended.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond) // a visitor who reads nothing
			defer tick.Stop()
			for count := 0; ; {
				select {
				case <-tick.C:
				case <-u.quit:
					return
				}
				n := b.pick()
				if n == nil {
					u.fail(fmt.Sprintf("visitor %d: no node is ready", i))
					continue
				}
				if err := page(t, n, key(1, newID(i)), count); err != nil {
					u.fail(fmt.Sprintf("visitor %d, page %d at %s: %v", i, count, n.name, err))
					continue
				}
				count++
				u.pages.Add(1)
			}
		})
	}
	return u
}

// page opens one page: it locks the session, finds the count in it, and saves the next.
func page(t *testing.T, n *node, key string, count int) error {
	c, err := connect(t, n.state, "")
	if err != nil {
		return err
	}
	defer func() { _ = c.c.Close() }()
	cookie := 0
	if count > 0 {
		got, err := c.try(acquire(key))
		if err != nil || got.status != http.StatusOK || got.body != strconv.Itoa(count) {
			return errors.Join(err, fmt.Errorf("acquire: %d %q, want %d", got.status, got.body, count))
		}
		cookie = got.cookie
	}
	request := putLocked(key, strconv.Itoa(count+1), cookie)
	if count == 0 {
		request = put(key, "1")
	}
	if got, err := c.try(request); err != nil || got.status != http.StatusOK {
		return errors.Join(err, fmt.Errorf("save: %d", got.status))
	}
	return nil
}

func (u *users) fail(text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.failed = append(u.failed, text)
}

// end ends the visits, and reports the pages that have failed.
func (u *users) end() {
	u.t.Helper()
	close(u.quit)
	u.ended.Wait()
	for i, text := range u.failed {
		if i == 10 {
			break
		}
		u.t.Error(text)
	}
	u.t.Logf("%d pages, %d failed", u.pages.Load(), len(u.failed))
	if u.pages.Load() < 200 {
		u.t.Errorf("only %d pages: that proves little", u.pages.Load())
	}
}
