package trace

import (
	"container/heap"
	"time"
)

const (
	// Window is how long an event is kept back, so that one that happened earlier and comes later can go before it. If the nodes' clocks agree and the network is
	// no slower than this, the stream is in order.
	Window = 500 * time.Millisecond
	// maxKept bounds the events that are kept back; beyond it the earliest goes early.
	maxKept = 50_000
)

// order keeps lines back for a while, and gives them out by the time of their events.
type order struct {
	kept   kept
	queue  []arrival // of the lines that are kept, in the order in which they came
	gone   map[uint64]bool
	serial uint64
}

// arrival is when a line came.
type arrival struct {
	at     time.Time
	serial uint64
}

// item is a line that is kept back.
type item struct {
	line   Line
	serial uint64
}

// add keeps a line back.
func (o *order) add(now time.Time, l Line) {
	o.serial++
	heap.Push(&o.kept, item{l, o.serial})
	o.queue = append(o.queue, arrival{now, o.serial})
}

// take gives out the lines that need not be kept back any more: those that came a window ago, and all that happened before them. With all, it gives out all.
func (o *order) take(now time.Time, all bool) []Line {
	var lines []Line
	for len(o.kept) > 0 {
		if o.skip(); !all && len(o.kept) <= maxKept && now.Sub(o.queue[0].at) < Window {
			break
		}
		first := heap.Pop(&o.kept).(item)
		if o.gone == nil {
			o.gone = map[uint64]bool{}
		}
		o.gone[first.serial] = true
		lines = append(lines, first.line)
	}
	o.skip()
	return lines
}

// skip forgets the arrivals, at the front of the queue, of lines that are gone.
func (o *order) skip() {
	n := 0
	for n < len(o.queue) && o.gone[o.queue[n].serial] {
		delete(o.gone, o.queue[n].serial)
		n++
	}
	o.queue = o.queue[n:]
}

// due is when take has to be called next; ok is false if nothing is kept.
func (o *order) due() (at time.Time, ok bool) {
	if len(o.queue) == 0 {
		return time.Time{}, false
	}
	return o.queue[0].at.Add(Window), true
}

// kept is a heap of items, the earliest event first; of two of one time, the one that came first.
type kept []item

func (k kept) Len() int      { return len(k) }
func (k kept) Swap(i, j int) { k[i], k[j] = k[j], k[i] }
func (k kept) Less(i, j int) bool {
	if !k[i].line.Time.Equal(k[j].line.Time) {
		return k[i].line.Time.Before(k[j].line.Time)
	}
	return k[i].serial < k[j].serial
}

// Push implements heap.Interface.
func (k *kept) Push(x any) { *k = append(*k, x.(item)) }

// Pop implements heap.Interface.
func (k *kept) Pop() any {
	last := len(*k) - 1
	x := (*k)[last]
	(*k)[last] = item{}
	*k = (*k)[:last]
	return x
}
