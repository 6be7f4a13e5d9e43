package machine

import (
	"io/fs"
	"strconv"
	"strings"
)

const reservedFile = "proc/sys/net/ipv4/ip_local_reserved_ports"

// ReservedPorts are the ports that Linux leaves out when it chooses one for an outgoing connection. root is the root of the system.
func ReservedPorts(root fs.FS) []PortRange {
	data, err := fs.ReadFile(root, reservedFile)
	if err != nil {
		return nil
	}
	var all []PortRange
	for part := range strings.SplitSeq(strings.TrimSpace(string(data)), ",") {
		if r, ok := ParsePortRange(part); ok {
			all = append(all, r)
		}
	}
	return all
}

// ParsePortRange reads a port or a range as [PortRange.String] writes it.
func ParsePortRange(text string) (PortRange, bool) {
	from, to, isRange := strings.Cut(strings.TrimSpace(text), "-")
	if !isRange {
		to = from
	}
	first, err1 := strconv.ParseUint(from, 10, 16)
	last, err2 := strconv.ParseUint(to, 10, 16)
	return PortRange{uint16(first), uint16(last)}, err1 == nil && err2 == nil && first <= last
}
