//go:build linux

package chaos

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// The little of rtnetlink(7) that is needed to connect network namespaces, so that no program has to be installed for it.

// netlink sends one request about links, addresses or neighbours of this thread's network namespace, and returns the kernel's answer.
func netlink(kind, flags uint16, body []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	msg := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	msg = binary.NativeEndian.AppendUint16(msg, kind)
	msg = binary.NativeEndian.AppendUint16(msg, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	msg = binary.NativeEndian.AppendUint32(msg, 1) // sequence
	msg = binary.NativeEndian.AppendUint32(msg, 0) // port
	msg = append(msg, body...)
	if err := unix.Sendto(fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	buf := make([]byte, 8192)
	n, _, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		return os.NewSyscallError("recvfrom", err)
	}
	if n < unix.NLMSG_HDRLEN+4 || binary.NativeEndian.Uint16(buf[4:]) != unix.NLMSG_ERROR {
		return fmt.Errorf("netlink: an answer of %d bytes", n)
	}
	if code := int32(binary.NativeEndian.Uint32(buf[unix.NLMSG_HDRLEN:])); code != 0 {
		return syscall.Errno(-code)
	}
	return nil
}

// attr appends an attribute.
func attr(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func cstring(s string) []byte { return append([]byte(s), 0) }

// ifinfo is the header of requests about links.
func ifinfo(index int, flags, change uint32) []byte {
	b := []byte{unix.AF_UNSPEC, 0, 0, 0}
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, flags)
	return binary.NativeEndian.AppendUint32(b, change)
}

// addVeth makes a pair of connected interfaces: name here, and peer in the namespace that is open as fd.
func addVeth(name string, mac net.HardwareAddr, peer string, peerMAC net.HardwareAddr, fd int) error {
	other := ifinfo(0, 0, 0)
	other = attr(other, unix.IFLA_IFNAME, cstring(peer))
	other = attr(other, unix.IFLA_ADDRESS, peerMAC)
	other = attr(other, unix.IFLA_NET_NS_FD, binary.NativeEndian.AppendUint32(nil, uint32(fd)))
	const vethInfoPeer = 1
	info := attr(nil, unix.IFLA_INFO_KIND, []byte("veth"))
	info = attr(info, unix.IFLA_INFO_DATA, attr(nil, vethInfoPeer, other))
	body := attr(ifinfo(0, 0, 0), unix.IFLA_IFNAME, cstring(name))
	body = attr(body, unix.IFLA_ADDRESS, mac)
	body = attr(body, unix.IFLA_LINKINFO, info)
	if err := netlink(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, body); err != nil {
		return fmt.Errorf("make the interfaces %s and %s: %w", name, peer, err)
	}
	return nil
}

// up switches an interface on.
func up(name string) error {
	i, err := net.InterfaceByName(name)
	if err == nil {
		err = netlink(unix.RTM_NEWLINK, 0, ifinfo(i.Index, unix.IFF_UP, unix.IFF_UP))
	}
	if err != nil {
		return fmt.Errorf("switch on %s: %w", name, err)
	}
	return nil
}

// addAddress gives an interface an address.
func addAddress(name string, addr netip.Addr) error {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	b := []byte{unix.AF_INET, 32, 0, unix.RT_SCOPE_UNIVERSE}
	b = binary.NativeEndian.AppendUint32(b, uint32(i.Index))
	b = attr(b, unix.IFA_LOCAL, addr.AsSlice())
	b = attr(b, unix.IFA_ADDRESS, addr.AsSlice())
	if err := netlink(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, b); err != nil {
		return fmt.Errorf("address %s of %s: %w", addr, name, err)
	}
	return nil
}

// addRoute sends what is for an address through an interface, from our own address.
func addRoute(name string, to, from netip.Addr) error {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	b := []byte{unix.AF_INET, 32, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_LINK, unix.RTN_UNICAST, 0, 0, 0, 0}
	b = attr(b, unix.RTA_DST, to.AsSlice())
	b = attr(b, unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, uint32(i.Index)))
	b = attr(b, unix.RTA_PREFSRC, from.AsSlice())
	if err := netlink(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, b); err != nil {
		return fmt.Errorf("route to %s through %s: %w", to, name, err)
	}
	return nil
}

// setNeighbour says for ever which hardware address somebody has behind an interface. What is sent to one that nobody has is lost in silence.
func setNeighbour(name string, addr netip.Addr, mac net.HardwareAddr) error {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	b := []byte{unix.AF_INET, 0, 0, 0}
	b = binary.NativeEndian.AppendUint32(b, uint32(i.Index))
	b = binary.NativeEndian.AppendUint16(b, unix.NUD_PERMANENT)
	b = append(b, 0, unix.RTN_UNICAST)
	b = attr(b, unix.NDA_DST, addr.AsSlice())
	b = attr(b, unix.NDA_LLADDR, mac)
	if err := netlink(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, b); err != nil {
		return fmt.Errorf("neighbour %s of %s: %w", addr, name, err)
	}
	return nil
}
