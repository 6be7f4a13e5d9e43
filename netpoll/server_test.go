package netpoll

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// transports are the ones that this system has, for tests that must hold on each.
func transports(t *testing.T, f func(t *testing.T, transport string)) {
	t.Helper()
	for _, name := range transportNames() {
		t.Run(name, func(t *testing.T) { f(t, name) })
	}
}

func transportNames() []string {
	if gnetForProduction {
		return []string{TransportGnet, TransportStd}
	}
	return []string{TransportStd}
}

// busy is held by tests that keep the processors busy.
var busy sync.Mutex

// parallel makes a test run next to those that wait most of the time, but not next to another that keeps the processors busy.
func parallel(t *testing.T) {
	t.Helper()
	t.Parallel()
	busy.Lock()
	t.Cleanup(busy.Unlock)
}

// starting serialises the starts and stops of servers: gnet keeps a logger for the whole process and guards it by nothing.
var starting sync.Mutex

// start serves a new engine until the test ends.
func start(t testing.TB, opt Options, eopt engine.Options) (*Server, *engine.Engine) {
	t.Helper()
	if opt.Addr == "" {
		opt.Addr = "127.0.0.1:0"
	}
	if opt.IdleTimeout == 0 {
		opt.IdleTimeout = 10 * patience // tests are not always fast
	}
	e, err := engine.New(eopt, engine.Time{})
	if err != nil {
		t.Fatal(err)
	}
	starting.Lock()
	s, err := Listen(opt, e)
	starting.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(s, 100*time.Millisecond); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return s, e
}

// stop shuts a server down; started requests get grace.
func stop(s *Server, grace time.Duration) error {
	if s.opt.Transport == TransportGnet {
		starting.Lock()
		defer starting.Unlock()
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return s.Shutdown(ctx)
}

// slack is how late what happens by time may be; §2.8 asks for this much.
func slack() time.Duration {
	if raceEnabled {
		return patience
	}
	return 5 * time.Second
}

// eventually waits until cond is true.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !cond() {
		select {
		case <-poll.C:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// random returns a source of random numbers and prints the seed with which a failure can be played again.
func random(t testing.TB) *rand.Rand {
	t.Helper()
	n := *seed
	if n == 0 {
		n = rand.Uint64()
	}
	t.Logf("-netpoll.seed=%d", n)
	return rand.New(rand.NewPCG(n, 0))
}
