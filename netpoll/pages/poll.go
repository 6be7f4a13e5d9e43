package pages

import "time"

// nextPoll returns when a page that was refused asks again. Its timer ticks every
// interval from the first refusal on; a tick is skipped if less than half an
// interval has passed since the last answer. See docs/protocol.md §8.11 and §9.6.
func nextPoll(first, answered time.Time, interval time.Duration) time.Time {
	ticks := answered.Sub(first)/interval + 1
	next := first.Add(ticks * interval)
	if next.Sub(answered) < interval/2 {
		next = next.Add(interval)
	}
	return next
}
