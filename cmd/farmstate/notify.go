package main

import (
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// systemd is the supervisor that has set NOTIFY_SOCKET (Type=notify). What
// cannot be sent is left out: there is nobody else to tell, and systemd acts
// on what it misses.
type systemd struct {
	every time.Duration
}

// systemdSupervisor is nil when systemd does not listen.
func systemdSupervisor() supervisor {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		every = 0 // nonsense in the environment: whoever wrote it waits for nothing we know
	}
	return systemd{every}
}

func (s systemd) watchdog() time.Duration { return s.every }

func (systemd) starting() { notify(extend()) }

func (systemd) ready(sessions int64) { notify(daemon.SdNotifyReady + "\n" + serving(sessions)) }

func (systemd) alive(sessions int64) {
	notify(daemon.SdNotifyWatchdog + "\n" + serving(sessions))
}

func (systemd) stopping(left int64) {
	notify(daemon.SdNotifyStopping + "\n" + extend() + "\n" + daemon.SdNotifyWatchdog + "\n" + fmt.Sprintf("STATUS=stopping, %d sessions left", left))
}

func serving(sessions int64) string { return fmt.Sprintf("STATUS=serving, %d sessions", sessions) }

// extend asks for more time than the unit grants.
func extend() string { return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", supervisorGrace.Microseconds()) }

func notify(state string) {
	_, _ = daemon.SdNotify(false, state) // see systemd
}
