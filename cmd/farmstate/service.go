package main

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// serviceCmd is farmstate service.
type serviceCmd struct {
	Install serviceInstallCmd `cmd:"" help:"Make a node a service of Windows, with the options of serve; or give the service other options."`
	Remove  serviceRemoveCmd  `cmd:"" help:"Stop the service, and remove it."`
	Start   serviceStartCmd   `cmd:"" help:"Start the service, and wait until it is ready."`
	Stop    serviceStopCmd    `cmd:"" help:"Stop the service, and wait until its sessions are handed over."`
	Status  serviceStatusCmd  `cmd:"" help:"Show whether the service runs."`
}

// serviceName is the flag that all commands of farmstate service have.
type serviceName struct {
	Name string `help:"Name of the service, its account and its source in the Event Log." default:"farmstate" placeholder:"NAME"`
}

type serviceInstallCmd struct {
	serviceName
	Options optionFlags `embed:""`
}

// Help is shown below the summary of the command.
func (*serviceInstallCmd) Help() string {
	return "The service runs under the account NT SERVICE\\NAME, which has no password and no rights but those of every user: let it read the files that the configuration names, " +
		"and write to the directory of --data. It starts with the system, a little after other services; before the system shuts down it has time to hand its sessions over; " +
		"and when it fails it is started again. Warnings, errors, starts and stops are in the Event Log.\n\n" +
		"Relative names of files become absolute ones. Run it as administrator; docs/install.md has the whole way."
}

type (
	serviceRemoveCmd struct{ serviceName }
	serviceStartCmd  struct{ serviceName }
	serviceStopCmd   struct{ serviceName }
	serviceStatusCmd struct {
		serviceName
		JSON bool `name:"json" help:"Write one JSON object."`
	}
)

// arguments are the words behind the program's name with which the service
// runs: those of serve that were given to install.
func (s *serviceInstallCmd) arguments() ([]string, error) {
	args := []string{"serve"}
	if s.Options.Config != "" {
		name, err := filepath.Abs(s.Options.Config)
		if err != nil {
			return nil, err
		}
		args = append(args, "--config="+name)
	}
	given := s.Options.given()
	for i := range config.Table {
		o := &config.Table[i]
		for _, text := range given[o.Name] {
			if (o.Meta == "FILE" || o.Meta == "DIR") && text != "" {
				name, err := filepath.Abs(text)
				if err != nil {
					return nil, err
				}
				text = name
			}
			args = append(args, "--"+o.Flag()+"="+text)
		}
	}
	return args, nil
}

// preShutdown is how long the system waits for the node when it shuts down: what
// a stop may take, what a disk takes for the sessions that are left, and
// something for the rest. It delays nothing when the node is done earlier.
func preShutdown(cfg *config.Config) time.Duration {
	d := cfg.ShutdownTimeout + 30*time.Second
	if cfg.Data != "" {
		d += 10 * time.Minute
	}
	return d
}

// badServiceName reports a name that Windows does not take.
func badServiceName(name string) bool {
	return name == "" || len(name) > 256 || strings.ContainsAny(name, `/\"`)
}
