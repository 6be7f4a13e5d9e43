package conformance

import (
	"errors"
	"io"
	"net"
	"testing"
)

// TestShut checks what a server sees of each way in which a case closes.
func TestShut(t *testing.T) {
	for _, tt := range []struct {
		steps   string
		reset   bool
		answers bool // the case still reads
	}{
		{`{"send": "x"}, {"shut": "fin"}`, false, false},
		{`{"send": "x"}, {"shut": "rst"}`, true, false},
		{`{"send": "x", "shut": "write"}, {"expect_status": 200}, {"closed": true}`, false, true},
		{`{"connect": true}`, false, false},
	} {
		t.Run(tt.steps, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			saw := make(chan error, 1)
			go func() {
				nc, err := listener.Accept()
				if err != nil {
					saw <- err
					return
				}
				defer nc.Close()
				if _, err = io.Copy(io.Discard, nc); err == nil && tt.answers {
					_, err = nc.Write([]byte(sayOK))
				}
				saw <- err
			}()
			checkOutcome(t, playSteps(t, listener.Addr().String(), tt.steps), "")
			err = <-saw
			if reset := err != nil && !errors.Is(err, net.ErrClosed); reset != tt.reset {
				t.Errorf("the server saw %v, want a reset: %t", err, tt.reset)
			}
		})
	}
}
