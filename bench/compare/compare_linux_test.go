package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farmstate/farmstate/bench/proc"
)

// asChild makes this test binary play a server; its value says of what kind.
const asChild = "FARMSTATE_COMPARE_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(asChild) {
	case "":
		os.Exit(m.Run())
	case "good":
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		fmt.Println("hello")
		fmt.Println("ready at=here more=there")
		<-stop
	case "broken":
		fmt.Fprintln(os.Stderr, "the port is taken")
		os.Exit(2)
	}
}

func spawnSelf(t *testing.T, kind string) (*proc.Child, string, error) {
	t.Helper()
	t.Setenv(asChild, kind)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return proc.Spawn(t.Context(), kind, "ready at=", self)
}

func TestChild(t *testing.T) {
	c, rest, err := spawnSelf(t, "good")
	if err != nil {
		t.Fatal(err)
	}
	if rest != "here more=there" {
		t.Errorf("ready line says %q", rest)
	}
	cpu, err := proc.CPUTime(c.PID())
	if err != nil || cpu <= 0 {
		t.Errorf("processor time is %v, %v", cpu, err)
	}
	for range 2 {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
	if _, err := proc.CPUTime(c.PID()); err == nil {
		t.Error("a process that has ended has processor time")
	}
}

func TestChildThatFails(t *testing.T) {
	_, _, err := spawnSelf(t, "broken")
	if err == nil || !strings.Contains(err.Error(), "the port is taken") {
		t.Errorf("error is %v; want what the child said", err)
	}
}

// The clock of a process must agree with what the kernel tells this one about itself.
func TestCPUTime(t *testing.T) {
	usage := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := usage()
	got, err := proc.CPUTime(os.Getpid())
	after := usage()
	const tick = 10 * time.Millisecond
	if err != nil || got < before-tick || got > after+tick {
		t.Errorf("processor time is %v, %v; want %v to %v", got, err, before, after)
	}
}

// All servers that are here, with sessions that are really read, locked and written. It measures nothing worth knowing.
func TestCompare(t *testing.T) {
	if testing.Short() {
		t.Skip("builds farmstate and starts every server")
	}
	opt := &options{Connections: 3, Body: 1024, Sessions: 20, Rounds: 2, Window: 300 * time.Millisecond, Settle: 20 * time.Millisecond, Loops: 1}
	res, err := compare(t.Context(), opt, func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"farmstate get", "farmstate put", "farmstate cycle", "bare get", "bare put"}
	for server, names := range map[string][]string{"redis-server": {"redis get", "redis set", "redis cycle"}, "memcached": {"memcached get", "memcached set"}} {
		_, err := exec.LookPath(server)
		if err == nil {
			want = append(want, names...)
		} else if !slices.ContainsFunc(res.Skipped, func(s skipped) bool { return strings.HasPrefix(server, s.Server) }) {
			t.Errorf("%s is not installed, and the result does not say so: %v", server, res.Skipped)
		}
	}
	var got []string
	for _, c := range res.Cases {
		got = append(got, c.Server+" "+c.Name)
		for _, s := range c.Rounds {
			if s.Requests == 0 || s.CPUPerRequest <= 0 || s.RequestsPerS <= 0 {
				t.Errorf("%s %s: %+v", c.Server, c.Name, s)
			}
		}
		if len(c.Rounds) != opt.Rounds || c.CPUPerReq <= 0 {
			t.Errorf("%s %s: %d rounds, %v us", c.Server, c.Name, len(c.Rounds), c.CPUPerReq)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("measured %v; want %v", got, want)
	}
}

func TestMissingServerIsSkipped(t *testing.T) {
	if _, err := find("no-such-server-anywhere"); !errors.Is(err, errMissing) {
		t.Errorf("error is %v", err)
	}
}
