package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// serveCmd is farmstate serve.
type serveCmd struct {
	Options optionFlags `embed:""`
}

// Help is shown below the summary of the command.
func (*serveCmd) Help() string {
	return "Without options the node serves this machine alone, where Microsoft's service would: on 127.0.0.1:42424.\n\n" +
		"Every option is also a key of the configuration file (max_memory) and an environment variable (FARMSTATE_MAX_MEMORY); " +
		"a flag wins over the environment, and the environment over the file. docs/configuration.md says more about each.\n\n" +
		"When everything listens, one line goes to standard output: farmstate ready state=ADDR peer=ADDR gossip=ADDR admin=ADDR, without those that are off. The log goes to standard error.\n\n" +
		"SIGTERM or SIGINT (Ctrl+C) hands the sessions over to other nodes and stops the node once the requests that have begun are answered; a second one stops it at once."
}

// Run runs a node until it is told to stop.
func (s *serveCmd) Run(a *app) error {
	if isService() {
		return s.runService(a)
	}
	surviveClosedPipes()
	signals, ignore := watchSignals()
	defer ignore()
	return s.run(a, signals, systemdSupervisor(), newLogger)
}

// run runs a node until a signal comes. to is told about it, and may be nil.
func (s *serveCmd) run(a *app, signals <-chan os.Signal, to supervisor, logger func(io.Writer, *config.Config) *slog.Logger) error {
	r := startReporter(to)
	defer r.close()
	cfg, err := s.Options.load(a.environ)
	if err != nil {
		return err
	}
	log := newLogWriter(a.stderr)
	defer log.close()
	n, err := startNode(cfg, logger(log, cfg), a.environ)
	if err != nil {
		return err
	}
	r.ready(n.logger, n.sessions, n.alive)
	if _, err := fmt.Fprintln(a.stdout, n.readyLine()); err != nil {
		n.logger.Warn("the ready line could not be written to standard output", "err", err)
	}
	return n.wait(signals, r)
}

func (n *node) sessions() int64 { return n.engine.Stats().Sessions }

// wait returns when the node has stopped: because of a signal, or because of a
// fault.
func (n *node) wait(signals <-chan os.Signal, r *reporter) error {
	var fault error
	select {
	case signal := <-signals:
		n.logger.Info("stopping", "event", "stopping", "signal", signal.String(), "at_most", n.cfg.ShutdownTimeout)
	case fault = <-n.server.Err():
		n.logger.Error("the state port has failed; stopping", "event", "state_port_failed", "err", fault)
	}
	r.stopping(n.cfg.ShutdownTimeout, n.sessions)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		n.stop()
	}()
	select {
	case <-stopped:
	case signal := <-signals:
		// The goroutine above is left to the end of the process, which is now.
		n.logger.Warn("stopped at once; requests that had begun were cut off", "event", "stopped", "signal", signal.String(), "sessions_lost", n.engine.Stats().Sessions)
		return errQuiet
	}
	lost := n.lost()
	switch {
	case lost > 0 && n.snapshots != nil:
		n.logger.Warn("sessions were lost: there was no other node to hand them to, and they could not be written to the directory of --data", "event", "sessions_lost", "sessions", lost)
	case lost > 0:
		n.logger.Warn("sessions were lost: there was no other node to hand them to, and they were not written to a directory (--data)", "event", "sessions_lost", "sessions", lost)
	}
	n.logger.Info("stopped", "event", "stopped", "after", time.Since(n.started).Round(time.Millisecond))
	if fault != nil {
		return fmt.Errorf("the state port has failed: %w", fault)
	}
	if lost > 0 {
		return errQuiet
	}
	return nil
}

// stop ends the node in the reverse order of its start. The state port comes
// first, so that the admin pages can be asked how far it is.
func (n *node) stop() {
	n.stopping.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), n.cfg.ShutdownTimeout)
	defer cancel()
	n.server.StopAccepting()
	n.handOver(ctx, true)
	if err := n.closeStatePort(ctx); err != nil {
		n.logger.Warn("the state port did not close as it should", "event", "shutdown_error", "err", err)
	}
	if n.engine.Stats().Sessions > 0 {
		n.handOver(ctx, false) // what the last requests have brought here
	}
	if n.snapshots != nil {
		if n.farm != nil {
			n.farm.Settle() // a change that waits for mirrors keeps its session from being written
		}
		n.snapshots.saveRest() // Must come after all that changes sessions. It takes what time it needs, whatever ctx says.
	}
	n.close()
}

// lost counts the sessions that are nowhere when the node has stopped.
func (n *node) lost() int64 {
	if n.snapshots == nil {
		return n.engine.Stats().Sessions
	}
	return n.snapshots.unwritten()
}

// closeStatePort lets requests that have begun be answered, for so long that there is time left for what they bring here.
func (n *node) closeStatePort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, min(requestTime, n.cfg.ShutdownTimeout/2))
	defer cancel()
	return n.server.Shutdown(ctx)
}

// requestTime is how long requests that have begun may take when a node stops.
const requestTime = 10 * time.Second
