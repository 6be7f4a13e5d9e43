// Package packages tries out what is given to others: the release archives, the packages for Debian and Red Hat, the systemd unit, the container and Kubernetes
// files, and the program on Windows. The Debian package is installed into a root of its own, its node is started as the unit says with a notify socket of the
// test, hands its sessions over, and is removed; the program for Windows runs under Wine, in the foreground and as a service.
//
// make deps installs what it needs.
package packages
