package core

import "container/heap"

// timer says when to look at an item, or to forget a query. It may come due for nothing; whoever looks finds out.
type timer struct {
	at    int64
	n     uint64 // order of making, so that equal times have an order
	item  *item
	query *query
}

// timers is a heap of timers.
type timers struct {
	list []timer
	made uint64
}

func (t *timers) Len() int { return len(t.list) }
func (t *timers) Less(i, j int) bool {
	a, b := &t.list[i], &t.list[j]
	return a.at < b.at || a.at == b.at && a.n < b.n
}
func (t *timers) Swap(i, j int) { t.list[i], t.list[j] = t.list[j], t.list[i] }
func (t *timers) Push(x any)    { t.list = append(t.list, x.(timer)) }
func (t *timers) Pop() any {
	x := t.list[len(t.list)-1]
	t.list[len(t.list)-1] = timer{}
	t.list = t.list[:len(t.list)-1]
	return x
}

func (t *timers) add(x timer) {
	t.made++
	x.n = t.made
	heap.Push(t, x)
}

func (t *timers) due(now int64) (timer, bool) {
	if len(t.list) == 0 || t.list[0].at > now {
		return timer{}, false
	}
	return heap.Pop(t).(timer), true
}

func (t *timers) next() (int64, bool) {
	if len(t.list) == 0 {
		return 0, false
	}
	return t.list[0].at, true
}

// at has an item looked at, at a time.
func (c *Core) at(at int64, it *item) { c.timers.add(timer{at: at, item: it}) }
