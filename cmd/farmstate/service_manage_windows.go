package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/winsvc"
)

// with opens the service manager, and the service if there is one.
func (n serviceName) with(f func(m *mgr.Mgr, s *mgr.Service) error) error {
	if badServiceName(n.Name) {
		return usageError(fmt.Errorf("--name: %q is no name for a service; use letters, digits and dashes", n.Name))
	}
	m, err := mgr.Connect()
	if err != nil {
		return n.advise("the service manager of Windows cannot be reached", err)
	}
	defer func() { _ = m.Disconnect() }() // nothing depends on it any more
	s, err := m.OpenService(n.Name)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return f(m, nil)
	}
	if err != nil {
		return n.advise("the service cannot be opened", err)
	}
	defer func() { _ = s.Close() }()
	return f(m, s)
}

// existing is with for commands that need the service.
func (n serviceName) existing(f func(s *mgr.Service) error) error {
	return n.with(func(_ *mgr.Mgr, s *mgr.Service) error {
		if s == nil {
			return usageError(fmt.Errorf("there is no service %s; farmstate service install makes it", n.Name))
		}
		return f(s)
	})
}

// advise adds to an error of Windows what to do about it.
func (n serviceName) advise(what string, err error) error {
	switch {
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return usageError(fmt.Errorf("%s: access denied; run this as administrator", what))
	case errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE):
		return usageError(fmt.Errorf("%s: it is being removed; close the Services window and Event Viewer, and try again", what))
	}
	return fmt.Errorf("%s: %w; the Event Log (source %s) may say more", what, err, n.Name)
}

// Run makes the service, or gives it other options.
func (s *serviceInstallCmd) Run(a *app) error {
	cfg, err := s.Options.load(nil) // a service does not have this environment
	if err != nil {
		return err
	}
	args, err := s.arguments()
	if err != nil {
		return usageError(err)
	}
	path, err := os.Executable()
	if err != nil {
		return err
	}
	return s.with(func(m *mgr.Mgr, old *mgr.Service) error {
		service := old
		if old == nil {
			service, err = m.CreateService(s.Name, path, serviceConfig(s.Name), args...)
		} else {
			err = reconfigure(old, commandLine(append([]string{path}, args...)...))
		}
		if err != nil {
			return s.advise("the service cannot be installed", err)
		}
		if err := furnish(a, service, s.Name, preShutdown(cfg)); err != nil {
			err = s.advise("the service cannot be set up", err)
			if old == nil {
				err = errors.Join(err, service.Delete(), service.Close())
			}
			return err
		}
		if old == nil {
			defer func() { _ = service.Close() }() // all has been written
		}
		text := "the service " + s.Name + " is installed and starts with the system; start it now with: farmstate service start"
		if old != nil {
			text = "the service " + s.Name + " has new options; they hold from its next start"
		}
		if s.Name != "farmstate" {
			text = strings.Replace(text, "service start", "service start --name "+s.Name, 1)
		}
		_, err := fmt.Fprintf(a.stdout, "%s\nits account is %s: let it read the files that its configuration names\n", text, serviceAccount(s.Name))
		return err
	})
}

func serviceConfig(name string) mgr.Config {
	return mgr.Config{
		ServiceType:      windows.SERVICE_WIN32_OWN_PROCESS,
		StartType:        mgr.StartAutomatic,
		ErrorControl:     mgr.ErrorNormal,
		ServiceStartName: serviceAccount(name),
		DisplayName:      displayName(name),
		Description:      "Keeps the session state of ASP.NET applications, and hands it to the other nodes of its farm before it stops.",
	}
}

// reconfigure gives a service another command line.
func reconfigure(s *mgr.Service, commandLine string) error {
	line, err := windows.UTF16PtrFromString(commandLine)
	if err != nil {
		return err
	}
	return windows.ChangeServiceConfig(s.Handle, windows.SERVICE_NO_CHANGE, windows.SERVICE_NO_CHANGE, windows.SERVICE_NO_CHANGE, line, nil, nil, nil, nil, nil, nil)
}

