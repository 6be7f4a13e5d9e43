package machine

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// The files of Linux that tell about memory. They are read through an fs.FS
// whose root is that of the system, so that this file compiles and is tested
// everywhere.
const (
	memInfoFile = "proc/meminfo"
	ownGroups   = "proc/self/cgroup"
	groupRoot   = "sys/fs/cgroup"
)

// memTotal is the memory of the machine in bytes.
func memTotal(root fs.FS) (int64, error) {
	data, err := fs.ReadFile(root, memInfoFile)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(data) {
		rest, ok := strings.CutPrefix(string(line), "MemTotal:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			return 0, err
		}
		return kib << 10, nil
	}
	return 0, ErrUnknown
}

// groupLimit is the lowest limit in bytes that a control group sets for this
// process. A limit binds all groups below it, so each group on the way to the
// root is asked. Where the process sees its own group as the root (as
// containers do), the path in its group file may not exist: the root is asked
// then all the same.
func groupLimit(root fs.FS) (limit int64, ok bool) {
	data, err := fs.ReadFile(root, ownGroups)
	if err != nil {
		return 0, false
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		// hierarchy-ID:controllers:path; version 2 has no controllers.
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			continue
		}
		var dir, file string
		switch {
		case parts[1] == "":
			dir, file = groupRoot, "memory.max"
		case slices.Contains(strings.Split(parts[1], ","), "memory"):
			dir, file = path.Join(groupRoot, "memory"), "memory.limit_in_bytes"
		default:
			continue
		}
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			if n, found := limitIn(root, path.Join(dir, group, file)); found && (!ok || n < limit) {
				limit, ok = n, true
			}
			if group == "/" {
				break
			}
		}
	}
	return limit, ok
}

// limitIn reads one limit. "max" is none; version 1 has a number near the
// largest for that, which is above the memory of any machine.
func limitIn(root fs.FS, name string) (int64, bool) {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return n, err == nil && n > 0
}
