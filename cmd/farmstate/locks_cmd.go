package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/top"
)

// locksCmd is farmstate locks.
type locksCmd struct {
	adminFlags
	JSON bool `name:"json" help:"Write one JSON object; with the admin token it has the whole keys of the sessions."`
}

// Help is shown below the summary of the command.
func (*locksCmd) Help() string {
	return "The locks that are held in the whole farm, the longest held first: at most a hundred of each node. HOLDER is the web server that has the lock; a lock that came with its " +
		"session from another node has none. WAITING counts the requests that wait for it. A page holds the lock of its session while it runs; ASP.NET ends a page after 110 " +
		"seconds, so an older lock was most likely left behind. " +
		"The nodes walk round their sessions to find the locks, which takes them some two seconds: the list is as old as that."
}

// locksReport is the locks for programs.
type locksReport struct {
	Locks []top.Lock `json:"locks"`
}

// Run shows the locks.
func (l *locksCmd) Run(a *app) error {
	c, err := l.client(a)
	if err != nil {
		return err
	}
	ctx, stop := orSignal()
	defer stop()
	defer fleet.CloseIdle()
	nodes, err := l.surveyed(ctx, c)
	if err != nil {
		return err
	}
	locks := top.Locks(nodes.Nodes)
	for i := range nodes.Nodes {
		if n := &nodes.Nodes[i]; n.Node == nil && n.Error != "" {
			a.tell("the locks of " + top.Names(nodes.Nodes)[n.ID] + " are missing: " + n.Error)
		}
	}
	switch {
	case l.JSON:
		return writeJSON(a.stdout, locksReport{locks})
	case len(locks) == 0:
		_, err = fmt.Fprintln(a.stdout, "no lock is held")
		return err
	}
	return top.LockTable(locks).Write(a.screen())
}

// unlockCmd is farmstate unlock.
type unlockCmd struct {
	adminFlags
	Session string  `arg:"" help:"The session: its whole key, or the beginning of its id as farmstate locks shows it, if no other lock has that."`
	Cookie  *uint32 `help:"The lock that is meant, by its cookie; needed if the lock is not among those that farmstate locks shows." placeholder:"N"`
	Node    string  `help:"The node that has the session, by its name or id; needed as the cookie is." placeholder:"NODE"`
	Yes     bool    `short:"y" help:"Do not ask whether it is meant."`
	JSON    bool    `name:"json" help:"Write one JSON object; needs --yes."`
}

// Help is shown below the summary of the command.
func (*unlockCmd) Help() string {
	return "Breaks a lock that was left behind, as ASP.NET itself does with one that is held for too long. A page that still runs and holds the lock can no longer save the session: " +
		"what it did to it is lost. If the lock has gone to somebody else meanwhile it is left alone. It needs the admin token."
}

// Run breaks the lock, if the user means it.
func (u *unlockCmd) Run(a *app) error {
	if u.JSON && !u.Yes {
		return usageError(errors.New("--json asks nothing; add --yes"))
	}
	c, err := u.actor(a)
	if err != nil {
		return err
	}
	ctx, stop := orSignal()
	defer stop()
	defer fleet.CloseIdle()
	lock, err := u.find(ctx, c)
	if err != nil {
		return err
	}
	if !u.Yes {
		if err := a.confirm(describe(lock) + "\nA page that holds it can no longer save. Break it? [y/N] "); err != nil {
			return err
		}
	}
	query := url.Values{"session": {lock.Key}, "cookie": {strconv.FormatUint(uint64(lock.Cookie), 10)}}
	if lock.NodeID != "" {
		query.Set("node", lock.NodeID)
	}
	if err := c.Act(ctx, u.Admin, "unlock", query, nil); err != nil {
		return err
	}
	if u.JSON {
		return writeJSON(a.stdout, struct {
			Unlocked bool     `json:"unlocked"`
			Lock     top.Lock `json:"lock"`
		}{true, *lock})
	}
	_, err = fmt.Fprintln(a.stdout, "the lock is broken")
	return err
}

// find finds the lock that is meant.
func (u *unlockCmd) find(ctx context.Context, c *fleet.Client) (*top.Lock, error) {
	nodes, err := u.surveyed(ctx, c)
	if err != nil {
		return nil, err
	}
	nodeID := ""
	if u.Node != "" {
		n, err := nodeNamed(nodes, u.Node)
		if err != nil {
			return nil, err
		}
		nodeID = n.ID
	}
	var found []top.Lock
	for _, l := range top.Locks(nodes.Nodes) {
		if (l.Key == u.Session || beginsWith(&l, u.Session)) && (nodeID == "" || l.NodeID == nodeID) && (u.Cookie == nil || l.Cookie == *u.Cookie) {
			found = append(found, l)
		}
	}
	switch {
	case len(found) == 1 && found[0].Key == "":
		return nil, usageError(errors.New("the node at " + u.Admin + " does not show whole sessions: the token is not that of the node that has this one"))
	case len(found) == 1:
		return &found[0], nil
	case len(found) > 1:
		lines := []string{fmt.Sprintf("%d locks are of sessions that begin with %s; give the whole key, which farmstate locks --json shows, or --node or --cookie where they differ:", len(found), u.Session)}
		for i := range found {
			lines = append(lines, describe(&found[i]))
		}
		return nil, usageError(errors.New(strings.Join(lines, "\n")))
	case strings.Contains(u.Session, "/") && u.Cookie != nil: // not among the longest, or on a node that shows none: it says itself if there is no such lock
		return &top.Lock{Lock: api.Lock{Session: shown(u.Session, true), Cookie: *u.Cookie}, NodeID: nodeID}, nil
	}
	return nil, errors.New("no lock that farmstate locks shows is of a session that begins with " + u.Session + "; for another, give the whole key, --cookie and --node")
}

// beginsWith reports whether the id of a locked session begins with a text, as far as it is known.
func beginsWith(l *top.Lock, text string) bool {
	text = strings.TrimSuffix(text, "…")
	shown, _ := strings.CutSuffix(l.ID, "…")
	if text == "" {
		return false
	}
	if len(text) <= len(shown) {
		return strings.HasPrefix(shown, text)
	}
	return l.Key != "" && strings.HasPrefix(l.Key[strings.LastIndexByte(l.Key, '/')+1:], text)
}

// describe says which lock that is.
func describe(l *top.Lock) string {
	text := fmt.Sprintf("session %s", l.ID)
	if l.App != "" {
		text += " of " + l.App
	}
	if l.Node != "" {
		text += " on " + l.Node
	}
	if l.Age > 0 {
		text += ", held for " + term.Seconds(l.Age)
	}
	if l.Client != "" {
		text += " by " + l.Client
	}
	return term.Clean(fmt.Sprintf("%s, %s waiting, cookie %d", text, term.Plural(l.Waiting, "request", "requests"), l.Cookie))
}

// errNotMeant ends a command whose user has said no.
var errNotMeant = errors.New("nothing was done")

// confirm asks the user, and fails if the answer is not yes.
func (a *app) confirm(question string) error {
	if f, ok := a.stdin.(*os.File); ok && !term.IsTerminal(f) {
		return usageError(errors.New("it asks whether that is meant, and nobody is here to answer: add --yes"))
	}
	if _, err := fmt.Fprint(a.stdout, question); err != nil {
		return err
	}
	answer, _ := bufio.NewReader(a.stdin).ReadString('\n') // none is no
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errNotMeant
}
