package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/farmstate/farmstate/bench/proc"
)

// node is a farmstate process.
type node struct {
	child *proc.Child
	path  string
	addr  string // of the state port
	admin string
}

func startNode(ctx context.Context, path string, args ...string) (*node, error) {
	child, rest, err := proc.Spawn(ctx, "farmstate", "farmstate ready ", path,
		append([]string{"serve", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--log-level=error"}, args...)...)
	if err != nil {
		return nil, err
	}
	n := &node{child: child, path: path}
	for part := range strings.FieldsSeq(rest) {
		if addr, ok := strings.CutPrefix(part, "state="); ok {
			n.addr = addr
		}
		if addr, ok := strings.CutPrefix(part, "admin="); ok {
			n.admin = addr
		}
	}
	if n.addr == "" || n.admin == "" {
		return nil, fmt.Errorf("no addresses in the ready line %q", rest)
	}
	return n, nil
}

func (n *node) stop() error { return n.child.Stop() }
