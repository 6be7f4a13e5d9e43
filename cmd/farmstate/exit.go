package main

import "errors"

// The exit statuses of every command.
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
	return exitFailed
}
