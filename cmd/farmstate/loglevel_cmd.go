package main

import (
	"fmt"
	"net/url"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
)

// logLevelCmd is farmstate log-level.
type logLevelCmd struct {
	adminFlags
	Level string `arg:"" enum:"debug,info,warn,error" help:"The level: debug, info, warn or error."`
	Node  string `help:"The node that is meant, by its name or id; the one that is asked, if left out." placeholder:"NODE"`
	JSON  bool   `name:"json" help:"Write one JSON object."`
}

// Help is shown below the summary of the command.
func (*logLevelCmd) Help() string {
	return "From now on the node's log has what is at least so grave. When the node is started again, its option log_level counts. It needs the admin token. To see the events of " +
		"a node without a change to its log, use farmstate trace."
}

// Run changes the level.
func (l *logLevelCmd) Run(a *app) error {
	c, err := l.actor(a)
	if err != nil {
		return err
	}
	ctx, stop := orSignal()
	defer stop()
	defer fleet.CloseIdle()
	id, err := l.nodeID(ctx, c, l.Node)
	if err != nil {
		return err
	}
	query := url.Values{"level": {l.Level}}
	if id != "" {
		query.Set("node", id)
	}
	var now struct {
		Level string `json:"log_level"`
	}
	if err := c.Act(ctx, l.Admin, "log-level", query, &now); err != nil {
		return err
	}
	if l.JSON {
		return writeJSON(a.stdout, now)
	}
	_, err = fmt.Fprintln(a.stdout, "the log has the level "+now.Level+" now")
	return err
}
