//go:build unix

package farm

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// programFlag names a program to test instead of one that is built.
var programFlag = flag.String("farm.program", "", "test this farmstate instead of building one")

// program is the farmstate that is tested.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "farm")
	if err != nil {
		return failMain(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Setenv("XDG_RUNTIME_DIR", dir); err != nil { // where nodes leave the tokens of their admin pages
		return failMain(err)
	}
	if program = *programFlag; program == "" {
		program = filepath.Join(dir, "farmstate")
		args := append([]string{"build", "-o", program}, raceFlags...)
		if out, err := exec.Command("go", append(args, "../../cmd/farmstate")...).CombinedOutput(); err != nil {
			return failMain(fmt.Errorf("%w\n%s", err, out))
		}
	}
	go lateness.watch()
	return m.Run()
}

func failMain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
