package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/farmstate/farmstate/bench"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

// cli is the grammar of the command line: the commands and their flags.
type cli struct {
	Help helpFlag `name:"help" short:"h" help:"Show help for a command."`

	Serve    serveCmd      `cmd:"" help:"Run a node."`
	Status   statusCmd     `cmd:"" help:"Show how a node is, or the whole farm, and what is wrong."`
	Top      topCmd        `cmd:"" help:"Watch the whole farm, live."`
	Doctor   doctorCmd     `cmd:"" help:"Check a node, its farm, its machine and web.configs; say what to do."`
	Trace    traceCmd      `cmd:"" help:"Follow the events of all nodes in one stream."`
	Locks    locksCmd      `cmd:"" help:"Show which locks are held, by whom, and for how long."`
	Unlock   unlockCmd     `cmd:"" help:"Break a lock that was left behind."`
	Drain    drainCmd      `cmd:"" help:"Hand all sessions of a running node to the others."`
	Level    logLevelCmd   `cmd:"" name:"log-level" help:"Change what the log of a running node has."`
	Load     loadCmd       `cmd:"" help:"Drive a node as a web farm would, and report throughput and latency."`
	Relay    relayCmd      `cmd:"" help:"Stand between web servers and state servers: show, record, replay, bend and divide what they say."`
	Config   configCmd     `cmd:"" help:"Check or show a configuration."`
	Cert     certCmd       `cmd:"" help:"Make the certificates of a farm: a small CA for the links between nodes."`
	Service  serviceCmd    `cmd:"" help:"Let Windows run a node as a service."`
	Complete completionCmd `cmd:"" name:"completion" help:"Write a script that lets a shell complete commands."`
	Version  versionCmd    `cmd:"" help:"Show the version."`
	HelpCmd  helpCmd       `cmd:"" name:"help" help:"Show help for all commands and options, or for one command."`
}

// helpWidth is how wide help may be, in columns.
const helpWidth = 80

const appHelp = "farmstate is a session-state server for ASP.NET web farms. It takes the place of Microsoft's ASP.NET State Service " +
	"without a change to the application."

// app is what every command may use.
type app struct {
	environ []string
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	parser  *kong.Kong
}

// run is the whole program but for the exit: it carries out one command and
// returns the exit status.
func run(args, environ []string, stdout, stderr io.Writer) int {
	a := &app{environ: environ, stdin: os.Stdin, stdout: stdout, stderr: stderr}
	err := ofOutput(a.run(args))
	if err != nil && !errors.Is(err, errQuiet) {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			_, _ = fmt.Fprintln(stderr, "farmstate: "+term.Clean(line)) // Where would its failure be reported?
		}
	}
	return exitStatus(err)
}

// ofOutput says of an error of standard output what that means, and what to do; others it returns as they are.
func ofOutput(err error) error {
	path, ok := errors.AsType[*fs.PathError](err)
	if !ok || path.Op != "write" || path.Path != os.Stdout.Name() {
		return err
	}
	return &statusError{exitStatus(err), fmt.Errorf("standard output cannot be written: %w; make room where it goes, or send it elsewhere", path.Err)}
}

func (a *app) run(args []string) error {
	parser, err := newParser(a.stdout, a.stderr)
	if err != nil {
		return err
	}
	a.parser = parser
	if len(args) == 0 {
		return usageError(errors.New("no command; `farmstate serve` runs a node, `farmstate help` shows all commands"))
	}
	ctx, err := parser.Parse(args)
	if errors.Is(err, errHelpShown) {
		return nil
	}
	if err != nil {
		return usageError(fmt.Errorf("%w; %s", err, seeHelp(err)))
	}
	return ctx.Run(a)
}

// newParser builds the parser of the command line, which writes help to
// stdout.
func newParser(stdout, stderr io.Writer) (*kong.Kong, error) {
	grammar := &cli{
		Serve:   serveCmd{Options: newOptionFlags()},
		Service: serviceCmd{Install: serviceInstallCmd{Options: newOptionFlags()}},
		Config:  configCmd{Print: configPrintCmd{Options: newOptionFlags()}},
	}
	parser, err := kong.New(grammar,
		kong.Name("farmstate"),
		kong.Description(appHelp),
		kong.Vars{"mix": bench.DefaultMix.String()},
		kong.NoDefaultHelp(), // It would exit by itself.
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: helpWidth}),
		kong.Writers(stdout, stderr),
	)
	if err != nil {
		return nil, err
	}
	for _, command := range parser.Model.Leaves(false) {
		explainExit(command)
	}
	return parser, nil
}

// seeHelp names the help that has the answer to a command line error.
func seeHelp(err error) string {
	command := ""
	if p, ok := errors.AsType[*kong.ParseError](err); ok && p.Context != nil && p.Context.Selected() != nil {
		command = " " + strings.TrimSpace(strings.TrimPrefix(p.Context.Selected().FullPath(), "farmstate"))
	}
	return "see `farmstate help" + command + "`"
}
