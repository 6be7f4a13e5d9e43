//go:build linux

package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCutNetwork is TestCut with a real network: each node is in a network namespace of its own, and has a cable to each other one, which lets nothing
// through any more in one direction or both. The nodes find each other by gossip. For this the test runs itself again, in a namespace that needs no
// privileges. Where a system forbids that, it fails unless it is told so by CHAOS_NAMESPACE=none: then TestCut alone is what there is.
func TestCutNetwork(t *testing.T) {
	switch os.Getenv(inNamespace) {
	case "none":
		t.Logf("%s=none: not tested here", inNamespace)
		return
	case "inside":
		cutNetwork(t)
		return
	}
	t.Parallel()
	args := []string{"-test.run=^TestCutNetwork$", "-test.v", "-test.timeout=10m", "-chaos.program=" + program}
	args = append(args, fmt.Sprintf("-chaos.seed=%d", *seedFlag), fmt.Sprintf("-chaos.long=%v", *longFlag), "-chaos.log="+*logFlag, "-chaos.keep="+*keepFlag)
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), inNamespace+"=inside")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig:   syscall.SIGKILL,
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	runtime.LockOSThread() // or the child would be killed when this thread ends
	defer runtime.UnlockOSThread()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	text := out.String()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		t.Fatalf("no network namespace: %v; if this system forbids them, %s=none leaves this test out", err, inNamespace)
	}
	if err != nil || !strings.Contains(text, "--- PASS: TestCutNetwork") {
		t.Errorf("%v\n%s", err, text)
		return
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, "_test.go:") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// cutNetwork is what is run in the namespace.
func cutNetwork(t *testing.T) {
	for i, cc := range cutCases {
		if !*longFlag && i%2 == 0 {
			continue
		}
		t.Run(cc.name, func(t *testing.T) {
			t.Parallel()
			w, err := newCables(t, i, 3)
			if err != nil {
				t.Fatal(err)
			}
			c := startCluster(t, setup{nodes: 3, gossip: true, args: []string{"--allow=10.7.0.0/16"}, at: func(i int) place { return place{w.rooms[i].addr.String(), w.rooms[i].start} }})
			c.playCut(cc, w)
		})
	}
}

// room is a network namespace and a thread that is in it, for ever.
type room struct {
	addr netip.Addr
	fd   int
	jobs chan func()
}

// newRoom makes a network namespace.
func newRoom(t *testing.T, addr netip.Addr) (*room, error) {
	r := &room{addr: addr, jobs: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and it stays so: the thread ends with this goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			r.fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
		ready <- err
		for job := range r.jobs {
			job()
		}
	}()
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("a network namespace for a node: %w", err)
	}
	t.Cleanup(func() {
		_ = unix.Close(r.fd)
		close(r.jobs) // ends the processes that it has started, too, if there are any
	})
	return r, nil
}

// in does something in the room.
func (r *room) in(do func() error) error {
	done := make(chan error)
	r.jobs <- func() { done <- do() }
	return <-done
}

// start starts a process in the room.
func (r *room) start(cmd *exec.Cmd) error { return r.in(cmd.Start) }

// cables are wires between rooms: one for each pair, and one from each to where the test is.
type cables struct {
	test  netip.Addr
	rooms []*room
}

// mac is the hardware address of room i towards all others. The last is that of the test.
func mac(i int) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, 0, byte(i + 1)} }

// nobody is a hardware address that no interface has.
var nobody = net.HardwareAddr{2, 0, 0, 0, 0, 0xff}

// newCables makes n rooms and connects them; net tells several apart.
func newCables(t *testing.T, network, n int) (*cables, error) {
	w := &cables{test: netip.AddrFrom4([4]byte{10, 7, byte(network), 254})}
	if err := up("lo"); err != nil {
		return nil, err
	}
	for i := range n {
		r, err := newRoom(t, netip.AddrFrom4([4]byte{10, 7, byte(network), byte(i + 1)}))
		if err != nil {
			return nil, err
		}
		w.rooms = append(w.rooms, r)
		if err := r.in(func() error { return errors.Join(up("lo"), addAddress("lo", r.addr)) }); err != nil {
			return nil, err
		}
	}
	if err := addAddress("lo", w.test); err != nil {
		return nil, err
	}
	for i, r := range w.rooms {
		here, there := fmt.Sprintf("n%dr%d", network, i), "test"
		if err := addVeth(here, mac(n), there, mac(i), r.fd); err != nil {
			return nil, err
		}
		if err := errors.Join(join(here, w.test, r.addr, mac(i)), r.in(func() error { return join(there, r.addr, w.test, mac(n)) })); err != nil {
			return nil, err
		}
		for j, other := range w.rooms[:i] {
			err := r.in(func() error {
				return errors.Join(addVeth(cable(j), mac(i), cable(i), mac(j), other.fd), join(cable(j), r.addr, other.addr, mac(j)))
			})
			if err := errors.Join(err, other.in(func() error { return join(cable(i), other.addr, r.addr, mac(i)) })); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

// cable is the interface towards node i.
func cable(i int) string { return fmt.Sprintf("node%d", i) }

// join makes one end of a cable work: from is our address, to and mac are the other end's.
func join(name string, from, to netip.Addr, mac net.HardwareAddr) error {
	return errors.Join(up(name), addRoute(name, to, from), setNeighbour(name, to, mac))
}

// cut implements wires: what from sends to to is for nobody.
func (w *cables) cut(from, to int, off bool) error {
	m := mac(to)
	if off {
		m = nobody
	}
	return w.rooms[from].in(func() error { return setNeighbour(cable(to), w.rooms[to].addr, m) })
}
