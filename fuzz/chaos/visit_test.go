//go:build linux

package chaos

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/farmstate/farmstate/bench/farm"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// visited is a session that one client alone uses. What it must find there is known, as far as its requests were answered.
type visited struct {
	name   string
	target []byte
	saved  uint64   // number of the last save that was acknowledged, or seen; 0 = the session may never have been made
	tried  uint64   // the last that was sent
	open   []uint64 // saves of which it is not known whether they were executed
	gone   bool     // it has been removed

	lock   uint32 // cookie of the lock that the client has, or may have; 0 = none
	maybe  bool   // it may have given it back
	doubts int    // acquires of which it is not known whether they were executed
	cookie uint32 // the highest that was ever seen
	trace  []string
}

func (cl *client) newVisited() *visited {
	name := fmt.Sprintf("own%021d", cl.tr.names.Add(1))
	return &visited{name: name, target: farm.Target(name)}
}

// page is a kind of page.
type page int

const (
	pageSave page = iota // takes the lock, and saves
	pageRead             // only reads
	pageRelease
	pageAbandon // takes the lock, and dies
	pageRemove
)

func (cl *client) kind() page {
	switch n := cl.rnd.IntN(100); {
	case n < 15:
		return pageRead
	case n < 25:
		return pageRelease
	case n < 28:
		return pageAbandon
	case n < 31:
		return pageRemove
	}
	return pageSave
}

// visit runs a page, with as many requests as it takes.
func (cl *client) visit(v *visited, kind page) {
	begun, held := time.Now(), cl.held
	for !cl.step(v, kind) {
		if cl.tr.bad() {
			return
		}
		if time.Since(begun)-(cl.held-held) > patience*raceFactor {
			cl.tr.fault("client %d has waited since %v for a page of session %s; its requests: %q", cl.id, begun.Format("15:04:05.000000"), v.name, v.trace)
			return
		}
		pass(cl.tr.t.Context(), time.Duration(1+cl.rnd.IntN(4))*time.Millisecond)
	}
	took := time.Since(begun) - (cl.held - held)
	cl.tr.mu.Lock()
	defer cl.tr.mu.Unlock()
	cl.tr.counts["pages"]++
	if took > cl.tr.worst {
		cl.tr.worst, cl.tr.whose = took, v.name
	}
}

// step makes the next request of a page, and reports whether the page has been run.
func (cl *client) step(v *visited, kind page) bool {
	switch {
	case v.gone && kind == pageRead:
		_, done := cl.get(v)
		return done
	case v.gone:
		return cl.save(v, nil)
	case v.tried == 0:
		return cl.save(v, nil)
	case kind == pageRead && v.lock == 0 && v.doubts == 0:
		_, done := cl.get(v)
		return done
	}
	if v.lock == 0 || v.maybe || cl.rnd.IntN(8) == 0 {
		got, ok := cl.acquire(v)
		if !ok || !got { // not known, somebody has it, or there is no session
			return false
		}
	}
	switch kind {
	case pageAbandon:
		return true
	case pageRelease, pageRead:
		return cl.release(v)
	case pageRemove:
		if len(v.open) > 0 { // a save that comes later would make it anew
			return cl.release(v)
		}
		return cl.remove(v)
	case pageSave:
	}
	return cl.save(v, &v.lock)
}

// ask makes a request about the session and writes down what it was.
func (cl *client) ask(v *visited, what string, req *wire.Request, body []byte) (farm.Reply, outcome) {
	node := cl.node()
	call := time.Now()
	r, how := cl.do(node, req, body)
	line := fmt.Sprintf("%s +%v client %d node %d: %s cookie %d version %d: ", call.Format("15:04:05.000000"), time.Since(call), cl.id, node, what, req.Cookie, number(body))
	switch how {
	case sure:
		line += fmt.Sprintf("%v cookie %d version %d", r.Status, r.Cookie, number(r.Body))
	case unsure:
		line += fmt.Sprintf("not known (%v)", r.Status)
	case unsent:
		line += "not sent"
	}
	if len(v.trace) >= 40 {
		v.trace = v.trace[1:]
	}
	v.trace = append(v.trace, line)
	return r, how
}

