package doctor

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// listening is the state of a socket in /proc/net/tcp.
const listening = "0A"

// ownerOf says which process of Linux has a port: its name and its id. Empty if that cannot be seen, as for processes of other accounts. root is the root of the
// system.
func ownerOf(root fs.FS, port uint16) string {
	inodes := map[string]bool{}
	for _, file := range []string{"proc/net/tcp", "proc/net/tcp6"} {
		data, err := fs.ReadFile(root, file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[3] != listening {
				continue
			}
			_, text, _ := strings.Cut(fields[1], ":")
			raw, err := hex.DecodeString(text)
			if err == nil && len(raw) == 2 && uint16(raw[0])<<8|uint16(raw[1]) == port {
				inodes["socket:["+fields[9]+"]"] = true
			}
		}
	}
	if len(inodes) == 0 {
		return ""
	}
	processes, err := fs.ReadDir(root, "proc")
	if err != nil {
		return ""
	}
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		dir := path.Join("proc", p.Name(), "fd")
		open, err := fs.ReadDir(root, dir)
		if err != nil {
			continue // of another account, or ended
		}
		for _, fd := range open {
			if to, err := fs.ReadLink(root, path.Join(dir, fd.Name())); err == nil && inodes[to] {
				name, _ := fs.ReadFile(root, path.Join("proc", p.Name(), "comm")) // without a name it has its id
				return fmt.Sprintf("%s (process %d)", strings.TrimSpace(string(name)), pid)
			}
		}
	}
	return ""
}
