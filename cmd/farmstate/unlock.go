package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/notice"
	"github.com/farmstate/farmstate/engine"
)

// unlockTime is how long the breaking of a lock may take: its session may be on its way.
const unlockTime = 15 * time.Second

// unlockAction is POST /api/v1/unlock?session=KEY&cookie=COOKIE: it breaks a lock as ASP.NET does that of a page which has run for too long. A page that holds the
// lock all the same cannot save any more. The cookie says which lock is meant: a later one is left alone.
func (n *node) unlockAction(query url.Values) (any, error) {
	key := query.Get("session")
	cookie, _ := strconv.ParseUint(query.Get("cookie"), 10, 32) // it is one
	if p, sight := n.engine.Peek(n.clock.Now(), []byte(key)); sight == engine.SightHere && !p.Locked {
		return nil, errors.New("the session is not locked any more: its page has ended meanwhile, or somebody else has broken the lock")
	}
	ctx, cancel := context.WithTimeout(context.Background(), unlockTime)
	defer cancel()
	out, err := n.engine.Ask(ctx, n.clock.Now(), engine.Ticket{Op: engine.Release, Key: []byte(key), HasCookie: true, Cookie: uint32(cookie)})
	if err != nil {
		return nil, errors.New("the session has not answered in time: it is on its way between nodes, or occupied; try again")
	}
	who := notice.SessionOf(key)
	switch out.Status {
	case engine.OK:
		n.logger.Warn("a lock was broken by an operator", "event", "lock_broken", "application", who.Application(), "session", who.ID, "cookie", cookie)
		return struct {
			Unlocked bool `json:"unlocked"`
		}{true}, nil
	case engine.Locked:
		return nil, fmt.Errorf("the session is locked with the cookie %d meanwhile: somebody else has it, and keeps it", out.Cookie)
	case engine.NotFound:
		return nil, errors.New("there is no such session: it has expired or was deleted, and its lock with it")
	default:
		return nil, fmt.Errorf("the session cannot be unlocked now (%s); try again", out.Status)
	}
}
