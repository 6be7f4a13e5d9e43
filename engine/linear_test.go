package engine

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// asked and told are one operation of a history: a request, and what its client learnt of it.
type asked struct {
	op     Op
	insert bool
	has    bool
	cookie uint32
	body   int // number of the body of a Set
	revoke bool
	done   bool // it has been carried out, even if it was cut or cancelled
}

type told struct {
	status Status
	body   int
	cookie uint32
	uninit bool
	gone   bool // the answer was not taken
}

// seen is what a history knows of one session. The zero value is no session.
type seen struct {
	exists, locked, uninit bool
	cookie                 uint32
	body                   int
}

// lockModel is the lock of one session as docs/lock.md describes it, one operation at a time. If a history can be explained by operations that take effect one by
// one, each between its beginning and its end, then it is linearizable (§7.11).
var lockModel = porcupine.Model{
	Init: func() any { return seen{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(seen), input.(asked), output.(told)
		ok := s.step(in, out)
		return ok, s
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
	DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
}

// step reports whether the operation can end like this in this state, and changes the state.
func (s *seen) step(in asked, out told) bool {
	right := !s.locked || in.has && in.cookie == s.cookie
	switch {
	case in.revoke:
		if s.locked && in.cookie == s.cookie {
			s.locked = false
		}
		return true
	case out.status == Cut && in.done:
		s.apply(in, right)
		return true
	case out.status == Cut:
		return true
	case out.status == NotFound:
		return !s.exists && in.op != Set
	case in.op == Set && !s.exists:
		*s = seen{exists: true, uninit: in.insert, cookie: 1, body: in.body}
		return out.status == OK
	case !s.exists:
		return false
	}
	if in.op == Get || in.op == Acquire || in.op == Release {
		if out.uninit != s.uninit {
			return false
		}
		s.uninit = false
	}
	if out.status == Locked {
		return s.locked && out.cookie == s.cookie &&
			(in.op == Get || in.op == Acquire || !right && (in.op == Release || in.op == Set && !in.insert || in.op == Remove))
	}
	switch in.op {
	case Get:
		return out.status == OK && !s.locked && out.body == s.body
	case Acquire:
		if out.status != OK || s.locked {
			return false
		}
		s.cookie++
		s.locked = !out.gone
		return out.cookie == s.cookie && out.body == s.body
	case Release:
		if !in.has {
			return out.status == NoCookie
		}
		s.locked = false
		return out.status == OK && right
	case Set:
		if !in.insert {
			if !right {
				return false
			}
			s.body, s.locked = in.body, false
		}
		return out.status == OK
	case Remove:
		*s = seen{}
		return out.status == OK && right
	case Touch:
		return out.status == OK
	case Leave:
	}
	return false
}

// apply changes the state as an operation does whose outcome nobody has learnt. A lock that it would have got is free again.
func (s *seen) apply(in asked, right bool) {
	switch {
	case in.op == Set && !s.exists:
		*s = seen{exists: true, uninit: in.insert, cookie: 1, body: in.body}
		return
	case !s.exists:
		return
	}
	switch in.op {
	case Get, Acquire, Release:
		s.uninit = false
		if in.op == Acquire && !s.locked {
			s.cookie++
		}
		if in.op == Release && in.has && right {
			s.locked = false
		}
	case Set:
		if !in.insert && right {
			s.body, s.locked = in.body, false
		}
	case Remove:
		if right {
			*s = seen{}
		}
	case Touch, Leave:
	}
}
