package netpoll

import (
	"testing"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/pages"
)

// TestPages plays the pages of web sites against both transports.
func TestPages(t *testing.T) {
	parallel(t)
	transports(t, func(t *testing.T, transport string) {
		s, _ := start(t, Options{Transport: transport}, engine.Options{LockWait: engine.DefaultLockWait})
		pages.Suite(t, s.Addr().String())
	})
}
