package bench

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// timerSleeper is a kernel timer that the runtime's poller watches. The runtime hands its own timers to epoll in whole
// milliseconds, which would be most of the latency of a page on a fast server.
type timerSleeper struct {
	fd  int
	f   *os.File // owns fd
	buf [8]byte
}

// newSleeper returns the most precise sleeper there is.
func newSleeper() sleeper {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return plainSleeper{}
	}
	return &timerSleeper{fd: fd, f: os.NewFile(uintptr(fd), "timerfd")}
}

func (s *timerSleeper) sleep(d time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(1, int64(d)))} // zero would disarm the timer
	if err := unix.TimerfdSettime(s.fd, 0, &spec, nil); err != nil {
		time.Sleep(d)
		return
	}
	if _, err := s.f.Read(s.buf[:]); err != nil {
		time.Sleep(d)
	}
}

func (s *timerSleeper) close() error { return s.f.Close() }
