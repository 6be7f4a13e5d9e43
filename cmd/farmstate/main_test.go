package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

// program is the binary that the process tests run; TestMain builds it.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "farmstate")
	if err != nil {
		return failMain(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "farmstate")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	args := append([]string{"build", "-o", program, "-ldflags", "-X main.version=1.2.3 -X main.commit=0123abc"}, raceFlags...)
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		return failMain(fmt.Errorf("%w\n%s", err, out))
	}
	status := m.Run()
	if err := goleak.Find(leftByLibraries...); err != nil && status == 0 {
		return failMain(err)
	}
	return status
}

func failMain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// leftByLibraries are goroutines that libraries start once and keep for the
// life of the process.
var leftByLibraries = []goleak.Option{
	goleak.IgnoreTopFunction("os/signal.loop"),
	goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
	goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"),
}
