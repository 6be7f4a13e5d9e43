// Package browser tries out the dashboard in Chromium, against farms of real processes: what it shows, that it follows what happens, what can be done with it, and
// that nothing in it comes from elsewhere or is taken for markup. With -update-screenshots it makes the pictures of docs/dashboard.md anew.
//
// Chromium is that of the machine; make deps installs it. Without it the tests are skipped, or fail where CI is set.
package browser
