package machine

import (
	"io/fs"
	"strconv"
	"strings"
)

const portRangeFile = "proc/sys/net/ipv4/ip_local_port_range"

// PortRange is a range of ports, both ends included.
type PortRange struct {
	First, Last uint16
}

// Contains reports whether port lies in the range.
func (r PortRange) Contains(port uint16) bool {
	return r.First <= port && port <= r.Last
}

// String is the range as 32768-60999.
func (r PortRange) String() string {
	return strconv.Itoa(int(r.First)) + "-" + strconv.Itoa(int(r.Last))
}

// OutgoingPorts is the range that Linux takes the local ports of outgoing
// connections from. root is the root of the system.
func OutgoingPorts(root fs.FS) (PortRange, bool) {
	data, err := fs.ReadFile(root, portRangeFile)
	if err != nil {
		return PortRange{}, false
	}
	fields := strings.Fields(string(data))
	if len(fields) != 2 {
		return PortRange{}, false
	}
	first, err1 := strconv.ParseUint(fields[0], 10, 16)
	last, err2 := strconv.ParseUint(fields[1], 10, 16)
	return PortRange{uint16(first), uint16(last)}, err1 == nil && err2 == nil
}
