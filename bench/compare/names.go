package main

import (
	"fmt"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// names are what sessions are called in each protocol, made before anything is measured.
//
// Static after construction.
type names struct {
	keys     []string // as ASP.NET names them
	targets  [][]byte // the same in a request line
	provider []providerKeys
}

// providerKeys are the three keys that a session has in Redis. The braces make a Redis cluster keep them in one place.
type providerKeys struct {
	lock, data, internal string
}

func newNames(sessions int) *names {
	const app = "/LM/W3SVC/1/ROOT"
	n := &names{}
	for i := range sessions {
		id := fmt.Sprintf("compare%017d", i)
		key := app + "(cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=)/" + id
		stem := "{" + app + "_" + id + "}_"
		n.keys = append(n.keys, key)
		n.targets = append(n.targets, wire.AppendTarget(nil, []byte(key)))
		n.provider = append(n.provider, providerKeys{
			lock: stem + "Write_Lock", data: stem + "SessionStateItemCollection", internal: stem + "Internal",
		})
	}
	return n
}
