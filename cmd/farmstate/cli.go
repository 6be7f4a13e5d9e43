package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/farmstate/farmstate/bench"
)

// cli is the grammar of the command line: the commands and their flags.
type cli struct {
	Help helpFlag `name:"help" short:"h" help:"Show help for a command."`

	Serve   serveCmd   `cmd:"" help:"Run a node."`
	Load    loadCmd    `cmd:"" help:"Drive a node as a web farm would, and report throughput and latency."`
	Drain   drainCmd   `cmd:"" help:"Hand all sessions of a running node to the others."`
	Config  configCmd  `cmd:"" help:"Check or show a configuration."`
	Cert    certCmd    `cmd:"" help:"Make the certificates of a farm: a small CA for the links between nodes."`
	Version versionCmd `cmd:"" help:"Show the version."`
	HelpCmd helpCmd    `cmd:"" name:"help" help:"Show help for all commands and options, or for one command."`
}

const appHelp = "farmstate is a session-state server for ASP.NET web farms. It takes the place of Microsoft's ASP.NET State Service " +
	"without a change to the application."

// app is what every command may use.
type app struct {
	environ []string
	stdout  io.Writer
	stderr  io.Writer
	parser  *kong.Kong
}

// run is the whole program but for the exit: it carries out one command and
// returns the exit status.
func run(args, environ []string, stdout, stderr io.Writer) int {
	a := &app{environ: environ, stdout: stdout, stderr: stderr}
	err := a.run(args)
	if err != nil && !errors.Is(err, errQuiet) {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			_, _ = fmt.Fprintln(stderr, "farmstate: "+line) // Where would its failure be reported?
		}
	}
	return exitStatus(err)
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
		Serve:  serveCmd{Options: newOptionFlags()},
		Config: configCmd{Print: configPrintCmd{Options: newOptionFlags()}},
	}
	return kong.New(grammar,
		kong.Name("farmstate"),
		kong.Description(appHelp),
		kong.Vars{"mix": bench.DefaultMix.String()},
		kong.NoDefaultHelp(), // It would exit by itself.
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Writers(stdout, stderr),
	)
}

// seeHelp names the help that has the answer to a command line error.
func seeHelp(err error) string {
	command := ""
	if p, ok := errors.AsType[*kong.ParseError](err); ok && p.Context != nil && p.Context.Selected() != nil {
		command = " " + strings.TrimSpace(strings.TrimPrefix(p.Context.Selected().FullPath(), "farmstate"))
	}
	return "see `farmstate help" + command + "`"
}
