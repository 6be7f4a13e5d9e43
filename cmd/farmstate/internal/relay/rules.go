package relay

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// rules are the rules of one relay, and how often each could have been applied.
type rules struct {
	mu     sync.Mutex
	all    []*Rule
	counts []uint64 // messages that met the conditions other than nth, every and prob
	random *rand.Rand
}

func newRules(all []*Rule, seed uint64) *rules {
	return &rules{all: all, counts: make([]uint64, len(all)), random: rand.New(rand.NewPCG(seed, 0))}
}

// have reports whether any rule is for messages that go this way.
func (rs *rules) have(d Direction) bool {
	for _, r := range rs.all {
		if r.dir == d {
			return true
		}
	}
	return false
}

// bending is what is to be done to one message.
type bending struct {
	delay   time.Duration
	cut     bool
	after   int           // pass this many bytes and cut; -1: all
	keep    int           // bytes of body that are passed; -1: all
	reorder time.Duration // let another one go first, and wait this long for it; 0: do not
}

var straight = bending{after: -1, keep: -1}

// bend applies the rules to a message that was received: it changes its head and size, and returns what else is to be
// done.
func (rs *rules) bend(m *message) bending {
	b := straight
	for _, r := range rs.fire(m) {
		m.bent = append(m.bent, r.text)
		switch r.action {
		case dropHeaderAction:
			m.head = dropHeader(m.head, r.name)
		case setHeaderAction:
			m.head = setHeader(m.head, r.name, r.value)
		case delayAction:
			b.delay += r.wait
		case cutAction:
			b.cut = true
		case cutAfterAction:
			b.after = r.bytes
		case truncateAction:
			if m.size > r.bytes {
				m.head, b.keep = setLength(m.head, r.bytes), r.bytes
			}
		case reorderAction:
			b.reorder = r.wait
		}
	}
	return b
}

// fire returns the rules that are for a message, and counts it.
func (rs *rules) fire(m *message) (fired []*Rule) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for i, r := range rs.all {
		if !r.meets(m) {
			continue
		}
		rs.counts[i]++
		n := rs.counts[i]
		if r.nth != 0 && n != r.nth || r.every != 0 && n%r.every != 0 || r.prob < 1 && rs.random.Float64() >= r.prob {
			continue
		}
		fired = append(fired, r)
	}
	return fired
}

func (r *Rule) meets(m *message) bool {
	switch {
	case r.dir != m.dir:
		return false
	case r.status != "" && !strings.HasPrefix(m.ans.Status.String(), r.status):
		return false
	case r.session != "" && !strings.HasPrefix(sessionID(m.key), r.session):
		return false
	case r.verb == "":
		return true
	case r.verb == wire.Get.String():
		return m.op == r.verb || m.op == "acquire" || m.op == "release"
	}
	return m.op == r.verb
}
