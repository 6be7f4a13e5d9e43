package engine

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The states of a session on one node, as docs/lock.md names them.
const (
	absent   = "absent"
	unlocked = "unlocked"
	locked1  = "locked"
	lockedW  = "locked + waiters"
)

// cell is one cell of docs/lock.md's table of requests, and one way to come to it.
type cell struct {
	event, state, text string

	request Ticket
	uninit  bool // the session is uninitialised
	waiters int  // so many wait
	opt     Options
}

// tableOfRequests reads docs/lock.md: the header's cells, then those of each row.
func tableOfRequests(t *testing.T) [][]string {
	f, err := os.Open("../docs/lock.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows [][]string
	in := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			in = line == "### Requests"
		}
		if !in || !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|--") {
			continue
		}
		row := strings.Split(strings.Trim(line, "|"), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		rows = append(rows, row)
	}
	return rows
}

// The cookies of the requests: the first lock has 2.
const rightCookie, wrongCookie = 2, 7

// eventRequests says which requests a row is about.
var eventRequests = map[string][]Ticket{
	"Get":                   {get(k), get(k, rightCookie)},
	"acquire":               {acquire(k), acquire(k, rightCookie)},
	"release, right cookie": {release(k, rightCookie)},
	"release, wrong cookie": {release(k, wrongCookie), release(k, 0)},
	"release, no cookie":    {release(k)},
	"Set, right cookie":     {set(k, "new", rightCookie)},
	"Set, wrong cookie":     {set(k, "new", wrongCookie), set(k, "new", 0)},
	"Set, no cookie":        {set(k, "new")},
	"insert-only Set, any cookie or none": {
		insert(k, "new"), insert(k, "new", rightCookie), insert(k, "new", wrongCookie), living(5, insert(k, ""), "new"),
	},
	"Remove, right cookie": {remove(k, rightCookie)},
	"Remove, wrong cookie": {remove(k, wrongCookie)},
	"Remove, no cookie":    {remove(k)},
	"Touch":                {touch(k)},
}

// TestLockTable walks docs/lock.md's table of requests cell by cell. What a cell says is what is checked: its text is the test.
func TestLockTable(t *testing.T) {
	rows := tableOfRequests(t)
	want := []string{"event", absent, unlocked, locked1, lockedW, "clause"}
	if len(rows) != 1+len(eventRequests) || !slices.Equal(rows[0], want) {
		t.Fatalf("docs/lock.md has %d rows under %q, want %d under %q", len(rows), rows[0], 1+len(eventRequests), want)
	}
	cells := 0
	for _, row := range rows[1:] {
		requests := eventRequests[row[0]]
		if len(requests) == 0 {
			t.Errorf("no request for the row %q", row[0])
		}
		for column, state := range want[1:5] {
			for _, c := range waysTo(cell{event: row[0], state: state, text: row[1+column]}, requests) {
				cells++
				t.Run(c.name(), func(t *testing.T) { c.walk(t) })
			}
		}
	}
	if cells < 100 {
		t.Errorf("only %d ways to %d cells", cells, 4*len(eventRequests))
	}
}

// name is what the subtest is called.
func (c *cell) name() string {
	name := fmt.Sprintf("%s in %s", c.event, c.state)
	if c.request.HasCookie {
		name += fmt.Sprintf(", cookie %d", c.request.Cookie)
	}
	if c.uninit {
		name += ", uninitialised"
	}
	if c.waiters > 0 {
		name += fmt.Sprintf(", %d waiting", c.waiters)
	}
	if c.opt.LockWait == 0 {
		name += ", no wait"
	}
	return name
}

// waysTo returns the ways to a cell that make a difference.
func waysTo(c cell, requests []Ticket) (ways []*cell) {
	c.opt = Options{LockWait: time.Second, LockQueue: 3}
	for _, c.request = range requests {
		switch c.state {
		case unlocked:
			for _, c.uninit = range []bool{false, true} {
				way := c
				ways = append(ways, &way)
			}
		case lockedW:
			for _, c.waiters = range []int{1, 2, 3} { // 3 is a full line
				way := c
				ways = append(ways, &way)
			}
		case locked1:
			noWait := c
			noWait.opt.LockWait = 0
			ways = append(ways, &noWait)
			fallthrough
		default:
			way := c
			ways = append(ways, &way)
		}
	}
	return ways
}

// snapshot is what can be seen of a session.
type snapshot struct {
	state   string
	counter uint32
	uninit  bool
	content string
	minutes uint32
	waiters int
	since   int64
}

