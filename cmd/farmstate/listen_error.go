package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/machine"
)

// listenError says what to do about an address that could not be listened on.
// option is the option that has the address, such as listen.
func listenError(option, addr string, err error) error {
	return usageError(errors.New(listenAdvice(option, addr, err, runtime.GOOS, os.DirFS("/"))))
}

// listenAdvice is the text of listenError for a system whose root is root. It
// may have several lines.
func listenAdvice(option, addr string, err error, goos string, root fs.FS) string {
	head := fmt.Sprintf("cannot listen on %s: ", addr)
	another := "choose another address with --" + option
	_, service, _ := net.SplitHostPort(addr)
	n, _ := strconv.ParseUint(service, 10, 16)
	port := uint16(n)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return head + fmt.Sprintf("the host name %q is not known on this machine (%s); write an IP address, or put the name right", dns.Name, dns.Err)
	case isAddrInUse(err):
		lines := []string{head + "the port is taken; " + owner(option) + ". Stop it, or " + another}
		return strings.Join(append(lines, byChance(port, goos, root)...), "\n")
	case isNotOurs(err):
		return head + "this machine has no such address; use one of its own, 127.0.0.1, or leave the host out for all of them"
	case errors.Is(err, fs.ErrPermission) || isReserved(err):
		return head + "permission denied; " + permissionAdvice(port, goos, another)
	}
	return head + trimListen(err).Error() + "; " + another
}

// owner guesses who has the port of an option.
func owner(option string) string {
	if option == "admin" || option == "gossip-listen" {
		return "another farmstate may be running"
	}
	return "Microsoft's ASP.NET State Service (aspnet_state) or another farmstate may be running"
}

// byChance says how a port can be taken by a program that never asked for it,
// and how to prevent that; nothing when it cannot.
func byChance(port uint16, goos string, root fs.FS) []string {
	switch goos {
	case "linux":
		if r, ok := machine.OutgoingPorts(root); ok && r.Contains(port) {
			return []string{
				fmt.Sprintf("%d lies in Linux's range for outgoing connections (%s), so any program may have got it by chance.", port, r),
				fmt.Sprintf("Reserve it, and start again once it is free: sysctl -w net.ipv4.ip_local_reserved_ports=%d"+
					" (a list with commas: keep what is in it; put it in /etc/sysctl.d to survive a restart)", port),
			}
		}
	case "windows":
		return []string{fmt.Sprintf("To keep it from being taken by chance: netsh int ipv4 add excludedportrange protocol=tcp startport=%d numberofports=1", port)}
	}
	return nil
}

func permissionAdvice(port uint16, goos, another string) string {
	switch {
	case goos == "windows":
		return fmt.Sprintf("Windows keeps port %d for itself or another program (netsh int ipv4 show excludedportrange protocol=tcp shows the ranges); %s", port, another)
	case port > 0 && port < 1024:
		return fmt.Sprintf("ports below 1024 need a privilege; %s with a higher port, or grant it (setcap cap_net_bind_service=+ep on the program, AmbientCapabilities=CAP_NET_BIND_SERVICE in a systemd unit)", another)
	}
	return "the system forbids it to this account; " + another
}

// trimListen takes off what the head of the message says already.
func trimListen(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}
