package main

import (
	"errors"
	"fmt"

	"github.com/alecthomas/kong"
)

// helpFlag shows help for the command that it stands with. In front of a hook
// of kong's own that exits, it ends the parsing with errHelpShown.
type helpFlag bool

var errHelpShown = errors.New("help was shown")

// BeforeReset implements a hook of kong.
func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := printUsage(ctx); err != nil {
		return err
	}
	return errHelpShown
}

// IgnoreDefault keeps kong from calling BeforeReset when the flag was not
// given.
func (helpFlag) IgnoreDefault() {}

// helpCmd is farmstate help.
type helpCmd struct {
	Command []string `arg:"" optional:"" help:"Command to show the help of, such as serve or config print."`
}

// Run shows the help of one command, or that of the program followed by that
// of every command.
func (h *helpCmd) Run(a *app) error {
	if len(h.Command) > 0 {
		return a.printHelp(h.Command)
	}
	if err := a.printHelp(nil); err != nil {
		return err
	}
	for _, command := range a.parser.Model.Leaves(true) {
		if _, err := fmt.Fprintf(a.stdout, "\n\n%s\n\n", command.FullPath()); err != nil {
			return err
		}
		if err := a.printHelp(path(command)); err != nil {
			return err
		}
	}
	return nil
}

// path is the words that call a command, without the name of the program.
func path(n *kong.Node) []string {
	if n.Parent == nil {
		return nil
	}
	return append(path(n.Parent), n.Name)
}

func (a *app) printHelp(command []string) error {
	ctx, err := kong.Trace(a.parser, command)
	if err != nil {
		return err
	}
	if ctx.Error != nil {
		return usageError(fmt.Errorf("%w; `farmstate help` shows all commands", ctx.Error))
	}
	return printUsage(ctx)
}

// printUsage shows the help of the command that is selected; of one that does something without another word, such as farmstate relay, also that of what it does.
func printUsage(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return err
	}
	command := ctx.Selected()
	if command == nil || command.DefaultCmd == nil {
		return nil
	}
	usual, err := kong.Trace(ctx.Kong, path(command.DefaultCmd))
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(ctx.Stdout); err != nil {
		return err
	}
	return usual.PrintUsage(false)
}
