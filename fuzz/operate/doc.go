// Package operate has tests of what operators do, with real processes: the drills of docs/troubleshooting.md, attacks on the admin pages, and a search for what must
// never be shown or logged.
package operate
