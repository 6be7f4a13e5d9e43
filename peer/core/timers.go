package core

// timer says when to look at an item, or to forget a query, or, without either, to announce the neighbours. It may come due for nothing; whoever looks finds out.
type timer struct {
	at    int64
	n     uint64 // order of making, so that equal times have an order
	item  *item
	query *query
}

func (t *timer) before(o *timer) bool { return t.at < o.at || t.at == o.at && t.n < o.n }

// timers is a heap of timers. Not container/heap, which allocates for each one.
type timers struct {
	list []timer
	made uint64
}

func (t *timers) add(x timer) {
	t.made++
	x.n = t.made
	t.list = append(t.list, x)
	l := t.list
	i := len(l) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !x.before(&l[up]) {
			break
		}
		l[i] = l[up]
		i = up
	}
	l[i] = x
}

// due takes the first timer if its time has come.
func (t *timers) due(now int64) (first timer, ok bool) {
	if len(t.list) == 0 || t.list[0].at > now {
		return timer{}, false
	}
	l := t.list
	first = l[0]
	last := len(l) - 1
	x := l[last]
	l[last] = timer{}
	l = l[:last]
	t.list = l
	if last == 0 {
		return first, true
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && l[down+1].before(&l[down]) {
			down++
		}
		if !l[down].before(&x) {
			break
		}
		l[i] = l[down]
		i = down
	}
	l[i] = x
	return first, true
}

// trim gives up memory that many timers have taken which are no more.
func (t *timers) trim() {
	if cap(t.list) > keepRecent && len(t.list) < cap(t.list)/4 {
		t.list = append(make([]timer, 0, 2*len(t.list)), t.list...)
	}
}

func (t *timers) next() (int64, bool) {
	if len(t.list) == 0 {
		return 0, false
	}
	return t.list[0].at, true
}

// at has an item looked at, at a time.
func (c *Core) at(at int64, it *item) { c.timers.add(timer{at: at, item: it}) }