func number(body []byte) uint64 {
	if len(body) < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(body)
}

// wrong says that something is wrong with a session.
func (cl *client) wrong(v *visited, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, line := range v.trace {
		text += "\n    " + line
	}
	cl.tr.fault("session %s (save %d is the last acknowledged, %v are open, gone %v, lock %d, maybe given back %v, %d acquires open): %s",
		v.name, v.saved, v.open, v.gone, v.lock, v.maybe, v.doubts, text)
}

// judge looks at what was read.
func (cl *client) judge(v *visited, r farm.Reply) {
	n := number(r.Body)
	switch {
	case v.gone:
		cl.wrong(v, "it has come back, as save %d", n)
	case len(r.Body) != cl.tr.body:
		cl.wrong(v, "it has %d bytes", len(r.Body))
	case n == v.saved:
	case !slices.Contains(v.open, n):
		cl.wrong(v, "it has save %d", n)
	case cl.tr.late:
		if n < v.saved {
			cl.tr.count("saves without an answer that were executed after later ones")
		}
		v.saved = n
	default:
		v.saved = n
	}
	if !cl.tr.late { // what nobody has heard of has been executed, or never will be
		v.open = nil
	}
}

// missing looks at a 404.
func (cl *client) missing(v *visited) {
	if v.saved > 0 && !v.gone {
		cl.wrong(v, "it is gone")
	}
	v.gone, v.saved, v.lock, v.maybe, v.doubts, v.cookie = true, 0, 0, false, 0, 0
	if !cl.tr.late {
		v.open = nil
	} else if len(v.open) > 0 {
		v.gone = false // a save may come yet
		v.saved = 0
	}
}

// locked looks at a 423 with a cookie.
func (cl *client) locked(v *visited, cookie uint32) {
	switch {
	case v.lock != 0 && cookie == v.lock:
	case v.doubts > 0 && cookie > v.cookie:
		v.lock = cookie
	default:
		cl.wrong(v, "its lock is said to have cookie %d, the highest before is %d", cookie, v.cookie)
	}
	v.cookie = max(v.cookie, cookie)
	if !cl.tr.late {
		v.maybe, v.doubts = false, 0
	}
}

// get reads the session.
func (cl *client) get(v *visited) (read, known bool) {
	r, how := cl.ask(v, "get", farm.Get(v.target), nil)
	if how != sure {
		return false, false
	}
	switch r.Status {
	case wire.StatusNotFound:
		cl.missing(v)
	case wire.StatusLocked:
		cl.locked(v, r.Cookie)
	default:
		if v.lock != 0 && !v.maybe {
			cl.wrong(v, "it can be read although the lock has not been given back")
		}
		cl.judge(v, r)
	}
	return r.Status == wire.StatusOK, true
}

// acquire takes the lock. got is false if it is held, which is dealt with, or if there is no session.
func (cl *client) acquire(v *visited) (got, known bool) {
	r, how := cl.ask(v, "acquire", farm.Acquire(v.target), nil)
	switch {
	case how == unsure:
		v.doubts++
		return false, false
	case how == unsent:
		return false, false
	}
	switch r.Status {
	case wire.StatusNotFound:
		cl.missing(v)
		if !v.gone { // it may be made yet
			cl.save(v, nil)
		}
		return false, true
	case wire.StatusLocked:
		cl.locked(v, r.Cookie)
		if cl.rnd.IntN(2) == 0 && !v.maybe { // the page that has it goes on
			return true, true
		}
		cl.release(v)
		return false, true
	}
	if v.lock != 0 && !v.maybe {
		cl.wrong(v, "it has two holders, cookies %d and %d", v.lock, r.Cookie)
	}
	if r.Cookie <= v.cookie {
		cl.wrong(v, "cookie %d comes after %d", r.Cookie, v.cookie)
	}
	v.lock, v.maybe, v.cookie = r.Cookie, false, r.Cookie
	if !cl.tr.late {
		v.doubts = 0
	}
	cl.judge(v, r)
	return true, true
}

