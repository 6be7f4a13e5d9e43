package engine

import "sync/atomic"

// memory is the account of the bytes that sessions and bodies on their way in have taken. Bytes are taken before they are used.
type memory struct {
	used atomic.Int64
	max  int64 // 0 = no cap. Static after construction.
}

// newcomers may fill the account up to max less this share of it, so that the sessions that live can still grow.
const growthShare = 32

// take adds n bytes (or gives back, if negative) if the account stays within its cap. A cut in size always succeeds.
func (m *memory) take(n int64) bool { return m.takeUpTo(n, m.max) }

// takeNew is take for a session that is not yet there.
func (m *memory) takeNew(n int64) bool { return m.takeUpTo(n, m.maxNew()) }

func (m *memory) maxNew() int64 { return m.max - m.max/growthShare }

// hasRoomNew reports whether takeNew would succeed now.
func (m *memory) hasRoomNew(n int64) bool { return m.max == 0 || m.used.Load()+n <= m.maxNew() }

func (m *memory) takeUpTo(n, limit int64) bool {
	if n <= 0 || m.max == 0 {
		m.used.Add(n)
		return true
	}
	for used := m.used.Load(); used+n <= limit; used = m.used.Load() {
		if m.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
	return false
}

// force adds n bytes whatever the cap says.
func (m *memory) force(n int64) { m.used.Add(n) }

// Reserve takes n bytes of the memory account for a body that is on its way in, and reports whether they were free.
func (e *Engine) Reserve(n int) bool { return e.memory.take(int64(n)) }

// Charge takes n bytes of the memory account whatever the cap says, for what exists and must not be lost, or gives them back, if n is negative.
func (e *Engine) Charge(n int) { e.memory.force(int64(n)) }

// Unreserve gives back what Reserve took for a body that no ticket has handed to the engine.
func (e *Engine) Unreserve(n int) { e.memory.take(-int64(n)) }
