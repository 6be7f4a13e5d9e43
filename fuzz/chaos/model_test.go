package chaos

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// opKind is what a client asks for.
type opKind uint8

const (
	opGet opKind = iota
	opAcquire
	opRelease
	opSave
	opRemove
	// opRevoke is no request: nobody has been told of a grant, and the node takes the lock back. It may happen, after the acquire, or not.
	opRevoke
)

var opNames = [...]string{"get", "acquire", "release", "save", "remove", "revoke"}

func (k opKind) String() string { return opNames[k] }

// asked and told are one operation of a history: a request, and what its client learnt of it.
type asked struct {
	op     opKind
	cookie uint32
	body   int // number of what is saved
	id     int // of an acquire whose outcome is not known, and of its opRevoke
	node   int // that was asked; it makes no difference
}

type told struct {
	unknown bool // it may have been executed at any time, or never
	status  wire.Status
	body    int
	cookie  uint32
}

// seen is what a history knows of one session. The zero value is no session.
type seen struct {
	exists, locked bool
	cookie         uint32 // the last that was given
	least          bool   // nobody has been told the cookie of the lock: it is cookie or more
	body           int
	owner          int // id of the acquire of unknown outcome that has the lock; 0 = another
}

// model is the lock of one session as docs/lock.md describes it, whichever nodes its requests go to, and whichever of them die: only cookies may jump ahead.
var model = porcupine.Model{
	Init: func() any { return seen{} },
	Step: func(state, input, output any) (bool, any) {
		s := state.(seen)
		ok := s.step(input.(asked), output.(told))
		return ok, s
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
	DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
}

// step executes an operation, and reports whether it can end as its client was told.
func (s *seen) step(in asked, out told) bool {
	before := *s
	if in.op == opRevoke {
		if s.locked && s.owner == in.id {
			s.locked, s.owner, s.least = false, 0, false
		}
		return true
	}
	if s.learn(in, out) && s.execute(in, out) {
		return true
	}
	*s = before
	return false
}

// learn takes note of the lock's cookie, if it was not known and the answer says it.
func (s *seen) learn(in asked, out told) bool {
	if !s.least || out.unknown {
		return true
	}
	cookie := out.cookie
	switch {
	case out.status == wire.StatusLocked:
	case out.status == wire.StatusOK && (in.op == opRelease || in.op == opSave || in.op == opRemove):
		cookie = in.cookie
	default:
		return true // no answer that a locked session gives
	}
	if cookie < s.cookie {
		return false
	}
	s.cookie, s.least = cookie, false
	return true
}

// execute does what a request asks for. It reports whether the answer is right.
func (s *seen) execute(in asked, out told) bool {
	answers := func(status wire.Status) bool { return out.unknown || out.status == status }
	if !s.exists {
		if in.op != opSave {
			return answers(wire.StatusNotFound)
		}
		*s = seen{exists: true, body: in.body}
		return answers(wire.StatusOK)
	}
	right := !s.locked || in.cookie == s.cookie && !s.least
	if in.op == opGet || in.op == opAcquire {
		right = !s.locked
	}
	if !right {
		return out.unknown || out.status == wire.StatusLocked && out.cookie == s.cookie
	}
	if !answers(wire.StatusOK) {
		return false
	}
	switch in.op {
	case opGet:
		return out.unknown || out.body == s.body
	case opAcquire:
		if !out.unknown && (out.cookie <= s.cookie || out.body != s.body) {
			return false
		}
		s.locked, s.owner, s.least, s.cookie = true, in.id, out.unknown, max(s.cookie+1, out.cookie)
	case opRelease:
		s.locked, s.owner = false, 0
	case opSave:
		s.locked, s.owner, s.body = false, 0, in.body
	case opRemove:
		*s = seen{}
	case opRevoke:
	}
	return true
}

// never is the end of an operation that nobody was told about: after all others.
const never = math.MaxInt64

// check reports why no order of the operations explains what their clients were told; empty if there is one. decided is false if that took too long.
func check(ops []porcupine.Operation, limit time.Duration) (why string, decided bool) {
	result, info := porcupine.CheckOperationsVerbose(model, ops, limit)
	if result == porcupine.Ok {
		return "", true
	}
	if result == porcupine.Unknown {
		return "", false
	}
	var longest []int
	for _, partition := range info.PartialLinearizations() {
		for _, part := range partition {
			if len(part) > len(longest) {
				longest = part
			}
		}
	}
	done := map[int]bool{}
	var b strings.Builder
	fmt.Fprintf(&b, "%d operations that no order explains. These can still be, in this order:\n", len(ops))
	for i, id := range longest {
		done[id] = true
		if i >= len(longest)-25 {
			describe(&b, ops[id])
		}
	}
	b.WriteString("then none of\n") // with those of unknown outcome, which need not be executed
	for id, op := range ops {
		if !done[id] && b.Len() < 9000 {
			describe(&b, op)
		}
	}
	return b.String(), true
}

func describe(b *strings.Builder, op porcupine.Operation) {
	in, out := op.Input.(asked), op.Output.(told)
	end := "never"
	if op.Return != never {
		end = time.Duration(op.Return).String()
	}
	fmt.Fprintf(b, "  client %d, node %d, %v to %s: %s cookie %d body %d", op.ClientId, in.node, time.Duration(op.Call), end, in.op, in.cookie, in.body)
	if out.unknown {
		fmt.Fprintf(b, ": not known; id %d\n", in.id)
		return
	}
	fmt.Fprintf(b, ": %v cookie %d body %d\n", out.status, out.cookie, out.body)
}

// TestChecker holds the checker to refusing histories that are wrong, and to taking those that are not.
func TestChecker(t *testing.T) {
	const ok, locked, missing = wire.StatusOK, wire.StatusLocked, wire.StatusNotFound
	type row struct {
		call, end int64
		in        asked
		out       told
	}
	create := row{0, 1, asked{op: opSave, body: 1}, told{status: ok}}
	get := func(call int64, body int) row {
		return row{call, call + 1, asked{op: opGet}, told{status: ok, body: body}}
	}
	acquire := func(call, end int64, cookie uint32, body int) row {
		return row{call, end, asked{op: opAcquire}, told{status: ok, cookie: cookie, body: body}}
	}
	save := func(call, end int64, cookie uint32, body int) row {
		return row{call, end, asked{op: opSave, cookie: cookie, body: body}, told{status: ok}}
	}
	lost := func(call int64, in asked) row { return row{call, never, in, told{unknown: true}} }
	lostAcquire := func(call int64) []row {
		return []row{lost(call, asked{op: opAcquire, id: 7}), lost(call, asked{op: opRevoke, id: 7})}
	}
	remove := row{2, 3, asked{op: opRemove}, told{status: ok}}
	for _, c := range []struct {
		name  string
		rows  []row
		wrong bool
	}{
		{"pages one after the other", []row{create, acquire(2, 3, 2, 1), save(4, 5, 2, 2), get(6, 2)}, false},
		{"cookies jump ahead", []row{create, acquire(2, 3, 2, 1), save(4, 5, 2, 2), acquire(6, 7, 1026, 2)}, false},
		{"cookies go back", []row{create, acquire(2, 3, 1026, 1), save(4, 5, 1026, 2), acquire(6, 7, 3, 2)}, true},
		{"an acknowledged save is lost", []row{create, acquire(2, 3, 2, 1), save(4, 5, 2, 2), get(6, 1)}, true},
		{"a read beside a save may see either", []row{create, acquire(2, 3, 2, 1), save(4, 9, 2, 2), get(6, 2)}, false},
		{"a session is gone", []row{create, {2, 3, asked{op: opGet}, told{status: missing}}}, true},
		{"a removed session comes back", []row{create, remove, get(4, 1)}, true},
		{"a removed session is made anew", []row{create, remove, {4, 5, asked{op: opSave, body: 5}, told{status: ok}}, get(6, 5)}, false},
		{"two holders", []row{create, acquire(2, 3, 2, 1), acquire(4, 5, 3, 1)}, true},
		{"a cookie is given twice", []row{create, acquire(2, 3, 2, 1), save(4, 5, 2, 2), acquire(6, 7, 2, 2)}, true},
		{"a refusal of an unlocked session", []row{create, {2, 3, asked{op: opAcquire}, told{status: locked, cookie: 2}}}, true},
		{"a save without an answer was executed", []row{create, lost(2, asked{op: opSave, body: 2}), get(8, 1), get(10, 2)}, false},
		{"a save without an answer is undone", []row{create, lost(2, asked{op: opSave, body: 2}), get(8, 2), get(10, 1)}, true},
		{"an acquire without an answer has the lock", append(lostAcquire(2), create, row{8, 9, asked{op: opGet}, told{status: locked, cookie: 2}}), false},
		{"and with a cookie that has jumped", append(lostAcquire(2), create, row{8, 9, asked{op: opGet}, told{status: locked, cookie: 2000}}), false},
		{"and with two cookies", append(lostAcquire(2), create, row{8, 9, asked{op: opGet}, told{status: locked, cookie: 20}},
			row{10, 11, asked{op: opGet}, told{status: locked, cookie: 21}}), true},
		{"and loses it", append(lostAcquire(2), create, row{6, 7, asked{op: opGet}, told{status: locked, cookie: 2}}, acquire(8, 9, 3, 1)), false},
		{"and somebody breaks it", append(lostAcquire(2), create, row{6, 7, asked{op: opGet}, told{status: locked, cookie: 9}},
			row{8, 9, asked{op: opRelease, cookie: 9}, told{status: ok}}, acquire(10, 11, 10, 1)), false},
		{"and was never executed", append(lostAcquire(2), create, acquire(8, 9, 2, 1)), false},
		{"and gets it twice", append(lostAcquire(2), create, row{6, 7, asked{op: opGet}, told{status: locked, cookie: 2}}, acquire(8, 9, 3, 1),
			save(10, 11, 3, 4), row{12, 13, asked{op: opGet}, told{status: locked, cookie: 4}}), true},
	} {
		var ops []porcupine.Operation
		for i, r := range c.rows {
			ops = append(ops, porcupine.Operation{ClientId: i, Call: r.call, Return: r.end, Input: r.in, Output: r.out})
		}
		why, decided := check(ops, 10*time.Second)
		if (why != "") != c.wrong || !decided {
			t.Errorf("%s: wrong %v, want %v; decided %v\n%s", c.name, why != "", c.wrong, decided, why)
		}
	}
}
