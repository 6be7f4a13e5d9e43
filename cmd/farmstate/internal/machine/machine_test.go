package machine

import (
	"errors"
	"io/fs"
	"runtime"
	"testing"
	"testing/fstest"
)

func files(contents map[string]string) fs.FS {
	all := make(fstest.MapFS)
	for name, text := range contents {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

// TestGroupLimit finds the limit that binds, for both versions of control
// groups, in a container and outside.
func TestGroupLimit(t *testing.T) {
	const none1 = "9223372036854771712\n"
	for _, v := range []struct {
		name  string
		files map[string]string
		limit int64 // 0 for none
	}{
		{"no groups", nil, 0},
		{"version 2, own group", map[string]string{
			"proc/self/cgroup": "0::/system.slice/farmstate.service\n",
			"sys/fs/cgroup/system.slice/farmstate.service/memory.max": "1073741824\n",
			"sys/fs/cgroup/system.slice/memory.max":                   "max\n",
		}, 1 << 30},
		{"version 2, a group above", map[string]string{
			"proc/self/cgroup":               "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max":   "1000000\n",
			"sys/fs/cgroup/a/memory.max":     "500000\n",
			"sys/fs/cgroup/other/memory.max": "1\n",
		}, 500000},
		{"version 2, container", map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "536870912\n",
		}, 512 << 20},
		{"version 2, path of the host in a container", map[string]string{
			"proc/self/cgroup":         "0::/docker/0123\n",
			"sys/fs/cgroup/memory.max": "536870912\n",
		}, 512 << 20},
		{"version 2, path outside of the name space", map[string]string{
			"proc/self/cgroup":         "0::/../../x\n",
			"sys/fs/cgroup/memory.max": "536870912\n",
		}, 512 << 20},
		{"version 2, no limit", map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "max\n",
		}, 0},
		{"version 1", map[string]string{
			"proc/self/cgroup": "12:cpu,cpuacct:/c\n5:hugetlb,memory:/docker/0123\n1:name=systemd:/x\n0::/x\n",
			"sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes": "268435456\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":             none1,
		}, 256 << 20},
		{"version 1, container", map[string]string{
			"proc/self/cgroup":                           "5:memory:/docker/0123\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n",
		}, 256 << 20},
		{"not a number", map[string]string{
			"proc/self/cgroup":         "0::/\nrubbish\n",
			"sys/fs/cgroup/memory.max": "much\n",
		}, 0},
	} {
		limit, ok := groupLimit(files(v.files))
		if limit != v.limit || ok != (v.limit != 0) {
			t.Errorf("%s: %d, %v; want %d", v.name, limit, ok, v.limit)
		}
	}
}

// TestMemTotal reads the memory of a machine.
func TestMemTotal(t *testing.T) {
	n, err := memTotal(files(map[string]string{"proc/meminfo": "MemTotal:       16384256 kB\nMemFree:  1 kB\n"}))
	if err != nil || n != 16384256<<10 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := memTotal(files(map[string]string{"proc/meminfo": "MemFree:  1 kB\n"})); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v, want %v", err, ErrUnknown)
	}
	if _, err := memTotal(files(map[string]string{"proc/meminfo": "MemTotal: much\n"})); err == nil {
		t.Error("no error for a size that is none")
	}
	if _, err := memTotal(files(nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want %v", err, fs.ErrNotExist)
	}
}

// TestMemory asks the machine that the test runs on.
func TestMemory(t *testing.T) {
	n, err := Memory()
	switch runtime.GOOS {
	case "linux", "windows", "darwin", "freebsd":
		if err != nil || n < 64<<20 {
			t.Errorf("%d, %v", n, err)
		}
	}
}

// TestOutgoingPorts reads Linux's range.
func TestOutgoingPorts(t *testing.T) {
	const name = "proc/sys/net/ipv4/ip_local_port_range"
	r, ok := OutgoingPorts(files(map[string]string{name: "32768\t60999\n"}))
	if !ok || r != (PortRange{32768, 60999}) || r.String() != "32768-60999" {
		t.Errorf("%v, %v", r, ok)
	}
	for port, want := range map[uint16]bool{32767: false, 32768: true, 42424: true, 60999: true, 61000: false} {
		if r.Contains(port) != want {
			t.Errorf("%d: %v, want %v", port, !want, want)
		}
	}
	for _, text := range []string{"", "1", "1 x", "70000 80000", "1 2 3"} {
		if r, ok := OutgoingPorts(files(map[string]string{name: text})); ok {
			t.Errorf("%q: %v", text, r)
		}
	}
	if _, ok := OutgoingPorts(files(nil)); ok {
		t.Error("a range without the file")
	}
}
