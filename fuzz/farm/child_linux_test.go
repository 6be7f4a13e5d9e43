package farm

import (
	"os/exec"
	"syscall"
)

// endWithParent makes the kernel end a child if this process is killed.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
