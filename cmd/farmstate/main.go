// Command farmstate is a session-state server for ASP.NET web farms. It
// speaks the protocol of Microsoft's ASP.NET State Service, so that an
// unchanged application uses it by changing one host name, or none.
//
// This package is the wiring: it reads the configuration, joins the engine to
// the network, and shows what goes on to operators. See docs/architecture.md.
package main

import (
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
