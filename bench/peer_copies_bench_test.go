package bench

import (
	"encoding/binary"
	"strconv"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/peer/core"
	"github.com/farmstate/farmstate/peer/message"
)

// copyFarm is some cores that keep copies for each other, without engines. A message is handed over as it is, and acknowledged at once.
type copyFarm struct {
	cores     []*core.Core
	node      map[message.Node]int
	now       int64
	confirmed int
	arrived   int
	bytes     int // of the heads and bodies of updates
	updates   int
	head      []byte
	dead      bool // the first is
}

// newCopyFarm makes so many cores that know each other.
func newCopyFarm(nodes int) *copyFarm {
	f := &copyFarm{now: int64(time.Hour), node: map[message.Node]int{}}
	var ids uint64
	for i := range nodes {
		n := nodeOf(i)
		f.node[n] = i
		f.cores = append(f.cores, core.New(core.Options{
			Node: n, Addr: "10.0.0.1:42425", MaxForwards: 5, QueryTimeout: 2500 * time.Millisecond, Copies: 2, Backlog: 64 << 20, TouchPeriod: time.Minute,
			NewID: func() (id message.ID) {
				ids++
				binary.LittleEndian.PutUint64(id[:], ids)
				return id
			},
		}))
	}
	for i, c := range f.cores {
		for j := range nodes {
			if i != j {
				c.Up(f.now, nodeOf(j), "10.0.0.2:42425")
			}
		}
	}
	f.act()
	return f
}

func nodeOf(i int) (n message.Node) {
	binary.LittleEndian.PutUint64(n[:], uint64(i+1)*0x9e3779b97f4a7c15)
	return n
}

// act carries out what the cores want, until they want nothing more.
func (f *copyFarm) act() {
	for more := true; more; {
		more = false
		for i, c := range f.cores {
			if i == 0 && f.dead {
				continue
			}
			for _, a := range c.Ready() {
				more = true
				switch a := a.(type) {
				case core.Send:
					f.count(a.Msg)
					if to := f.node[a.To]; to > 0 || !f.dead {
						f.cores[to].Step(f.now, nodeOf(i), a.Msg, engine.Sight{})
					}
				case core.Take:
					c.Taken(f.now, a.Move, core.TakenAbsent, nil)
				case core.Confirm:
					f.confirmed++
				case core.Arrived:
					f.arrived++
					c.Settled(f.now, a.Parcel.Key, 1, nil)
				}
			}
		}
		for _, c := range f.cores {
			c.Flush()
		}
	}
}

func (f *copyFarm) count(m *message.Message) {
	if m.Kind == message.Copy {
		f.head = message.Append(f.head[:0], m)
		f.updates++
		f.bytes += len(f.head) + len(m.Parcel.Body)
	}
}

// page is an acquire and a save of one session at the first node, each answered when its mirror has it.
func (f *copyFarm) page(key string, body []byte, version uint32) {
	p := engine.Parcel{Key: key, Gen: 1, Version: version, Cookie: version, Locked: true, Minutes: 20, Left: int64(20 * time.Minute)}
	f.cores[0].Changed(f.now, &core.Change{Key: key, Parcel: p, Awaited: true, Full: func() engine.Parcel { p.Body = body; return p }})
	f.act()
	p.Version, p.Locked, p.Body = version+1, false, body
	f.cores[0].Changed(f.now, &core.Change{Key: key, Parcel: p, Content: true, Awaited: true, Full: func() engine.Parcel { return p }})
	f.act()
}

func copyKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = "/app(hash)/" + strconv.Itoa(i)
	}
	return keys
}

// BenchmarkCoreMirroredPage is what an acquire and a save of 1 KB cost the cores of owner and mirror, put on the shelf and acknowledged, without the network.
func BenchmarkCoreMirroredPage(b *testing.B) {
	f := newCopyFarm(2)
	keys, body := copyKeys(1<<12), makeBody(1<<10)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		f.now += int64(20 * time.Microsecond)
		f.page(keys[n%len(keys)], body, uint32(n/len(keys)*2+1))
		n++
	}
	if f.confirmed != 2*n {
		b.Errorf("%d confirmations, want %d", f.confirmed, 2*n)
	}
	b.ReportMetric(float64(f.bytes)/float64(f.updates), "B/update")
}

// BenchmarkCorePlacement is the question whether a session has the copies that it should have, in a farm of eight.
func BenchmarkCorePlacement(b *testing.B) {
	f := newCopyFarm(8)
	keys, body := copyKeys(1<<12), makeBody(1<<10)
	for _, key := range keys {
		f.page(key, body, 1)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if f.cores[0].Short(f.now, keys[i%len(keys)]) {
			b.Fatal("a session is short of copies")
		}
	}
}

// BenchmarkCoreTakeOver finds and takes over the sessions of a node that has ended, one by one, in a farm of three.
func BenchmarkCoreTakeOver(b *testing.B) {
	keys, body := copyKeys(b.N), makeBody(1<<10)
	f := newCopyFarm(3)
	for _, key := range keys {
		f.page(key, body, 1)
	}
	f.dead = true
	for _, c := range f.cores[1:] {
		c.Down(f.now, nodeOf(0))
		c.Gone(f.now, nodeOf(0))
	}
	f.act()
	b.ReportAllocs()
	b.ResetTimer()
	for _, key := range keys {
		f.now += int64(20 * time.Microsecond)
		f.cores[1].Find(f.now, &engine.Fetch{Key: key, Deadline: f.now + int64(2500*time.Millisecond)})
		f.act()
	}
	if f.arrived != b.N {
		b.Errorf("%d sessions have been taken over, want %d", f.arrived, b.N)
	}
}

// copyWorkloads are what the gate measures of copies.
func copyWorkloads(tb testing.TB) []workload {
	keys, body := copyKeys(1<<10), makeBody(1<<10)
	pages, placed := newCopyFarm(2), newCopyFarm(8)
	for _, key := range keys {
		placed.page(key, body, 1)
	}
	off := newStore(tb, 0, 8)
	follower := off.follow(engine.MirrorNone)
	off.use(7)
	must(tb, off.save(body), engine.OK)
	n, asked := 0, 0
	return []workload{
		{name: "page_not_mirrored", run: func() { off.mirroredPage(tb, follower, body) }},
		{name: "core_mirrored_page", run: func() {
			pages.now += int64(20 * time.Microsecond)
			pages.page(keys[n%len(keys)], body, uint32(n/len(keys)*2+1))
			n++
		}},
		{name: "core_placement", run: func() {
			asked++
			if placed.cores[0].Short(placed.now, keys[asked%len(keys)]) {
				tb.Fatal("a session is short of copies")
			}
		}},
	}
}

// TestUpdateSize: an update is not much more than what it tells: the key, three times as long at most, and some numbers.
func TestUpdateSize(t *testing.T) {
	const least, most = 150, 420 // bytes beside the content
	f := newCopyFarm(2)
	for _, key := range copyKeys(100) {
		f.page(key, makeBody(1<<10), 1)
	}
	each := float64(f.bytes)/float64(f.updates) - 1<<10 // of a new session the first update has content, too
	t.Logf("an update takes %.0f bytes beside the content", each)
	if each < least || each > most {
		t.Errorf("an update takes %.0f bytes beside the content, want %d to %d", each, least, most)
	}
}
