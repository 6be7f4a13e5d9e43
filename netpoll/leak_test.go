package netpoll

import (
	"bytes"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
)

// TestNoLeak: after many connections that ended in many ways, and after the server, no goroutine, no descriptor and no byte of the memory account
// is left.
func TestNoLeak(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		nobodyElse := goleak.IgnoreCurrent()
		before := descriptors(t)
		s, e := start(t, Options{Transport: transport, Loops: 2}, engine.Options{LockWait: 20 * time.Millisecond})
		rnd := random(t)
		var clients sync.WaitGroup
		for range 8 {
			r := rand.New(rand.NewPCG(rnd.Uint64(), 0))
			clients.Go(func() {
				for range 100 {
					c, err := connect(s)
					if err != nil {
						t.Error(err)
						return
					}
					aroundAnEnd(c, r)
				}
			})
		}
		clients.Wait()
		eventually(t, "all connections are gone", func() bool { return s.Stats().Connections == 0 })
		last, err := connect(s)
		check(t, err)
		if a, err := last.do(getReq("/a")); err == nil && a.Status == wire.StatusLocked {
			ask(t, last, releaseReq("/a", a.Cookie), wire.StatusOK)
		}
		_, err = last.do(deleteReq("/a"))
		check(t, err)
		last.close()
		if st := e.Stats(); st.Bytes != 0 || st.Sessions != 0 || st.Queued != 0 || st.Waiting != 0 {
			t.Errorf("%d bytes in the account, %d sessions, %d queued, %d wait", st.Bytes, st.Sessions, st.Queued, st.Waiting)
		}
		if st := s.Stats(); st.OutputBytes != 0 || st.IntakeBytes != 0 || st.Panics != 0 || st.Opened != 801 {
			t.Errorf("%+v", st)
		}
		check(t, stop(s, patience))
		if err := goleak.Find(nobodyElse); err != nil {
			t.Error(err)
		}
		eventually(t, "all descriptors are closed", func() bool { return descriptors(t) <= before })
	})
}

// aroundAnEnd uses a connection for a while and ends it, maybe in the middle of something.
func aroundAnEnd(c *client, r *rand.Rand) {
	defer c.close()
	all := bytes.Join([][]byte{
		putReq("/a", make([]byte, 1+r.IntN(1000))), acquireReq("/a"), bytes.Repeat(getReq("/a"), r.IntN(30)), saveReq("/a", uint32(r.IntN(9)), make([]byte, 200<<10)),
		acquireReq("/a"), longGet("/a", 100<<10), make([]byte, 100<<10), releaseReq("/a", uint32(r.IntN(9))), deleteReq("/a"), deleteReq("/a"),
	}, nil)
	all = all[:r.IntN(len(all))]
	if r.IntN(8) == 0 && len(all) > 0 {
		all[r.IntN(len(all))] = '\n'
	}
	_ = c.send(all)
	for range r.IntN(3) {
		_ = c.nc.SetReadDeadline(time.Now().Add(time.Millisecond))
		_ = c.fill()
	}
	switch r.IntN(3) {
	case 0:
		c.reset()
	case 1:
		_ = c.nc.CloseWrite()
		_, _ = c.answer()
	}
}

// descriptors is how many descriptors this process has open; 0 where the system does not say.
func descriptors(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	files, err := os.ReadDir("/proc/self/fd")
	check(t, err)
	return len(files)
}
