package history

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
	opInsert
	opRemove
	// opRevoke is no request: TCP does not take the 200 of an acquire, and the node takes the lock back. It may happen, after the acquire, or not.
	opRevoke
)

var opNames = [...]string{"get", "acquire", "release", "save", "insert", "remove", "revoke"}

func (k opKind) String() string { return opNames[k] }

// asked and told are one operation of a history: a request, and what its client learnt of it.
type asked struct {
	op     opKind
	cookie uint32
	body   int // number of what is saved
	id     int // of an acquire without an answer, and of its opRevoke
}

type told struct {
	unknown bool // the connection was closed without an answer: it may have been executed at any time, or never
	status  wire.Status
	body    int
	cookie  uint32
	uninit  bool
}

// seen is what a history knows of one session. The zero value is no session.
type seen struct {
	exists, locked, uninit bool
	cookie                 uint32
	body                   int
	owner                  int // id of the acquire without an answer that has the lock; 0 = another
}

// model is the lock of one session as docs/lock.md describes it, whichever nodes its requests go to. What a farm adds changes nothing and is not part of a
// history: "come again" (423 with lock age 0 and no cookie), and 400 to a save.
var model = porcupine.Model{
	Init: func() any { return seen{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(seen), input.(asked), output.(told)
		ok := s.step(in, out)
		return ok, s
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
	DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
}

// step executes an operation, and reports whether it can end as its client was told.
func (s *seen) step(in asked, out told) bool {
	before := *s
	want := s.execute(in)
	if out.unknown || in.op == opRevoke {
		return true
	}
	switch {
	case out.status != want.status:
	case out.uninit != want.uninit, out.cookie != want.cookie, out.body != want.body:
	default:
		return true
	}
	*s = before
	return false
}

// execute does what a request asks for, and returns the right answer.
func (s *seen) execute(in asked) (out told) {
	if in.op == opRevoke {
		if s.locked && s.owner == in.id {
			s.locked, s.owner = false, 0
		}
		return out
	}
	saves := in.op == opSave || in.op == opInsert
	if !s.exists {
		if !saves {
			return told{status: wire.StatusNotFound}
		}
		*s = seen{exists: true, uninit: in.op == opInsert, cookie: 1, body: in.body}
		return told{status: wire.StatusOK}
	}
	out.status = wire.StatusOK
	if in.op == opGet || in.op == opAcquire || in.op == opRelease {
		out.uninit, s.uninit = s.uninit, false
	}
	right := !s.locked || in.cookie == s.cookie
	if in.op == opGet || in.op == opAcquire {
		right = !s.locked
	}
	if !right && in.op != opInsert {
		out.status, out.cookie = wire.StatusLocked, s.cookie
		return out
	}
	switch in.op {
	case opGet:
		out.body = s.body
	case opAcquire:
		s.cookie++
		s.locked, s.owner = true, in.id
		out.body, out.cookie = s.body, s.cookie
	case opRelease:
		s.locked, s.owner = false, 0
	case opSave:
		s.body, s.locked, s.owner = in.body, false, 0
	case opRemove:
		*s = seen{}
	case opInsert, opRevoke:
	}
	return out
}

// never is the end of an operation that nobody was told about: after all others.
const never = math.MaxInt64

// check reports why no order of the operations explains what their clients were told; empty if there is one.
func check(ops []porcupine.Operation, limit time.Duration) string {
	result, info := porcupine.CheckOperationsVerbose(model, ops, limit)
	if result == porcupine.Ok {
		return ""
	}
	if result == porcupine.Unknown {
		return fmt.Sprintf("%d operations: not decided within %v", len(ops), limit)
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
		if i >= len(longest)-20 {
			describe(&b, ops[id])
		}
	}
	b.WriteString("then none of\n")
	for id, op := range ops {
		if !done[id] && b.Len() < 8000 {
			describe(&b, op)
		}
	}
	return b.String()
}

func describe(b *strings.Builder, op porcupine.Operation) {
	in, out := op.Input.(asked), op.Output.(told)
	end := "never"
	if op.Return != never {
		end = time.Duration(op.Return).String()
	}
	fmt.Fprintf(b, "  client %d, %v to %s: %s cookie %d body %d", op.ClientId, time.Duration(op.Call), end, in.op, in.cookie, in.body)
	if out.unknown {
		b.WriteString(": no answer\n")
		return
	}
	fmt.Fprintf(b, ": %v cookie %d body %d uninitialised %v\n", out.status, out.cookie, out.body, out.uninit)
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
	lostAcquire := func(call int64) []row {
		in := asked{op: opAcquire, id: 7}
		return []row{{call, never, in, told{unknown: true}}, {call, never, asked{op: opRevoke, id: 7}, told{unknown: true}}}
	}
	for _, c := range []struct {
		name  string
		rows  []row
		wrong bool
	}{
		{"pages one after the other", []row{create, acquire(2, 3, 2, 1), save(4, 5, 2, 2), get(6, 2)}, false},
		{"an acknowledged save is lost", []row{create, acquire(2, 3, 2, 1), save(4, 5, 2, 2), get(6, 1)}, true},
		{"a read beside a save may see either", []row{create, acquire(2, 3, 2, 1), save(4, 9, 2, 2), get(6, 2)}, false},
		{"a session is gone", []row{create, {2, 3, asked{op: opGet}, told{status: missing}}}, true},
		{"two holders", []row{create, acquire(2, 3, 2, 1), acquire(4, 5, 3, 1)}, true},
		{"two holders of one cookie", []row{create, acquire(2, 5, 2, 1), acquire(3, 6, 2, 1)}, true},
		{"a cookie is given twice", []row{create, acquire(2, 3, 2, 1), save(4, 5, 2, 2), acquire(6, 7, 2, 2)}, true},
		{"a save with an old cookie", []row{create, acquire(2, 3, 2, 1), save(4, 5, 2, 2), acquire(6, 7, 3, 2), save(8, 9, 2, 3)}, true},
		{"a refusal of an unlocked session", []row{create, {2, 3, asked{op: opAcquire}, told{status: locked, cookie: 2}}}, true},
		{"an insert over a session", []row{create, {2, 3, asked{op: opInsert, body: 9}, told{status: ok}}, get(4, 9)}, true},
		{"uninitialised twice", []row{
			{0, 1, asked{op: opInsert, body: 1}, told{status: ok}},
			{2, 3, asked{op: opGet}, told{status: ok, body: 1, uninit: true}},
			{4, 5, asked{op: opGet}, told{status: ok, body: 1, uninit: true}},
		}, true},
		{"a save without an answer was executed", []row{create, {2, never, asked{op: opSave, body: 2}, told{unknown: true}}, get(8, 1), get(10, 2)}, false},
		{"a save without an answer is undone", []row{create, {2, never, asked{op: opSave, body: 2}, told{unknown: true}}, get(8, 2), get(10, 1)}, true},
		{"an acquire without an answer has the lock", append(lostAcquire(2), create, row{8, 9, asked{op: opGet}, told{status: locked, cookie: 2}}), false},
		{"and loses it", append(lostAcquire(2), create, row{6, 7, asked{op: opGet}, told{status: locked, cookie: 2}}, acquire(8, 9, 3, 1)), false},
		{"and was never executed", append(lostAcquire(2), create, acquire(8, 9, 2, 1)), false},
		{"and gets it twice", append(lostAcquire(2), create, row{6, 7, asked{op: opGet}, told{status: locked, cookie: 2}}, acquire(8, 9, 3, 1),
			save(10, 11, 3, 4), row{12, 13, asked{op: opGet}, told{status: locked, cookie: 4}}), true},
	} {
		var ops []porcupine.Operation
		for i, r := range c.rows {
			ops = append(ops, porcupine.Operation{ClientId: i, Call: r.call, Return: r.end, Input: r.in, Output: r.out})
		}
		why := check(ops, 10*time.Second)
		if (why != "") != c.wrong {
			t.Errorf("%s: wrong %v, want %v\n%s", c.name, why != "", c.wrong, why)
		}
	}
}
