package main

import (
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"
)

// How much garbage may pile up before the collector runs. Go's default lets
// the heap grow to twice what the last collection found to be live: with 8 GiB
// of sessions that is 8 GiB more, which nobody has set aside; and while
// sessions are being created it collects again and again although there is no
// garbage. We know what the sessions take, so a collection runs when the
// garbage, and not the sessions, has grown by as much as is live, at most by
// gcHeadroom.
const (
	gcHeadroom   = 1 << 30  // bytes of garbage that are allowed at most
	gcLeast      = 32 << 20 // and that are allowed always
	gcMinPercent = 5        // below this the collector would cost more than the memory is worth: from 20 GiB live
	gcMaxPercent = 1 << 20  // of a heap that has been collected when it was nearly empty
	gcBase       = 4 << 20  // the heap that the runtime reckons with at least
	gcInterval   = time.Second
)

// gcPercent is the GOGC value with which the next collection comes when the
// heap has reached what is live now plus the garbage that is allowed. marked is
// what the last collection found to be live, held is what the sessions take
// now, both in bytes.
func gcPercent(marked, held uint64) int {
	marked = max(marked, gcBase)
	live := max(marked, held)
	goal := live + min(max(live, gcLeast), gcHeadroom)
	percent := 100 * (float64(goal) - float64(marked)) / float64(marked)
	return int(min(max(percent, gcMinPercent), gcMaxPercent))
}

// gcKeeper adjusts the collector as the heap grows and shrinks.
type gcKeeper struct {
	held func() uint64 // bytes that the sessions take
	stop chan struct{}
	done chan struct{}
}

// startGCKeeper starts the keeper's goroutine, unless the environment tunes
// the collector already: then the operator knows better, and it returns nil.
func startGCKeeper(environ []string, held func() uint64) *gcKeeper {
	if gcTuned(environ) {
		return nil
	}
	k := &gcKeeper{held: held, stop: make(chan struct{}), done: make(chan struct{})}
	go k.run()
	return k
}

// gcTuned reports whether the environment sets GOGC or GOMEMLIMIT.
func gcTuned(environ []string) bool {
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		if (name == "GOGC" || name == "GOMEMLIMIT") && text != "" {
			return true
		}
	}
	return false
}

func (k *gcKeeper) run() {
	defer close(k.done)
	ticker := time.NewTicker(gcInterval)
	defer ticker.Stop()
	percent := 0
	for {
		select {
		case <-k.stop:
			return
		case <-ticker.C:
			if want := gcPercent(markedHeap(), k.held()); want != percent {
				debug.SetGCPercent(want)
				percent = want
			}
		}
	}
}

// close ends the goroutine. k may be nil.
func (k *gcKeeper) close() {
	if k == nil {
		return
	}
	close(k.stop)
	<-k.done
}

// markedHeap is what the last collection found to be live, in bytes.
func markedHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