// save saves the session, with the lock, or as a new one.
func (cl *client) save(v *visited, lock *uint32) bool {
	v.tried++
	body := make([]byte, cl.tr.body)
	binary.LittleEndian.PutUint64(body, v.tried)
	req := &wire.Request{Verb: wire.Put, Target: v.target, Timeout: 20}
	if lock != nil {
		req = farm.Save(v.target, *lock)
	}
	r, how := cl.ask(v, "save", req, body)
	switch how {
	case unsent:
		return false
	case unsure:
		if lock == nil {
			v.gone, v.saved = false, 0
		}
		v.open = append(v.open, v.tried)
		v.maybe = true
		return false
	case sure:
	}
	if r.Status != wire.StatusOK {
		if !cl.refused(v, r) {
			cl.wrong(v, "its save is answered %v", r.Status)
		}
		return false
	}
	v.saved, v.gone, v.lock, v.maybe = v.tried, false, 0, false
	if !cl.tr.late {
		v.open, v.doubts = nil, 0
	}
	return true
}

// refused reports whether it may be that the lock is another's: that of a request whose answer nobody has heard.
func (cl *client) refused(v *visited, r farm.Reply) bool {
	if r.Status != wire.StatusLocked || v.doubts == 0 || r.Cookie <= v.cookie || !v.maybe && v.lock != 0 {
		return false
	}
	v.lock, v.cookie, v.maybe = r.Cookie, r.Cookie, false
	return true
}

// release gives the lock back.
func (cl *client) release(v *visited) bool {
	r, how := cl.ask(v, "release", farm.Release(v.target, v.lock), nil)
	switch how {
	case unsent:
		return false
	case unsure:
		v.maybe = true
		return false
	case sure:
	}
	switch {
	case r.Status == wire.StatusOK:
		v.lock, v.maybe = 0, false
		if !cl.tr.late {
			v.doubts = 0
		}
		return true
	case r.Status == wire.StatusNotFound:
		cl.missing(v)
	case !cl.refused(v, r):
		cl.wrong(v, "its release is answered %v", r.Status)
	}
	return false
}

// remove ends the session.
func (cl *client) remove(v *visited) bool {
	r, how := cl.ask(v, "remove", farm.Remove(v.target, v.lock), nil)
	switch {
	case how == unsent:
		return false
	case how == unsure: // nothing more can be said of it
		trace := v.trace
		*v = *cl.newVisited()
		v.trace = trace
		return true
	case r.Status == wire.StatusOK:
		v.gone, v.saved, v.lock, v.maybe, v.cookie = true, 0, 0, false, 0
		if !cl.tr.late {
			v.doubts = 0
		}
		return true
	case r.Status == wire.StatusNotFound:
		cl.missing(v)
	case !cl.refused(v, r):
		cl.wrong(v, "its removal is answered %v", r.Status)
	}
	return false
}

// look reads all sessions of the client, wherever, and all shared ones at each node.
func (cl *client) look() {
	for _, v := range cl.mine {
		if v.tried == 0 {
			continue
		}
		for end := time.Now().Add(patience * raceFactor); ; {
			if _, known := cl.get(v); known {
				break
			}
			if time.Now().After(end) {
				cl.wrong(v, "nobody can tell what became of it")
				break
			}
			pass(cl.tr.t.Context(), 5*time.Millisecond)
		}
	}
	cl.tr.mu.Lock()
	var shared []*history
	for i, h := range cl.tr.shared {
		if i%len(cl.tr.clientList) == cl.id {
			shared = append(shared, h)
		}
	}
	cl.tr.mu.Unlock()
	for _, h := range shared {
		for node := range cl.tr.addrs {
			cl.read(node, h)
		}
	}
}
