package main

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

// The exit statuses of every command; exitStatuses says what they mean for each.
const (
	exitOK     = 0
	exitFailed = 1 // it ran and something went wrong; for serve, sessions were lost too
	exitUsage  = 2 // the command line, the configuration or the machine has to be put right first
)

// statusError is an error with an exit status other than exitFailed.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// usageError marks err as something that the user has to put right.
func usageError(err error) error {
	return &statusError{exitUsage, err}
}

// errQuiet ends a command with exitFailed when all has been said already.
var errQuiet = errors.New("failed")

// exitStatus is the exit status for the error of a command.
func exitStatus(err error) int {
	if err == nil {
		return exitOK
	}
	if s, ok := errors.AsType[*statusError](err); ok {
		return s.status
	}
	if _, ok := errors.AsType[*fleet.TokenError](err); ok {
		return exitUsage
	}
	if s, ok := errors.AsType[*fleet.StatusError](err); ok && s.Code == http.StatusUnauthorized {
		return exitUsage
	}
	return exitFailed
}

// exitMeaning says what the exit statuses of a command mean.
type exitMeaning struct {
	command string // its words, without farmstate; empty: every command that has no meaning of its own
	means   [3]string
}

// wrongLine is what exitUsage means for most commands that ask nodes.
const wrongLine = "the command line is wrong, or the token that was named"

// exitStatuses is all that there is to know about exit statuses: help and docs/commands.md are made from it.
var exitStatuses = []exitMeaning{
	{"", [3]string{"it is done", "something failed", "the command line, a file or the machine has to be put right first"}},
	{"serve", [3]string{
		"no session was lost: none was left, or all were handed over or written to --data", "sessions were lost, or something failed",
		"it could not start as it was told to",
	}},
	{"status", [3]string{"all is well; with --check, the answer is yes", "something is wrong, or the node cannot be read; with --check, the answer is no", wrongLine}},
	{"top", [3]string{"the user has seen enough", "the node cannot be read", "the command line is wrong, or the token that was named, or there is no terminal"}},
	{"trace", [3]string{"it was ended with Ctrl+C, SIGTERM or --for", "no node can be read, or the output is closed", "the command line is wrong, or the token that was named, or the file cannot be written"}},
	{"locks", [3]string{"they are shown, even if there are none", "the node cannot be read", wrongLine}},
	{"unlock", [3]string{"the lock is broken", "it is not, or there is none", "the command line is wrong, more than one lock may be meant, or the token is missing or wrong"}},
	{"drain", [3]string{"the node is empty; with --stop, it takes sessions again", "it is not, or cannot be reached", "the command line is wrong, or the token is missing or wrong"}},
	{"log-level", [3]string{"the level is changed", "it is not", "the command line is wrong, or the token is missing or wrong"}},
	{"doctor", [3]string{"there are neither problems nor warnings", "there are, or the report could not be written", wrongLine}},
	{"load", [3]string{"every page succeeded", "some failed, a check of --verify found a fault, or the run was interrupted", "the flags are wrong"}},
	{"relay run", [3]string{"it was ended with Ctrl+C or SIGTERM", "the recording could not be written", "the flags are wrong, or the address cannot be listened on"}},
	{"relay replay", [3]string{"all answers are the same", "some are not, or the replay was interrupted", "the flags or the recording are wrong, or the server cannot be reached"}},
	{"config check", [3]string{"the file is accepted, maybe with warnings", "the file cannot be read", "something in it is wrong"}},
	{"service status", [3]string{"the service runs", "it does not", "there is no such service, or this is no Windows"}},
}

// exitMeaningOf is what the exit statuses of a command mean.
func exitMeaningOf(command string) [3]string {
	for _, e := range exitStatuses {
		if e.command == command {
			return e.means
		}
	}
	return exitStatuses[0].means
}

// explainExit adds the exit statuses to the help of a command.
func explainExit(command *kong.Node) {
	m := exitMeaningOf(strings.Join(path(command), " "))
	text := "Exit status:\n"
	for status, means := range m {
		text += "\n  " + strconv.Itoa(status) + "  " + term.Wrap(means, helpWidth-10, "     ") // indented, kong leaves it as it is
	}
	if command.Detail != "" {
		text = command.Detail + "\n\n" + text
	}
	command.Detail = text
}
