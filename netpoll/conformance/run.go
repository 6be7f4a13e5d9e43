package conformance

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// Options say how [Run] runs.
type Options struct {
	// Slow runs the cases that wait for an expiry or an idle timeout, up to
	// 86 s, side by side. Without it they are skipped.
	Slow bool
	// Parallel is how many of the ordinary cases run at once. 0 means two for
	// each CPU.
	Parallel int
}

// caseLimit ends a case that hangs in spite of all other limits.
const caseLimit = 5 * time.Minute

// Run plays every case against the server at addr, each in a subtest named by
// its id and its clauses, and returns when all have ended. They lie in groups,
// run one after the other, so that the next quiet moment is used for those that
// need it:
//
//	timing   one by one, for they measure milliseconds
//	quick    a few at once
//	large    one by one, for they take much memory
//	slow     all at once, for they mostly wait
func Run(t *testing.T, addr string, cases []Case, opts Options) {
	t.Helper()
	var timing, quick, large, slow []Case
	for _, c := range cases {
		switch {
		case c.tagged(tagSlow):
			slow = append(slow, c)
		case c.tagged(tagTiming):
			timing = append(timing, c)
		case c.tagged(tagLarge):
			large = append(large, c)
		default:
			quick = append(quick, c)
		}
	}
	atOnce := opts.Parallel
	if atOnce <= 0 {
		atOnce = 2 * runtime.GOMAXPROCS(0)
	}
	runGroup(t, "timing", addr, timing, 1)
	runGroup(t, "quick", addr, quick, atOnce)
	runGroup(t, "large", addr, large, 1)
	if !opts.Slow && len(slow) > 0 {
		t.Run("slow", func(t *testing.T) { t.Skipf("%d cases that take up to 86 s were not asked for", len(slow)) })
		return
	}
	runGroup(t, "slow", addr, slow, len(slow))
}

// runGroup runs cases as subtests of one subtest, atOnce at a time.
func runGroup(t *testing.T, name, addr string, cases []Case, atOnce int) {
	t.Helper()
	if len(cases) == 0 {
		return
	}
	t.Run(name, func(t *testing.T) {
		slots := make(chan struct{}, atOnce)
		for _, c := range cases {
			t.Run(c.Name(), func(t *testing.T) {
				ended := start(t, addr, &c, slots)
				if atOnce > 1 {
					t.Parallel()
				}
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// start plays c in a goroutine, as soon as a slot is free, and sends its outcome.
//
// It must come before t.Parallel, because that blocks until -test.parallel lets
// the subtest go on, which by default is no more of them than CPUs: slow cases
// would then wait for minutes to begin to wait.
func start(t *testing.T, addr string, c *Case, slots chan struct{}) <-chan error {
	ended := make(chan error, 1)
	ctx := t.Context()
	go func() {
		slots <- struct{}{}
		defer func() { <-slots }()
		ctx, cancel := context.WithTimeout(ctx, caseLimit)
		defer cancel()
		ended <- runCase(ctx, addr, c)
	}()
	return ended
}
