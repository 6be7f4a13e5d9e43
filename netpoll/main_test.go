package netpoll

import (
	"flag"
	"os"
	"testing"
)

var (
	slow = flag.Bool("slow", false, "run what waits for minutes even with -short")
	seed = flag.Uint64("netpoll.seed", 0, "seed of the random tests; 0 takes a new one, which is printed")
)

// children are what this binary does when a test has started it as a process of its own. See child.
var children = map[string]func(){}

// childEnv names, in a child's environment, which of children it is.
const childEnv = "NETPOLL_TEST_CHILD"

func TestMain(m *testing.M) {
	if f := children[os.Getenv(childEnv)]; f != nil {
		f()
		return
	}
	flag.Parse()
	if n := flag.Lookup("test.parallel"); n.Value.String() == n.DefValue {
		_ = n.Value.Set("64") // what runs in parallel waits most of the time; as many as CPUs would wait one after the other
	}
	os.Exit(m.Run())
}
