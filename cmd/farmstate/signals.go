package main

import (
	"os"
	"os/signal"
	"syscall"
)

// stopSignals ask for a stop. On Windows the first also stands for Ctrl+Break,
// and the second for a closed console and a shutdown of the system.
var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

// surviveClosedPipes keeps the process alive when the reader of its standard
// output or error goes away: without this a broken pipe there ends a Go
// program, and a node would lose its sessions because somebody closed a log.
func surviveClosedPipes() {
	signal.Ignore(syscall.SIGPIPE)
}

// watchSignals returns a channel of requests to stop: the first asks for a
// graceful stop, the second for an immediate one. Call ignore when they are of
// no more interest.
func watchSignals() (signals <-chan os.Signal, ignore func()) {
	c := make(chan os.Signal, 2)
	signal.Notify(c, stopSignals...)
	return c, func() { signal.Stop(c) }
}
