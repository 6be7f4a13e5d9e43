package conformance

import (
	"context"
	"slices"
	"strings"
)

// A Case is one conversation with a server, made by [Load].
type Case struct {
	ID      string   // unique in its set, such as "B04"
	Group   string   // the letter of its group
	Clauses []string // the clauses of docs/protocol.md that decide it
	Tags    []string // "slow", "timing", "large"

	given []action // prepares the case
	steps []action // is the case
}

// Tags of a case; they decide when it runs.
const (
	tagSlow   = "slow"   // waits for an expiry or an idle timeout, up to 86 s
	tagTiming = "timing" // measures milliseconds: wants a quiet machine
	tagLarge  = "large"  // has bodies of many MiB
)

// Name returns the id and the clauses, as the subtest of the case is called.
func (c *Case) Name() string {
	return c.ID + " " + strings.Join(c.Clauses, " ")
}

func (c *Case) tagged(tag string) bool { return slices.Contains(c.Tags, tag) }

// An action is one decoded step. It holds no state of a run: a Case may be
// played many times, also at once.
type action interface {
	do(ctx context.Context, p *player) error
}