func displayName(name string) string {
	if name == "farmstate" {
		return "farmstate session state"
	}
	return "farmstate session state (" + name + ")"
}

// serviceAccount is the account that Windows has for each service.
func serviceAccount(name string) string { return `NT SERVICE\` + name }

// commandLine joins words so that Windows takes them apart again.
func commandLine(words ...string) string {
	escaped := make([]string, len(words))
	for i, w := range words {
		escaped[i] = syscall.EscapeArg(w)
	}
	return strings.Join(escaped, " ")
}

// recovery starts the service again soon, and less soon if that does not help. A day without a failure begins anew.
var recovery = []mgr.RecoveryAction{
	{Type: mgr.ServiceRestart, Delay: time.Second},
	{Type: mgr.ServiceRestart, Delay: 5 * time.Second},
	{Type: mgr.ServiceRestart, Delay: 30 * time.Second},
}

const recoveryReset = 24 * 60 * 60 // seconds

// furnish sets what a new service does not have yet. What this Windows does not know is left out, and said.
func furnish(a *app, s *mgr.Service, name string, shutdown time.Duration) error {
	if err := s.SetRecoveryActions(recovery, recoveryReset); err != nil {
		return fmt.Errorf("recovery actions: %w", err)
	}
	privileges, err := windows.UTF16FromString("SeChangeNotifyPrivilege")
	if err != nil {
		return err
	}
	privileges = append(privileges, 0) // a list ends with an empty text
	// The structures of Windows that have one field each.
	sid := uint32(windows.SERVICE_SID_TYPE_UNRESTRICTED)
	delayed := windows.SERVICE_DELAYED_AUTO_START_INFO{IsDelayedAutoStartUp: 1}
	timeout := uint32(shutdown.Milliseconds())
	list := &privileges[0]
	for _, c := range []struct {
		what  string
		level uint32
		info  unsafe.Pointer
	}{
		{"an identity of its own", windows.SERVICE_CONFIG_SERVICE_SID_INFO, unsafe.Pointer(&sid)},
		{"a delayed start", windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, unsafe.Pointer(&delayed)},
		{"time before a shutdown", windows.SERVICE_CONFIG_PRESHUTDOWN_INFO, unsafe.Pointer(&timeout)},
		{"a list of privileges", windows.SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, unsafe.Pointer(&list)},
	} {
		err := windows.ChangeServiceConfig2(s.Handle, c.level, (*byte)(c.info))
		if errors.Is(err, windows.ERROR_INVALID_LEVEL) {
			_, _ = fmt.Fprintf(a.stderr, "farmstate: this Windows does not give a service %s; it does without\n", c.what) // nothing depends on it
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
	}
	_ = eventlog.Remove(name) // left by an installation elsewhere, or not there
	if err := eventlog.InstallAsEventCreate(name, eventlog.Info|eventlog.Warning|eventlog.Error); err != nil {
		return fmt.Errorf("source in the Event Log: %w", err)
	}
	return nil
}

// Run stops the service and removes it.
func (s *serviceRemoveCmd) Run(a *app) error {
	return s.existing(func(service *mgr.Service) error {
		if err := s.stop(a, service); err != nil && !errors.Is(err, errQuiet) {
			return err
		}
		if err := service.Delete(); err != nil {
			return s.advise("the service cannot be removed", err)
		}
		if err := eventlog.Remove(s.Name); err != nil {
			return s.advise("the service is removed, but not its source in the Event Log", err)
		}
		_, err := fmt.Fprintln(a.stdout, "the service "+s.Name+" is removed; files and sessions that were kept are where they were")
		return err
	})
}

// Run starts the service.
func (s *serviceStartCmd) Run(a *app) error {
	return s.existing(func(service *mgr.Service) error {
		err := service.Start()
		if err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
			return s.advise("the service cannot be started", err)
		}
		status, err := await(service, svc.StartPending)
		if err != nil {
			return s.advise("the service does not start", err)
		}
		if status.State != svc.Running {
			return fmt.Errorf("the service has not started (exit code %d); the Event Log (source %s) says why", exitCodeOf(status), s.Name)
		}
		_, err = fmt.Fprintln(a.stdout, "the service "+s.Name+" runs")
		return err
	})
}

// Run stops the service.
func (s *serviceStopCmd) Run(a *app) error {
	return s.existing(func(service *mgr.Service) error { return s.stop(a, service) })
}

// stop stops the service if it runs. That sessions were lost is an error.
func (n serviceName) stop(a *app, service *mgr.Service) error {
	_, err := service.Control(svc.Stop)
	if errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		return nil
	}
	if err != nil && !errors.Is(err, windows.ERROR_SERVICE_CANNOT_ACCEPT_CTRL) { // it may stop already
		return n.advise("the service cannot be stopped", err)
	}
	status, err := await(service, svc.Running, svc.StopPending) // it takes the control a moment after it was sent
	if err != nil {
		return n.advise("the service does not stop", err)
	}
	if status.State != svc.Stopped {
		return fmt.Errorf("the service has not stopped: it is %s; farmstate service status says how far it is", winsvc.State(status.State))
	}
	if code := exitCodeOf(status); code != 0 {
		_, _ = fmt.Fprintf(a.stderr, "farmstate: the service has stopped with exit code %d: sessions may have been lost; the Event Log (source %s) says more\n", code, n.Name)
		return errQuiet
	}
	_, err = fmt.Fprintln(a.stdout, "the service "+n.Name+" has stopped")
	return err
}

// servicePoll is how often a service is asked how far it is.
const servicePoll = 250 * time.Millisecond

// await waits while the service is in states that pass, as long as it makes progress.
func await(s *mgr.Service, passing ...svc.State) (svc.Status, error) {
	poll := time.NewTicker(servicePoll)
	defer poll.Stop()
	last, news := svc.Status{}, time.Now()
	for {
		status, err := s.Query()
		if err != nil || !slices.Contains(passing, status.State) {
			return status, err
		}
		if status.State != last.State || status.CheckPoint != last.CheckPoint {
			last, news = status, time.Now()
		}
		if time.Since(news) > 2*supervisorGrace {
			return status, fmt.Errorf("it makes no progress while it is %s", winsvc.State(status.State))
		}
		<-poll.C
	}
}

// exitCodeOf is the exit status that the node has reported.
func exitCodeOf(s svc.Status) uint32 {
	if s.Win32ExitCode == uint32(windows.ERROR_SERVICE_SPECIFIC_ERROR) {
		return s.ServiceSpecificExitCode
	}
	return s.Win32ExitCode
}

// Run shows whether the service runs.
func (s *serviceStatusCmd) Run(a *app) error {
	return s.existing(func(service *mgr.Service) error {
		status, err := service.Query()
		if err != nil {
			return s.advise("the service cannot be asked", err)
		}
		r := serviceReport{Name: s.Name, Running: status.State == svc.Running, State: winsvc.State(status.State).String(), ProcessID: status.ProcessId}
		if r.ProcessID == 0 {
			r.ExitCode = exitCodeOf(status)
		}
		if err := s.show(a, r); err != nil {
			return err
		}
		if status.State != svc.Running {
			return errQuiet
		}
		return nil
	})
}

// show writes how the service is.
func (s *serviceStatusCmd) show(a *app, r serviceReport) error {
	if s.JSON {
		return writeJSON(a.stdout, r)
	}
	text := r.State
	if r.ProcessID != 0 {
		text += fmt.Sprintf(", process %d", r.ProcessID)
	} else if r.ExitCode != 0 {
		text += fmt.Sprintf(", exit code %d", r.ExitCode)
	}
	_, err := fmt.Fprintln(a.stdout, text)
	return err
}

// serviceReport is how the service is, for programs.
type serviceReport struct {
	Name      string `json:"name"`
	Running   bool   `json:"running"`
	State     string `json:"state"` // as without --json
	ProcessID uint32 `json:"process_id,omitempty"`
	ExitCode  uint32 `json:"exit_code,omitempty"` // of the last time, if it does not run
}
