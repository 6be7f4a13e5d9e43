package data

import "os"

// flushEvery is how many bytes are written before the disk is told to begin with them.
const flushEvery = 32 << 20

// flusher writes to a file, and has the disk work meanwhile: or all of it would be left to the end, and to the memory that the system has for it until then.
type flusher struct {
	f     *os.File
	since int64 // bytes written since the disk was told
	tell  chan struct{}
	ended chan struct{}
	err   error // of the disk; valid once ended is closed
}

// newFlusher starts a flusher. It has to be closed.
func newFlusher(f *os.File) *flusher {
	x := &flusher{f: f, tell: make(chan struct{}, 1), ended: make(chan struct{})}
	go x.run()
	return x
}

func (x *flusher) run() {
	defer close(x.ended)
	for range x.tell {
		if err := x.f.Sync(); err != nil && x.err == nil {
			x.err = err
		}
	}
}

// Write implements io.Writer.
func (x *flusher) Write(b []byte) (int, error) {
	n, err := x.f.Write(b)
	if x.since += int64(n); x.since >= flushEvery {
		x.since = 0
		select {
		case x.tell <- struct{}{}:
		default: // it is behind; the next time does for both
		}
	}
	return n, err
}

// close waits until all is on the disk. It returns the first error of the disk: a later Sync need not tell it again.
func (x *flusher) close() error {
	close(x.tell)
	<-x.ended
	if err := x.f.Sync(); x.err == nil {
		x.err = err
	}
	return x.err
}
