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

// coreFarm is two cores that are linked, and engines that answer at once. A message is handed over as it is.
type coreFarm struct {
	cores [2]*core.Core
	node  [2]message.Node
	now   int64
	ids   uint64
	body  []byte
	moves int
}

func newCoreFarm() *coreFarm {
	f := &coreFarm{body: make([]byte, 1024), now: int64(time.Hour)}
	for i := range f.cores {
		f.node[i][0] = byte(i + 1)
		f.cores[i] = core.New(core.Options{
			Node: f.node[i], Addr: "10.0.0.1:42425", MaxForwards: 5, QueryTimeout: 2500 * time.Millisecond,
			NewID: func() (id message.ID) {
				f.ids++
				binary.LittleEndian.PutUint64(id[:], f.ids)
				return id
			},
		})
	}
	f.cores[0].Up(f.now, f.node[1], "10.0.0.2:42425")
	f.cores[1].Up(f.now, f.node[0], "10.0.0.1:42425")
	return f
}

// act carries out what both cores want, until they want nothing more.
func (f *coreFarm) act() {
	for more := true; more; {
		more = false
		for i, c := range f.cores {
			for _, a := range c.Ready() {
				more = true
				switch a := a.(type) {
				case core.Send:
					f.cores[1-i].Step(f.now, f.node[i], a.Msg, engine.Sight{State: engine.SightSought})
				case core.Take:
					c.Taken(f.now, a.Move, core.TakenOK, &engine.Parcel{Key: a.Key, Body: f.body, Gen: 1, Version: 1, Minutes: 20, Left: int64(time.Minute)})
				case core.Arrived:
					f.moves++
					c.Settled(f.now, a.Parcel.Key, 1, nil)
				}
			}
		}
	}
}

// BenchmarkCoreMove moves sessions between two cores: a search, a query, a move, each way in turn. What is remembered about them is part of it: 20,000
// moves make a second.
func BenchmarkCoreMove(b *testing.B) {
	f := newCoreFarm()
	keys := make([]string, 1<<16)
	for i := range keys {
		keys[i] = "/app(hash)/" + strconv.Itoa(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.now += int64(50 * time.Microsecond)
		at := i / len(keys) % 2
		f.cores[at].Find(f.now, &engine.Fetch{Key: keys[i%len(keys)], Deadline: f.now + int64(2500*time.Millisecond)})
		f.act()
		for _, c := range f.cores {
			if due, ok := c.Next(); ok && due <= f.now {
				c.Tick(f.now)
				f.act()
			}
		}
	}
	if f.moves != b.N {
		b.Errorf("%d moves, want %d", f.moves, b.N)
	}
}

// BenchmarkCoreMiss looks for sessions that are nowhere.
func BenchmarkCoreMiss(b *testing.B) {
	f := newCoreFarm()
	b.ReportAllocs()
	keys := make([]string, 1<<16)
	for i := range keys {
		keys[i] = "/app(hash)/" + strconv.Itoa(i)
	}
	missing := 0
	for i := 0; b.Loop(); i++ {
		f.now += int64(50 * time.Microsecond)
		f.cores[0].Find(f.now, &engine.Fetch{Key: keys[i%len(keys)], Deadline: f.now + int64(2500*time.Millisecond)})
		for more := true; more; {
			more = false
			for i, c := range f.cores {
				for _, a := range c.Ready() {
					more = true
					switch a := a.(type) {
					case core.Send:
						f.cores[1-i].Step(f.now, f.node[i], a.Msg, engine.Sight{})
					case core.Take:
						c.Taken(f.now, a.Move, core.TakenAbsent, nil)
					case core.Missing:
						missing++
					}
				}
			}
		}
		for _, c := range f.cores {
			c.Tick(f.now)
		}
	}
	if missing != b.N {
		b.Errorf("%d misses, want %d", missing, b.N)
	}
}
