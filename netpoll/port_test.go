package netpoll

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
)

// TestOnePortOneServer: a second server on the same port fails to start, instead of taking half of the sessions; and the first lives on.
func TestOnePortOneServer(t *testing.T) {
	for _, first := range transportNames() {
		for _, second := range transportNames() {
			t.Run(first+" then "+second, func(t *testing.T) {
				s, _ := start(t, Options{Transport: first}, engine.Options{})
				e, err := engine.New(engine.Options{}, engine.Time{})
				check(t, err)
				starting.Lock()
				defer starting.Unlock()
				copied, err := Listen(Options{Addr: s.Addr().String(), Transport: second}, e)
				if err == nil {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					t.Fatal("it has started", copied.Shutdown(ctx))
				}
				if !errors.Is(err, syscall.EADDRINUSE) {
					t.Errorf("%v, want %v", err, syscall.EADDRINUSE)
				}
				c := dial(t, s)
				check(t, put(c, "/a", []byte("x")))
			})
		}
	}
}
