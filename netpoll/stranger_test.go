package netpoll

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/farmstate/farmstate/engine"
)

// TestNothingForStrangers: what is answered to a client that has gone must not reach the one that got its descriptor. Many clients ask for much and reset
// the connection, with answers on their way or waiting for a lock; others, which come and go all the time, check each byte they get.
func TestNothingForStrangers(t *testing.T) {
	parallel(t)
	overLoops(t, func(t *testing.T, opt Options) {
		s, e := start(t, opt, engine.Options{LockWait: longWait})
		setup := dial(t, s)
		const rude, honest, rounds = 4, 4, 150
		key := func(kind string, i int) string { return fmt.Sprintf("/%s%d", kind, i) }
		content := func(key string) []byte { return pattern(key, 30<<10) }
		for i := range rude {
			check(t, put(setup, key("rude", i), content(key("rude", i))))
		}
		for i := range honest {
			check(t, put(setup, key("honest", i), content(key("honest", i))))
		}
		rnd := random(t)
		var working, disturbing sync.WaitGroup
		var over atomic.Bool
		for i := range rude {
			r := rand.New(rand.NewPCG(rnd.Uint64(), 0))
			disturbing.Go(func() {
				for !over.Load() {
					c, err := connect(s)
					if err != nil {
						t.Error(err)
						return
					}
					request := bytes.Repeat(getReq(key("rude", i)), 1+r.IntN(40))
					if r.IntN(3) == 0 {
						request = append(request, acquireReq(key("rude", (i+1)%rude))...)
					}
					_ = c.send(request)
					if r.IntN(2) == 0 {
						_, _ = c.answer()
					}
					if r.IntN(4) == 0 {
						_ = c.send(releaseReq(key("rude", (i+1)%rude), uint32(2+r.IntN(20))))
					}
					c.reset()
				}
			})
		}
		for i := range honest {
			working.Go(func() {
				want := content(key("honest", i))
				for range rounds {
					c, err := connect(s)
					if err != nil {
						t.Error(err)
						return
					}
					for range 2 {
						a, err := c.do(getReq(key("honest", i)))
						if err != nil || !bytes.Equal(a.body, want) {
							t.Errorf("%v, %v, want the session of this client alone", a, err)
						}
					}
					if len(c.buf) > 0 {
						t.Errorf("%q came unasked", clip(c.buf))
					}
					c.close()
				}
			})
		}
		working.Wait()
		over.Store(true)
		disturbing.Wait()
		eventually(t, "all connections are gone", func() bool { return s.Stats().Connections == 1 })
		if st := e.Stats(); st.Waiting != 0 || st.Queued != 0 || s.Stats().Panics != 0 {
			t.Errorf("%d wait, %d are queued, %d panics", st.Waiting, st.Queued, s.Stats().Panics)
		}
	})
}

// put stores a session.
func put(c *client, key string, body []byte) error {
	a, err := c.do(putReq(key, body))
	if err == nil && a.Status.String() != "200 OK" {
		err = fmt.Errorf("put %s: %v", key, a)
	}
	return err
}
