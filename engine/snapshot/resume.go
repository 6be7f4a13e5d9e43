package snapshot

import (
	"math"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// cookieJump is how many cookies may have been given out for a session after it was written: a lock a second for 18 hours.
const cookieJump = math.MaxUint16

// Resume makes a session that was read what it is after the time that has passed since the file was written; a negative time counts as none. It returns false if
// its life is over.
//
// The lock goes on, by its cookie, so whoever held it may save. The next cookie is far above: the node may have gone on for a while after it wrote the file, and
// cookies that it gave out then, which nobody knows of, must not be given out again.
func Resume(p *engine.Parcel, elapsed time.Duration) bool {
	elapsed = max(elapsed, 0)
	if p.Minutes > 0 {
		p.Left = min(p.Left, int64(p.Minutes)*int64(time.Minute)) - int64(elapsed)
		if p.Left <= 0 {
			return false
		}
	}
	if p.Locked {
		p.LockAge = min(p.LockAge+min(int64(elapsed), maxSpan), maxSpan)
		p.Skip = cookieJump
		return true
	}
	p.Cookie = min(p.Cookie+cookieJump, maxCookie)
	return true
}
