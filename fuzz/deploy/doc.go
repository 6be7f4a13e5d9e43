// Package deploy tries out docs/deployment.md: nodes that run with the very configuration files of that document, behind the very HAProxy that it describes,
// behind a partition resolver as it shows one, and beside web servers as it advises. The web servers and their users are emulated by netpoll/pages; nodes are
// killed, stopped and started under them. No acknowledged save may get lost, and what users see is counted and held to what the document says.
//
// Addresses of the document are replaced by loopback ones with free ports. HAProxy is that of the machine; make deps installs it.
package deploy