func (w *world) snapshot() snapshot {
	s := w.e.index.find(w.e.Hash([]byte(k)), []byte(k))
	if s == nil {
		return snapshot{state: absent}
	}
	out := snapshot{unlocked, s.lock.cookie, s.marks.has(uninit), string(s.body.bytes()), s.minutes, 0, s.lock.since}
	if s.box != nil {
		out.waiters = s.box.waiters.n
	}
	switch {
	case s.lock.held && out.waiters > 0:
		out.state = lockedW
	case s.lock.held:
		out.state = locked1
	}
	return out
}

// walk goes to the cell, makes its request, and checks that everything is as the cell's text says, and nothing else has changed.
func (c *cell) walk(t *testing.T) {
	w := newWorld(t, c.opt)
	var line []*client
	if c.state != absent {
		create := set(k, "old")
		create.InsertOnly = c.uninit
		w.do(create).want("200")
	}
	if c.state == locked1 || c.state == lockedW {
		w.do(acquire(k)).want("200 old/20 #2")
	}
	for range c.waiters {
		line = append(line, w.do(acquire(k)).want("parked"))
	}
	before := w.snapshot()
	if before.state != c.state {
		t.Fatalf("the state is %q", before.state)
	}
	w.after(time.Minute)
	got := w.do(c.request)
	w.check()

	want, answer := c.expect(before)
	got.want(answer)
	after := w.snapshot()
	if want.since == sinceNow {
		want.since = w.now.Mono
	}
	if after != want {
		t.Errorf("%s %s: %q\nbefore %+v\nafter  %+v\nwant   %+v", c.event, c.state, c.text, before, after, want)
	}
	if next := c.nextStates(); !slices.Contains(next, after.state) {
		t.Errorf("the next state is %q, the table says %q", after.state, next)
	}
	for i, waiter := range line {
		switch {
		case strings.Contains(c.text, "every waiter gets 404"):
			waiter.want("404")
		case strings.Contains(c.text, "grant") && i == 0:
			waiter.want(fmt.Sprintf("200 %s/%d #%d", after.content, after.minutes, after.counter))
		default:
			waiter.want("parked")
		}
	}
	w.empty()
}

// sinceNow stands for the time of the request.
const sinceNow = -1

// expect reads the cell's text: the session after the request, and the answer to it.
func (c *cell) expect(before snapshot) (after snapshot, answer string) {
	after = before
	code, _, _ := strings.Cut(c.text, ",")
	code, _, _ = strings.Cut(code, ";")
	code, _, _ = strings.Cut(code, " ")
	has := func(words string) bool { return strings.Contains(c.text, words) }
	if code == "joins" {
		if c.opt.LockWait == 0 && has("423 at once if `lock_wait` is 0") || c.waiters == c.opt.LockQueue && has("423 at once if it has `lock_queue` waiters") {
			code = "423"
		} else {
			after.waiters, after.state = after.waiters+1, lockedW
			return after, "parked"
		}
	}
	answer = code
	switch {
	case has("new item"):
		after = snapshot{state: unlocked, counter: 1, content: "new", minutes: c.request.Minutes, uninit: has("uninitialised →")}
	case has("stored"):
		after.content = "new"
	}
	if has("content") {
		answer += fmt.Sprintf(" %s/%d", after.content, after.minutes)
	}
	if has("counter + 1") {
		after.counter, after.state, after.since = after.counter+1, locked1, sinceNow
	}
	if has("cookie,") {
		answer += fmt.Sprintf(" #%d", after.counter)
	}
	switch {
	case has("grant"):
		after.counter, after.since, after.waiters = after.counter+1, sinceNow, after.waiters-1
		if after.waiters == 0 {
			after.state = locked1
		}
	case has("→ absent"):
		after = snapshot{state: absent}
	case has("→ unlocked"):
		after.state = unlocked
	}
	if has("[A]") && before.uninit {
		answer += " A"
		after.uninit = false
	}
	if code == "423" {
		answer = fmt.Sprintf("423 #%d 60s", before.counter)
	}
	return after, answer
}

var arrow = regexp.MustCompile(`→ ([a-z+ ]+)(, or ([a-z+ ]+) if more wait)?`)

// nextStates reads from the cell's text which state may follow.
func (c *cell) nextStates() []string {
	m := arrow.FindStringSubmatch(c.text)
	if m == nil {
		return []string{c.state}
	}
	next := []string{strings.TrimSpace(m[1])}
	if m[3] != "" {
		next = append(next, strings.TrimSpace(m[3]))
	}
	if strings.HasPrefix(c.text, "joins") {
		next = append(next, c.state) // when it may not
	}
	return next
}
