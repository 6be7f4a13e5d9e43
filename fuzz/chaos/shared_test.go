//go:build linux

package chaos

import (
	"encoding/binary"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/farmstate/farmstate/bench/farm"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// share makes one request about one of the sessions that all clients use.
func (cl *client) share() {
	h := cl.pick()
	defer cl.tr.put(h)
	in := cl.choose(h)
	node := cl.node()
	in.node = node
	call := cl.tr.now()
	r, how := cl.do(node, cl.spell(h, in), bodyOf(in))
	cl.note(h, in, call, r, how)
}

// pick chooses a shared session, mostly one of which the client has the lock.
func (cl *client) pick() *history {
	cl.tr.mu.Lock()
	defer cl.tr.mu.Unlock()
	h := cl.tr.shared[cl.rnd.IntN(len(cl.tr.shared))]
	for _, x := range cl.tr.shared {
		if cl.locks[x] != 0 && cl.rnd.IntN(4) > 0 {
			h = x
		}
	}
	h.asking++
	return h
}

// put gives a shared session back. One of which enough is known makes room for a new one.
func (tr *traffic) put(h *history) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	h.asking--
	if len(h.ops) < historyMost && h.unknown < historyUnknown {
		return
	}
	for i, x := range tr.shared {
		if x == h {
			tr.old = append(tr.old, h)
			tr.shared[i] = tr.newHistory()
		}
	}
}

// choose is the next request about a shared session.
func (cl *client) choose(h *history) asked {
	in := asked{cookie: cl.locks[h]}
	n := cl.rnd.IntN(100)
	switch {
	case in.cookie != 0 && n < 75:
		in.op = opSave
	case in.cookie != 0 && n < 88:
		in.op = opRelease
	case in.cookie != 0 && n < 92:
		in.op = opRemove
	case in.cookie != 0 && n < 94:
		delete(cl.locks, h) // its page died
		in = asked{op: opGet}
	case n < 25:
		in = asked{op: opGet}
	case n < 30 && cl.noticed[h] != 0:
		in = asked{op: opRelease, cookie: cl.noticed[h]} // whoever has it has taken too long
		delete(cl.noticed, h)
	case n < 90:
		in = asked{op: opAcquire}
	default:
		in = asked{op: []opKind{opSave, opSave, opRelease, opRemove}[cl.rnd.IntN(4)], cookie: cl.noticed[h]}
	}
	if in.op == opSave {
		in.body = int(cl.tr.bodies.Add(1))
	}
	return in
}

func bodyOf(in asked) []byte {
	if in.op != opSave {
		return nil
	}
	var body []byte
	for range 1 + in.body%40 {
		body = binary.LittleEndian.AppendUint64(body, uint64(in.body))
	}
	return body
}

// spell is the request.
func (*client) spell(h *history, in asked) *wire.Request {
	switch in.op {
	case opAcquire:
		return farm.Acquire(h.target)
	case opRelease:
		return farm.Release(h.target, in.cookie)
	case opSave:
		return farm.Save(h.target, in.cookie)
	case opRemove:
		return farm.Remove(h.target, in.cookie)
	case opGet, opRevoke:
	}
	return farm.Get(h.target)
}

// note notes what has come of a request.
func (cl *client) note(h *history, in asked, call time.Duration, r farm.Reply, how outcome) {
	end := cl.tr.now()
	if in.cookie != 0 && cl.locks[h] == in.cookie && how != unsent {
		delete(cl.locks, h)
	}
	if how == unsent || how == unsure && in.op == opGet {
		return
	}
	op := porcupine.Operation{ClientId: cl.id, Call: int64(call), Return: int64(end), Input: in}
	if how == unsure {
		op.Return, op.Output = never, told{unknown: true}
		if in.op == opAcquire {
			in.id = int(cl.tr.lost.Add(1))
			revoke := op
			revoke.Input = asked{op: opRevoke, id: in.id, node: in.node}
			h.add(cl.tr, revoke)
		}
		op.Input = in
		h.add(cl.tr, op)
		return
	}
	out := told{status: r.Status}
	if r.Status == wire.StatusLocked {
		out.cookie, cl.noticed[h] = r.Cookie, r.Cookie
	}
	if r.Status == wire.StatusOK && (in.op == opGet || in.op == opAcquire) {
		out.body = cl.number(h, r.Body)
	}
	if r.Status == wire.StatusOK && in.op == opAcquire {
		out.cookie, cl.locks[h] = r.Cookie, r.Cookie
		delete(cl.noticed, h)
	}
	op.Output = out
	h.add(cl.tr, op)
}

func (h *history) add(tr *traffic, op porcupine.Operation) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	h.ops = append(h.ops, op)
	if op.Output.(told).unknown {
		h.unknown++
	}
}

// number reads the number of a body, all of which must be of the same save.
func (cl *client) number(h *history, body []byte) int {
	if len(body) < 8 {
		cl.tr.fault("session %s: a body of %d bytes", h.name, len(body))
		return -1
	}
	n := binary.LittleEndian.Uint64(body)
	for i := 0; i+8 <= len(body); i += 8 {
		if got := binary.LittleEndian.Uint64(body[i:]); got != n || len(body) != 8*(1+int(n)%40) {
			cl.tr.fault("session %s: a body of %d bytes begins as %d and goes on as %d", h.name, len(body), n, got)
			return -1
		}
	}
	return int(n)
}

// read reads a shared session at a node until it is known what it is.
func (cl *client) read(node int, h *history) {
	for end := time.Now().Add(patience * raceFactor); ; {
		call := cl.tr.now()
		r, how := cl.do(node, farm.Get(h.target), nil)
		cl.note(h, asked{op: opGet, node: node}, call, r, how)
		if how == sure {
			return
		}
		if time.Now().After(end) {
			cl.tr.fault("node %d cannot tell what became of session %s", node, h.name)
			return
		}
		pass(cl.tr.t.Context(), 10*time.Millisecond)
	}
}
