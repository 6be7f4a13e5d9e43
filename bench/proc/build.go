package proc

import (
	"context"
	"fmt"
	"os/exec"
)

// Module is the path that our own programs are built by.
const Module = "github.com/farmstate/farmstate"

// Build compiles a program of this module, such as cmd/farmstate, to a file.
func Build(ctx context.Context, path, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, Module+"/"+pkg)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}
