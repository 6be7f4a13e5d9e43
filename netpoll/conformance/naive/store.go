package naive

import (
	"fmt"
	"sync"
	"time"
)

// store holds the sessions.
type store struct {
	opt   Options
	mu    sync.Mutex // guards items and everything in them
	items map[string]*item
}

// item is one session. See docs/protocol.md §7.1.
type item struct {
	body          []byte
	before        []byte // the body that body replaced
	sliding       int    // minutes; 0: does not expire
	expires       time.Time
	locked        bool
	since         time.Time
	counter       int64
	uninitialised bool
	waiters       []*waiter
}

// waiter is an acquire that is held. Its answer is sent exactly once, unless it
// is taken out of the queue before.
type waiter struct {
	answer chan []byte
}

func newStore(opt Options) *store {
	return &store{opt: opt, items: make(map[string]*item)}
}

// do executes r and returns the response, or the waiter that will get it.
func (s *store) do(r *request, body []byte) ([]byte, *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.lookup(r.key)
	if it == nil && r.verb == "HEAD" && s.opt.Fault == EagerTouch {
		it = s.insert(r, []byte("?"))
	}
	switch {
	case r.verb == "PUT":
		return s.put(it, r, body), nil
	case it == nil:
		return response("404 Not Found", nil, nil), nil
	case r.verb == "DELETE":
		return s.remove(it, r), nil
	case r.verb == "HEAD":
		return response("200 OK", nil, nil), nil
	}
	return s.get(it, r)
}

// lookup returns the live item and slides its timer.
func (s *store) lookup(key string) *item {
	it := s.items[key]
	now := time.Now()
	if it != nil && it.sliding > 0 && !now.Before(it.expires) {
		s.drop(key, it)
		return nil
	}
	if it != nil {
		it.slide(now)
	}
	return it
}

func (it *item) slide(now time.Time) {
	it.expires = now.Add(time.Duration(it.sliding) * time.Minute)
}

// insert stores a new item.
func (s *store) insert(r *request, body []byte) *item {
	it := &item{body: body, sliding: r.timeout, counter: 1, uninitialised: r.insertOnly}
	it.slide(time.Now())
	s.items[r.key] = it
	return it
}

// drop removes an item and sends its waiters away.
func (s *store) drop(key string, it *item) {
	delete(s.items, key)
	for _, w := range it.waiters {
		w.answer <- response("404 Not Found", nil, nil)
	}
}

func (s *store) put(it *item, r *request, body []byte) []byte {
	done := response("200 OK", nil, nil)
	if it == nil {
		s.insert(r, body)
		return done
	}
	if r.insertOnly {
		return done
	}
	if it.locked && r.cookie != it.counter && s.opt.Fault != LateSave {
		return it.refusal()
	}
	it.before, it.body = it.body, body
	if it.sliding != r.timeout {
		it.sliding, it.uninitialised = r.timeout, false
		if s.opt.Fault == LostCounter {
			it.counter = 1
		}
	}
	it.slide(time.Now())
	s.unlock(it)
	return done
}

func (s *store) remove(it *item, r *request) []byte {
	if it.locked && r.cookie != it.counter {
		return it.refusal()
	}
	if s.opt.Fault == BlindRemove {
		s.unlock(it)
	} else {
		s.drop(r.key, it)
	}
	return response("200 OK", nil, nil)
}

func (s *store) get(it *item, r *request) ([]byte, *waiter) {
	var flag []string
	if it.uninitialised {
		it.uninitialised = s.opt.Fault == StickyFlag
		flag = []string{"ActionFlags: 1"}
	}
	if r.exclusive == "release" {
		return s.release(it, r, flag), nil
	}
	if it.locked && (r.exclusive == "" || s.opt.Fault != SharedLock) {
		if r.exclusive == "acquire" && s.opt.LockWait > 0 {
			w := &waiter{answer: make(chan []byte, 1)}
			it.waiters = append(it.waiters, w)
			return nil, w
		}
		return it.refusal(), nil
	}
	if r.exclusive == "acquire" {
		return s.grant(it, flag), nil
	}
	read := it.body
	if s.opt.Fault == OldRead && it.before != nil {
		read = it.before
	}
	return response("200 OK", append(flag, fmt.Sprint("Timeout: ", it.sliding)), read), nil
}

func (s *store) release(it *item, r *request, flag []string) []byte {
	switch {
	case r.cookie == noCookie:
		return response("400 Bad Request", flag, nil)
	case it.locked && r.cookie != it.counter:
		return it.refusal()
	case s.opt.Fault != DeafRelease:
		s.unlock(it)
	}
	return response("200 OK", flag, nil)
}

// grant gives the lock away.
func (s *store) grant(it *item, flag []string) []byte {
	it.locked, it.since = true, time.Now()
	it.counter++
	cookie, timeout := fmt.Sprint("LockCookie: ", it.counter), fmt.Sprint("Timeout: ", it.sliding)
	if s.opt.Fault == LooseHeaders {
		cookie, timeout = timeout, cookie
	}
	return response("200 OK", append(flag, cookie, timeout), it.body)
}

// unlock ends the lock, or hands it to the first waiter.
func (s *store) unlock(it *item) {
	it.locked = false
	if len(it.waiters) == 0 {
		return
	}
	w := it.waiters[0]
	it.waiters = it.waiters[1:]
	it.slide(time.Now())
	w.answer <- s.grant(it, nil)
}

// refuse ends the wait of w, whose time is over, and returns its answer: the
// refusal, or what had come in the meantime.
func (s *store) refuse(key string, w *waiter) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.dequeue(key, w); it != nil {
		return it.refusal()
	}
	return <-w.answer
}

// forget ends the wait of w, whose client has gone, and takes back a lock that
// it was granted and cannot have seen.
func (s *store) forget(key string, w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dequeue(key, w) != nil {
		return
	}
	if it := s.items[key]; it != nil && it.locked {
		s.unlock(it)
	}
}

// dequeue takes w out of the queue; nil means that it is in none any more.
func (s *store) dequeue(key string, w *waiter) *item {
	it := s.items[key]
	if it == nil {
		return nil
	}
	for i, other := range it.waiters {
		if other == w {
			it.waiters = append(it.waiters[:i:i], it.waiters[i+1:]...)
			return it
		}
	}
	return nil
}
