package machine

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestSwap(t *testing.T) {
	root := fstest.MapFS{
		"proc/meminfo":     {Data: []byte("MemTotal: 10 kB\nSwapTotal:    2048 kB\nSwapFree:     1024 kB\n")},
		"proc/self/status": {Data: []byte("Name:\tfarmstate\nVmSwap:\t     12 kB\n")},
	}
	if got, want := swapIn(root), (Swap{2 << 20, 1 << 20, 12 << 10}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := swapIn(fstest.MapFS{"proc/meminfo": {Data: []byte("SwapTotal: x kB\n")}}), (Swap{-1, -1, -1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestReservedPorts(t *testing.T) {
	for text, want := range map[string][]PortRange{
		"\n":                  nil,
		"42424\n":             {{42424, 42424}},
		"42424-42426,42480\n": {{42424, 42426}, {42480, 42480}},
		"7-5,x,70000\n":       nil,
	} {
		if got := ReservedPorts(fstest.MapFS{"proc/sys/net/ipv4/ip_local_reserved_ports": {Data: []byte(text)}}); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	if got := ReservedPorts(fstest.MapFS{}); got != nil {
		t.Errorf("without the file: %v", got)
	}
}
