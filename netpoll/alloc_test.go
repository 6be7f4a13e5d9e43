//go:build !race

package netpoll

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"github.com/farmstate/farmstate/engine"
)

// TestNoAllocations: from received bytes to the write, requests allocate nothing, unless content has to grow or a session is new.
func TestNoAllocations(t *testing.T) {
	const runs = 1000
	s, e := fakeServer(t, Options{}, engine.Options{LockWait: longWait})
	c, f := fakeConn(t, s, newLane(s, 0))
	f.keep = false
	f.handle(putReq("/a", []byte("0000")))
	f.handle(putReq("/large", make([]byte, 100<<10)))
	const real = "%2fLM%2fW3SVC%2f1%2fROOT(cAHkmVhipCLv%2fQnONQmPsKL%2bq%2fAjnK%2fnYS9aV3Zlad8%3d)%2f"
	f.handle(putReq(real+"z445nnecaiiqye55asxwtm55", make([]byte, 1000)))
	for i := range runs + 1 {
		f.handle(putReq(fmt.Sprintf("/d%07d", i), []byte("x")))
	}

	release := bytes.Replace(releaseReq("/a", 7), []byte("LockCookie: 7"), []byte("LockCookie: 0000007"), 1)
	doomed := deleteReq("/d0000000")
	deleted := 0
	for _, tt := range []struct {
		name string
		run  func(request []byte)
		with []byte
	}{
		{"get", f.handle, getReq("/a")},
		{"get of a large body", f.handle, getReq("/large")},
		{"get as real clients spell it", f.handle, getReq(real + "z445nnecaiiqye55asxwtm55")},
		{"get miss as real clients spell it", f.handle, getReq(real + "z445nnecaiiqye55asxwtm54")},
		{"head", f.handle, headReq("/a")},
		{"put of the same", f.handle, putReq("/a", []byte("0000"))},
		{"put of the same size", func(r []byte) { r[len(r)-1]++; f.handle(r) }, putReq("/a", []byte("0000"))},
		{"get miss", f.handle, getReq("/none")},
		{"head miss", f.handle, headReq("/none")},
		{"delete miss", f.handle, deleteReq("/none")},
		{"pipelined", f.handle, bytes.Repeat(getReq("/a"), 50)},
		{"in two pieces", func(r []byte) { f.handle(r[:20]); f.handle(r[20:]) }, getReq("/a")},
		{"acquire and release", func(r []byte) {
			f.handle(r)
			digits(release, "LockCookie: ", int64(c.ticket.Out.Cookie))
			f.handle(release)
		}, acquireReq("/a")},
		{"delete", func(r []byte) {
			digits(r, "/d", int64(deleted))
			deleted++
			f.handle(r)
		}, doomed},
	} {
		if n := testing.AllocsPerRun(runs, func() { tt.run(tt.with) }); n > 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
	st := e.Stats()
	if st.Answers[engine.Release][engine.OK] != runs+1 || st.Removed != runs+1 || st.Locked != 0 || s.Stats().Malformed["bad_number"] != 0 {
		t.Errorf("the requests were not answered as planned: %+v", st)
	}
}

// digits overwrites the seven digits behind a text.
func digits(request []byte, behind string, n int64) {
	at := bytes.Index(request, []byte(behind)) + len(behind)
	var b [20]byte
	s := strconv.AppendInt(b[:0], 10_000_000+n, 10)
	copy(request[at:at+7], s[1:])
}
