package engine

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farmstate/farmstate/engine/appkey"
)

// Hot is what gets the most requests lately, most first, at most 50 each. See Engine.Hot.
type Hot struct {
	Sessions []HotRow
	Apps     []HotRow // Key is the prefix, see appkey.Prefix; empty for keys without
}

// HotRow is how much one of them gets.
type HotRow struct {
	Key       string
	PerSecond float64
}

const (
	hotRows  = 50  // of each list
	hotTable = 256 // keys watched at a time

	// hotEvery: one answer in so many is a sample.
	hotEvery    = 1 << hotBits
	hotBits     = 6
	hotHalfLife = 30 * time.Second

	// hotDecayEvery is how exact the decay is.
	hotDecayEvery = 250 * time.Millisecond

	// hotRoom is what a stripe's samples may take between two ticks, in bytes. It is enough for the keys of 40 samples, or 130,000 requests a second and lane; what does not fit is
	// counted, and made up for by those that did.
	hotRoom = 4096
)

// sampled reports whether the nth answer of its kind is a sample. Not each 64th is: clients that come in turn would be sampled in step. The multiples of the golden ratio,
// without their integral part, keep no step with anything.
func sampled(n int64) bool { return uint64(n)*0x9E3779B97F4A7C15>>(64-hotBits) == 0 }

// hot finds the sessions and applications that get the most requests. Lanes put samples into small buffers of their own, Tick makes two tables of them.
type hot struct {
	stripes [numStripes]samples

	// Owned by Tick.

	begun   int64 // Time.Mono
	scratch [hotRoom]byte

	mu sync.Mutex

	// Guarded by mu.

	decayed        int64 // Time.Mono as of which the tables' weights are
	sessions, apps heavy
}

// samples are those of one lane since the last tick.
//
// Whoever sets busy owns the rest until it is cleared. Nobody waits for it: a lane that finds it set drops its sample.
type samples struct {
	busy   atomic.Bool
	missed int32 // for want of room
	used   int32
	keys   [hotRoom]byte // each with its length before it, in two bytes
	_      [64]byte      // the next stripe's first line is another lane's
}

func (h *hot) init(now Time) {
	h.begun, h.decayed = now.Mono, now.Mono
	h.sessions.init()
	h.apps.init()
}

// note takes a sample. Never blocks. 0 allocations.
func (h *hot) note(lane int, key []byte) {
	m := &h.stripes[uint(lane)%numStripes]
	if !m.busy.CompareAndSwap(false, true) {
		return
	}
	if n := len(key) + 2; n > len(m.keys)-int(m.used) {
		m.missed++
	} else {
		binary.LittleEndian.PutUint16(m.keys[m.used:], uint16(len(key)))
		copy(m.keys[m.used+2:], key)
		m.used += int32(n)
	}
	m.busy.Store(false)
}

// take moves a lane's samples to dst, and returns their bytes and how many have been missed.
func (m *samples) take(dst []byte) (keys []byte, missed int) {
	if !m.busy.CompareAndSwap(false, true) {
		return nil, 0 // next time
	}
	keys, missed = dst[:copy(dst, m.keys[:m.used])], int(m.missed)
	m.used, m.missed = 0, 0
	m.busy.Store(false)
	return keys, missed
}

// fold enters what the lanes have sampled into the tables.
func (h *hot) fold(now Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if by := now.Mono - h.decayed; by >= int64(hotDecayEvery) {
		f := decay(by)
		h.sessions.scale(f)
		h.apps.scale(f)
		h.decayed = now.Mono
	}
	for i := range h.stripes {
		keys, missed := h.stripes[i].take(h.scratch[:])
		if len(keys) == 0 {
			continue
		}
		n := 0
		for rest := keys; len(rest) > 0; n++ {
			rest = rest[2+binary.LittleEndian.Uint16(rest):]
		}
		weight := hotEvery * float64(n+missed) / float64(n)
		for rest := keys; len(rest) > 0; {
			end := 2 + binary.LittleEndian.Uint16(rest)
			key := rest[2:end]
			h.sessions.add(key, weight)
			h.apps.add(appkey.Prefix(key), weight)
			rest = rest[end:]
		}
	}
}

// decay is what is left of a weight after so many ns.
func decay(by int64) float64 { return math.Exp2(-float64(max(by, 0)) / float64(hotHalfLife)) }

// Hot returns the sessions and applications that have got the most requests lately: what was half a minute ago counts half. Rates are estimated from one request in 64, so what gets less
// than a few a second may be missing or off; the busiest are right within some per cent. They are at least what is told, but for chance. Requests that met no session count as well. Keys name
// sessions, see Survey.
func (e *Engine) Hot(now Time) Hot {
	h := &e.hot
	h.mu.Lock()
	sessions, apps := slices.Clone(h.sessions.rows), slices.Clone(h.apps.rows)
	left := decay(now.Mono - h.decayed)
	h.mu.Unlock()
	// A steady rate r makes a weight of r times the half-life divided by ln 2 in the end, and the share 1 - decay of it until then. Not before a second has passed: a
	// single sample would be a storm.
	passed := max(now.Mono-h.begun, int64(time.Second))
	span := hotHalfLife.Seconds() / math.Ln2 * (1 - decay(passed))
	return Hot{hottest(sessions, left/span), hottest(apps, left/span)}
}

// hottest sorts rows that are the caller's.
func hottest(rows []heavyRow, perWeight float64) []HotRow {
	slices.SortFunc(rows, func(a, b heavyRow) int {
		return cmp.Or(cmp.Compare(b.weight-b.over, a.weight-a.over), cmp.Compare(a.key, b.key))
	})
	var out []HotRow
	for _, r := range rows[:min(len(rows), hotRows)] {
		out = append(out, HotRow{r.key, (r.weight - r.over) * perWeight})
	}
	return out
}

// heavy finds the keys that are given most often, in bounded memory, by the space-saving method of Metwally, Agrawal and El Abbadi: a key that has no row takes that of the
// lightest key and its weight. So a row weighs what its key has been given, or more, by at most what it began with.
type heavy struct {
	rows []heavyRow
	at   map[string]int // row of a key
}

type heavyRow struct {
	key    string
	weight float64
	over   float64 // of it, what the row began with: may be another's
}

func (t *heavy) init() { t.at = map[string]int{} }

// add gives a key so much weight. 0 allocations if the key has a row.
func (t *heavy) add(key []byte, weight float64) {
	if i, ok := t.at[string(key)]; ok {
		t.rows[i].weight += weight
		return
	}
	if len(t.rows) < hotTable {
		t.at[string(key)] = len(t.rows)
		t.rows = append(t.rows, heavyRow{key: string(key), weight: weight})
		return
	}
	least := 0
	for i := range t.rows {
		if t.rows[i].weight < t.rows[least].weight {
			least = i
		}
	}
	r := &t.rows[least]
	delete(t.at, r.key)
	*r = heavyRow{key: string(key), weight: r.weight + weight, over: r.weight}
	t.at[r.key] = least
}

// scale multiplies all weights, and drops the rows that have become next to nothing.
func (t *heavy) scale(f float64) {
	for i := 0; i < len(t.rows); {
		r := &t.rows[i]
		r.weight *= f
		if r.over *= f; r.weight >= 1 {
			i++
			continue
		}
		delete(t.at, r.key)
		last := len(t.rows) - 1
		if i != last {
			*r = t.rows[last]
			t.at[r.key] = i
		}
		t.rows[last] = heavyRow{}
		t.rows = t.rows[:last]
	}
}
