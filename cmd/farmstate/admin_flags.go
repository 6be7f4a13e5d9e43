package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/token"
)

// adminFlags say which node a command talks to.
type adminFlags struct {
	Admin     string `help:"Address of the node's admin pages (default ${default})." default:"127.0.0.1:42480" placeholder:"ADDR"`
	TokenFile string `help:"File with the node's admin token (its option admin_token_file); needed unless the node has made one and runs under the same account." placeholder:"FILE"`
}

// tokenVariable is an environment variable that says the same as --token-file: it is also that of the node's option.
const tokenVariable = "FARMSTATE_ADMIN_TOKEN_FILE"

// client returns a client with the tokens that are known here, maybe none.
func (f *adminFlags) client(a *app) (*fleet.Client, error) {
	if _, port, err := net.SplitHostPort(f.Admin); err != nil || port == "" {
		return nil, usageError(errors.New("--admin=" + f.Admin + " is no address: it is HOST:PORT, such as 127.0.0.1:42480"))
	}
	file, from := f.TokenFile, "--token-file"
	if file == "" {
		file, from = a.env(tokenVariable), tokenVariable
	}
	if file == "" {
		return &fleet.Client{Tokens: token.Find(f.Admin, a.env), Only: f.Admin}, nil
	}
	text, _, err := config.ReadToken(file)
	if err != nil {
		return nil, usageError(fmt.Errorf("%s: %w", from, err))
	}
	return &fleet.Client{Tokens: []string{text}, Named: from + "=" + file, Asked: f.Admin}, nil
}

// actor is client for commands that change something: it fails if no token is known.
func (f *adminFlags) actor(a *app) (*fleet.Client, error) {
	c, err := f.client(a)
	if err == nil && len(c.Tokens) == 0 {
		return nil, usageError(token.Missing(f.Admin))
	}
	return c, err
}

// env is a variable of the environment; empty if it is not there.
func (a *app) env(name string) string {
	for _, entry := range slices.Backward(a.environ) { // the last one counts, as in os.Environ
		if key, value, ok := strings.Cut(entry, "="); ok && key == name {
			return value
		}
	}
	return ""
}
