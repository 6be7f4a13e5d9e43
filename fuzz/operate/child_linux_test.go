package operate

import (
	"os/exec"
	"syscall"
)

// endWithParent has a process end when this test does, even if that is killed.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
