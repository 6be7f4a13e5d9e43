package conformance

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// turn is what a scripted server does when it has read one request.
type turn struct {
	delay time.Duration
	say   string
	close bool // afterwards
	reset bool // close with a reset
}

// startScript starts a server whose connections each play the turns, one for
// each header block they read, and are then silent.
func startScript(t *testing.T, turns ...turn) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	over := make(chan struct{})
	wg.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				if playScript(nc.(*net.TCPConn), turns, over) {
					<-over
				}
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		close(over)
		wg.Wait()
	})
	return listener.Addr().String()
}

// playScript reports whether the connection stays open afterwards.
func playScript(nc *net.TCPConn, turns []turn, over chan struct{}) bool {
	in := bufio.NewReader(nc)
	for _, turn := range turns {
		for line := ""; line != "\r\n"; {
			var err error
			if line, err = in.ReadString('\n'); err != nil {
				return false
			}
		}
		select {
		case <-time.After(turn.delay):
		case <-over:
			return false
		}
		if _, err := nc.Write([]byte(turn.say)); err != nil {
			return false
		}
		if turn.reset {
			nc.SetLinger(0)
		}
		if turn.close || turn.reset {
			return false
		}
	}
	return true
}

// Responses of scripted servers.
const (
	sayOK       = "200 OK\r\nX-AspNet-Version: 4.0.30319\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"
	sayBody     = "200 OK\r\nX-AspNet-Version: 4.0.30319\r\nTimeout: 20\r\nCache-Control: private\r\nContent-Length: 4\r\n\r\nAAAA"
	sayAcquired = "200 OK\r\nX-AspNet-Version: 4.0.30319\r\nLockCookie: 2\r\nTimeout: 20\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"
	say404      = "404 Not Found\r\nX-AspNet-Version: 4.0.30319\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"
)

// sayLocked is a 423 for a lock taken three seconds ago.
func sayLocked(date string) string {
	return "423 Locked\r\nX-AspNet-Version: 4.0.30319\r\nLockDate: " + date +
		"\r\nLockAge: 3\r\nLockCookie: 2\r\nCache-Control: private\r\nContent-Length: 0\r\n\r\n"
}

// quickLimits let a failing case fail soon.
var quickLimits = limits{
	answer: 300 * time.Millisecond,
	close:  150 * time.Millisecond,
	open:   60 * time.Millisecond,
	settle: 30 * time.Millisecond,
	pool:   50 * time.Millisecond,
}

// playSteps plays a case of those steps.
func playSteps(t *testing.T, addr, steps string) error {
	t.Helper()
	cases, err := Load([]byte(oneCase(steps)))
	if err != nil {
		t.Fatal(err)
	}
	return runWith(t.Context(), addr, &cases[0], quickLimits)
}

// checkOutcome fails the test unless err contains want; an empty want is none.
func checkOutcome(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("failed: %v", err)
	case want != "" && err == nil:
		t.Errorf("passed, want %q", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("failed with %q, want %q in it", err, want)
	}
}
