package farm

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// resident is how much memory the node's process has, in bytes.
func (n *node) resident() int64 {
	n.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", n.cmd.Process.Pid))
	if err != nil {
		n.t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		n.t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// descriptors is how many files and sockets the node's process has open.
func (n *node) descriptors() int {
	n.t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.cmd.Process.Pid))
	if err != nil {
		n.t.Fatal(err)
	}
	return len(all)
}

// TestResources looks at what clients cost a node of a farm that do little.
func TestResources(t *testing.T) {
	t.Parallel()
	f := startFarm(t, pair(), plain)
	n := f.nodes[0]
	k := newKey()
	f.play(t, step{0, PUT(k, "v"), "200"})
	t.Run("S18", func(t *testing.T) {
		before := n.descriptors()
		together(200, func(int) {
			if a := n.do(GET(k)); !a.is("200 v") {
				t.Error(a)
			}
		})
		await(t, "the descriptors of 200 clients to be freed", patience, func() bool { return n.descriptors() <= before+2 })
	})
	t.Run("F12", func(t *testing.T) {
		before := n.resident()
		head := request("PUT", k, "Content-Length: 20971520\r\n")
		conns := make([]*client, 50)
		for i := range conns {
			conns[i] = n.dial()
			if _, err := conns[i].Write([]byte(head)); err != nil {
				t.Fatal(err)
			}
		}
		f.play(t, step{0, GET(k), "200 v"})
		if grown := n.resident() - before; grown > 100<<20 {
			t.Errorf("50 heads without their bodies take %d MiB", grown>>20)
		}
	})
}
