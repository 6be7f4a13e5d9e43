//go:build unix

package farm

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// relay stands in front of a peer port. What it does with what passes can be changed while it runs.
type relay struct {
	addr, target string
	listener     net.Listener
	running      sync.WaitGroup

	mu    sync.Mutex
	rules rules
	conns map[net.Conn]bool
	over  bool
	taken [2]bytes.Buffer // what has passed, by direction, if rules.record
}

// way is a direction through a relay.
type way int

const (
	in  way = iota // from who has dialled to the peer port behind the relay
	out            // back
)

// rules say what a relay does. Those that look at messages are for plain links.
type rules struct {
	refuse  bool                               // close new connections at once
	hold    [2]bool                            // let nothing through, but lose nothing: what comes waits
	delay   time.Duration                      // of each read
	record  bool                               // keep what passes
	bend    func(way, []byte)                  // changes bytes
	message func(way, string) (verdict, after) // decides on a message by its first line
}

// verdict is what becomes of a message; after is how much later it goes on, overtaken by others.
type (
	verdict int
	after   time.Duration
)

const (
	goOn verdict = iota
	drop
)

// newRelay starts a relay in front of an address. It ends with the test.
func newRelay(t testing.TB, target string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: l.Addr().String(), target: target, listener: l, conns: map[net.Conn]bool{}}
	r.running.Go(r.accept)
	t.Cleanup(func() {
		_ = l.Close()
		r.mu.Lock()
		r.over = true
		r.mu.Unlock()
		r.cut()
		r.running.Wait()
	})
	return r
}

// set changes the rules.
func (r *relay) set(now rules) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = now
}

func (r *relay) now() (rules, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rules, r.over
}

// cut closes all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for nc := range r.conns {
		_ = nc.Close()
	}
}

// recorded is what has passed in one direction.
func (r *relay) recorded(w way) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.taken[w].Bytes())
}

func (r *relay) keep(nc net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conns[nc] = true; r.over {
		_ = nc.Close()
	}
}

func (r *relay) accept() {
	for {
		front, err := r.listener.Accept()
		if err != nil {
			return
		}
		if now, _ := r.now(); now.refuse {
			_ = front.Close()
			continue
		}
		back, err := net.DialTimeout("tcp", r.target, patience)
		if err != nil {
			_ = front.Close()
			continue
		}
		r.keep(front)
		r.keep(back)
		r.running.Go(func() { r.pump(in, back, front) })
		r.running.Go(func() { r.pump(out, front, back) })
	}
}

// pump carries what goes one way.
func (r *relay) pump(w way, to, from net.Conn) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
		r.mu.Lock()
		delete(r.conns, to)
		delete(r.conns, from)
		r.mu.Unlock()
	}()
	p := &pump{r: r, w: w, to: to}
	src := bufio.NewReaderSize(from, 64<<10)
	for {
		piece, err := p.next(src)
		if len(piece) > 0 && !p.pass(piece) || err != nil {
			return
		}
	}
}

// pump is one direction of one connection.
type pump struct {
	r  *relay
	w  way
	mu sync.Mutex // of writing to
	to net.Conn
}

// next is what to let through next: a message if somebody looks at those, what there is otherwise.
func (p *pump) next(src *bufio.Reader) ([]byte, error) {
	if _, err := src.Peek(1); err != nil {
		return nil, err
	}
	if now, _ := p.r.now(); now.message == nil {
		b := make([]byte, src.Buffered())
		n, err := src.Read(b)
		return b[:n], err
	}
	var b []byte
	length := 0
	for {
		line, err := src.ReadSlice('\n')
		b = append(b, line...)
		if err != nil {
			return b, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			break
		}
		if v, ok := strings.CutPrefix(text, "Content-Length: "); ok {
			length, _ = strconv.Atoi(v)
		}
	}
	body := make([]byte, length)
	_, err := io.ReadFull(src, body)
	return append(b, body...), err
}

// pass lets something through, or not. It reports false when the connection has ended.
func (p *pump) pass(piece []byte) bool {
	now, over := p.r.now()
	wait := time.NewTicker(time.Millisecond)
	defer wait.Stop()
	for ; now.hold[p.w] && !over; now, over = p.r.now() {
		<-wait.C
	}
	if now.delay > 0 {
		pass(now.delay)
	}
	if now.record {
		p.r.mu.Lock()
		p.r.taken[p.w].Write(piece)
		p.r.mu.Unlock()
	}
	if now.bend != nil {
		now.bend(p.w, piece)
	}
	if now.message != nil {
		first, _, _ := strings.Cut(string(piece), "\r\n")
		switch what, later := now.message(p.w, first); {
		case what == drop:
			return true
		case later > 0:
			p.r.running.Go(func() {
				pass(time.Duration(later))
				p.write(piece)
			})
			return true
		}
	}
	return p.write(piece)
}

func (p *pump) write(b []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.to.Write(b)
	return err == nil
}

// first is about the first messages whose first line begins so.
type first struct {
	beginning string
	verdict   verdict
	after     time.Duration

	mu   sync.Mutex
	left int // guarded by mu
}

// dropFirst drops the first n messages whose first line begins so, delayFirst delays them.
func dropFirst(n int, beginning string) *first {
	return &first{beginning: beginning, verdict: drop, left: n}
}
func delayFirst(n int, beginning string, by time.Duration) *first {
	return &first{beginning: beginning, after: by, left: n}
}

// meddle makes a relay do that while something is done, and checks that it had the occasion to.
func (r *relay) meddle(t testing.TB, f *first, do func()) {
	t.Helper()
	r.set(rules{message: f.message})
	defer r.set(rules{})
	do()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left > 0 {
		t.Errorf("%d messages %q have not come", f.left, f.beginning)
	}
}

func (f *first) message(_ way, line string) (verdict, after) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left == 0 || !strings.HasPrefix(line, f.beginning) {
		return goOn, 0
	}
	f.left--
	return f.verdict, after(f.after)
}
