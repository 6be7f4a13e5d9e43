package relay

import "github.com/farmstate/farmstate/netpoll/wire"

// Direction says which way bytes go.
type Direction uint8

// The directions.
const (
	Requests Direction = iota // from the web server to the state server
	Answers
)

// String is the name of one message that goes this way.
func (d Direction) String() string {
	if d == Answers {
		return "answer"
	}
	return "request"
}

// message is one request or one answer.
type message struct {
	dir  Direction
	head []byte       // the block with its empty line; bent, if a rule bends it. Owned by the message
	req  wire.Request // of a request; its Target aliases the head that was received
	ans  wire.Answer  // of an answer
	key  []byte       // of the session; of an answer: that of its request, nil if that is not known
	op   string       // what the request asks for, see operation
	exch *exchange    // nil for an answer to nothing
	size int          // bytes of body that follow the head
	bent []string     // the rules that were applied
}

// operation is the name of what a request asks for: its verb, or the value of Exclusive in small letters.
func operation(r *wire.Request) string {
	if r.Verb == wire.Get {
		switch r.Exclusive {
		case wire.Acquire:
			return "acquire"
		case wire.Release:
			return "release"
		}
	}
	return r.Verb.String()
}

// sink is told what a scanner finds. The bytes are valid during the call only, except for those of a message.
type sink interface {
	head(m *message) error
	body(b []byte) error
	end() error         // of the message, after its last byte
	raw(b []byte) error // from here on nothing is understood; called again with what follows
}

// scanner finds messages in a stream that comes in pieces. It keeps no more than one unfinished head.
type scanner struct {
	dir   Direction
	lim   wire.Limits
	part  []byte // an unfinished head
	left  int    // bytes of body to come
	lost  bool   // what comes is not the protocol
	fault wire.Fault
}

// feed looks at the next piece of the stream.
func (s *scanner) feed(b []byte, to sink) error {
	for len(b) > 0 {
		switch {
		case s.lost:
			return to.raw(b)
		case s.left > 0:
			n := min(len(b), s.left)
			if err := to.body(b[:n]); err != nil {
				return err
			}
			b = b[n:]
			if s.left -= n; s.left > 0 {
				continue
			}
			if err := to.end(); err != nil {
				return err
			}
		default:
			n, err := s.feedHead(b, to)
			if err != nil {
				return err
			}
			b = b[n:]
		}
	}
	return nil
}

// feedHead takes what belongs to a head off the front of b.
func (s *scanner) feedHead(b []byte, to sink) (used int, err error) {
	seen := len(s.part)
	used = min(len(b), s.lim.MaxHead+1-seen) // one more shows that it is too long
	s.part = append(s.part, b[:used]...)
	m := &message{dir: s.dir}
	n, f := s.parse(m, seen)
	switch f {
	case wire.OK:
		m.head = append([]byte(nil), s.part[:n]...)
		s.part = s.part[:0]
		if m.dir == Requests { // its target has to alias what stays
			if _, f := wire.ParseHead(m.head, 0, &s.lim, &m.req); f != wire.OK {
				panic("relay: a head that was good is not good any more")
			}
			m.key = wire.AppendKey(make([]byte, 0, len(m.req.Target)), m.req.Target)
		}
		s.left = m.size
		if err := to.head(m); err != nil || s.left > 0 {
			return n - seen, err
		}
		return n - seen, to.end()
	case wire.Short:
		return used, nil
	}
	s.lost, s.fault = true, f
	part := s.part
	s.part = nil
	return used, to.raw(part)
}

func (s *scanner) parse(m *message, seen int) (n int, f wire.Fault) {
	if s.dir == Answers {
		n, f = wire.ParseAnswer(s.part, &s.lim, &m.ans)
		m.size = m.ans.ContentLength
		return n, f
	}
	n, f = wire.ParseHead(s.part, seen, &s.lim, &m.req)
	m.size, m.op = m.req.ContentLength, operation(&m.req)
	return n, f
}

// unfinished is the beginning of a head that never ended.
func (s *scanner) unfinished() []byte { return s.part }
