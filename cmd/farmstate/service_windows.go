package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/winsvc"
)

// isService reports whether the service manager of Windows has started this
// process: whether its parent is services.exe. svc.IsWindowsService also asks
// for session 0, which Wine does not have.
func isService() bool {
	all, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		is, err := svc.IsWindowsService()
		return is && err == nil
	}
	defer func() { _ = windows.CloseHandle(all) }() // it has been read
	parent := uint32(os.Getppid())
	p := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err = windows.Process32First(all, &p); err == nil; err = windows.Process32Next(all, &p) {
		if p.ProcessID == parent {
			return strings.EqualFold(windows.UTF16ToString(p.ExeFile[:]), "services.exe")
		}
	}
	return false
}

// runService runs the node as the service that the service manager has started.
func (s *serveCmd) runService(a *app) error {
	h := &serviceHandler{serve: s, app: a}
	if err := svc.Run("", h); err != nil { // of a process with one service the manager knows the name
		return fmt.Errorf("the service manager of Windows does not answer: %w; start the service with farmstate service start", err)
	}
	return h.err
}

// serviceHandler is the node as svc.Run sees it.
type serviceHandler struct {
	serve *serveCmd
	app   *app
	err   error // of the node; valid when svc.Run has returned
}

// Execute implements svc.Handler.
func (h *serviceHandler) Execute(args []string, requests <-chan svc.ChangeRequest, statuses chan<- svc.Status) (specific bool, code uint32) {
	m := winsvc.NewMachine(supervisorGrace)
	tell := func(s winsvc.Status) {
		statuses <- svc.Status{State: svc.State(s.State), Accepts: svc.Accepted(s.Accepts), CheckPoint: s.CheckPoint, WaitHint: uint32(s.WaitHint.Milliseconds())}
	}
	tell(m.Status())
	name := "farmstate"
	if len(args) > 0 {
		name = args[0]
	}
	log, err := eventlog.Open(name)
	if err != nil {
		log, err = eventlog.Open("Application") // better than nothing
	}
	if err != nil {
		h.err = err
		return false, 1
	}
	defer func() { _ = log.Close() }() // nothing is written any more
	signals := make(chan os.Signal, 1)
	manager := serviceManager{make(chan func(*winsvc.Machine) winsvc.Status)}
	ended := make(chan error, 1)
	go func() { ended <- h.run(log, signals, manager) }()
	for {
		select {
		case r := <-requests:
			status, why := m.Control(winsvc.Control(r.Cmd))
			if why != "" {
				signals <- stopReason(why)
			}
			tell(status)
		case f := <-manager.told:
			tell(f(m))
		case h.err = <-ended:
			code, crash := m.End(exitStatus(h.err))
			if crash {
				os.Exit(exitStatus(h.err)) // Without a word to the manager: so it takes its recovery actions.
			}
			return true, code
		}
	}
}

// run runs the node until it is told to stop, and logs why it could not start.
func (h *serviceHandler) run(log *eventlog.Log, signals <-chan os.Signal, to supervisor) error {
	w := winsvc.Writer{Log: log}
	a := *h.app
	a.stdout, a.stderr = io.Discard, w // a service has no others
	err := h.serve.run(&a, signals, to, func(w io.Writer, _ *config.Config) *slog.Logger { return winsvc.NewLogger(w) })
	if err != nil && !errors.Is(err, errQuiet) {
		winsvc.NewLogger(w).Error("the node has ended: " + err.Error())
	}
	return err
}

// stopReason is a request to stop that is no signal of the system.
type stopReason string

// Signal implements os.Signal.
func (stopReason) Signal() {}

// String implements os.Signal.
func (s stopReason) String() string { return string(s) }

// serviceManager is the supervisor of a service. The machine belongs to
// Execute, which takes what is told until the node has ended.
type serviceManager struct {
	told chan func(*winsvc.Machine) winsvc.Status
}

func (s serviceManager) starting()             { s.told <- (*winsvc.Machine).Starting }
func (s serviceManager) ready(int64)           { s.told <- (*winsvc.Machine).Ready }
func (s serviceManager) stopping(int64)        { s.told <- (*winsvc.Machine).Stopping }
func (serviceManager) alive(int64)             {}
func (serviceManager) watchdog() time.Duration { return 0 }
