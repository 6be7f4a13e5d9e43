package netpoll

import "github.com/farmstate/farmstate/engine"

// intake takes in the body of a save that is too large to wait for in the read buffer: the bytes go straight to the memory in which they will be
// stored. That memory is taken from the engine's account before it is used.
//
// Invariant: while a body is under way, cap(buf) bytes are reserved, or dropped is set and buf is nil.
type intake struct {
	buf     []byte
	want    int
	dropped bool // no memory: the rest is read and forgotten, then the save is refused (§6.5)
}

// begin starts a body of n bytes. It is given all its memory at once as long as all bodies that are under way stay below the server's share; beyond
// it a client gets memory only as its bytes arrive, so that announcing a body costs nobody anything.
func (in *intake) begin(s *Server, n int) {
	*in = intake{want: n}
	first := n
	if s.intakes.Load()+int64(n) > s.intakeShare {
		first = min(n, wholeBody)
	}
	in.grow(s, first)
}

// grow makes room for n bytes in all.
func (in *intake) grow(s *Server, n int) {
	more := n - cap(in.buf)
	if !s.engine.Reserve(more) {
		in.abandon(s)
		in.dropped = true
		return
	}
	s.intakes.Add(int64(more))
	fresh := make([]byte, len(in.buf), n)
	copy(fresh, in.buf)
	in.buf = fresh
}

// add takes in bytes, at most as many as are left.
func (in *intake) add(s *Server, b []byte) {
	if in.dropped {
		return
	}
	if need := len(in.buf) + len(b); need > cap(in.buf) {
		in.grow(s, min(in.want, max(need, 2*cap(in.buf))))
		if in.dropped {
			return
		}
	}
	in.buf = append(in.buf, b...)
}

// take hands the body, with its reservation, to a ticket.
func (in *intake) take(s *Server, t *engine.Ticket) {
	s.intakes.Add(-int64(cap(in.buf)))
	t.Body, t.Owned = in.buf, true
	in.buf = nil
}

// abandon gives back the memory of a body that will not be stored.
func (in *intake) abandon(s *Server) {
	if n := cap(in.buf); n > 0 {
		s.intakes.Add(-int64(n))
		s.engine.Unreserve(n)
	}
	in.buf = nil
}
