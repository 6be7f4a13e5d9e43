package relay

import (
	"errors"
	"time"
)

// How a connection ends, apart from its ends by itself. The texts are shown.
var (
	errCut    = errors.New("cut by a rule")
	errRefuse = errors.New("refused")
	errIdle   = errors.New("silent for too long")
	errGone   = errors.New("closed")
	errLast   = errors.New("the last answer was given")
)

// maxGathered bounds a message that is held so that another can go first, in bytes of its body. A larger one is not held.
const maxGathered = 1 << 20

// stage sends on what a flow received.
type stage interface {
	received(m *message) // a message has begun; called in the order in which they came
	receivedBody(m *message, b []byte)
	receivedEnd(m *message)
	begin(m *message) error        // its turn has come: what follows belongs to it. Done before its first byte is written
	body(b []byte)                 // bytes of body that go on
	finish(m *message)             // all has been put
	dropped(m *message, why error) // a message does not go on
	raw(b []byte) error            // bytes that are no message go on
	open() error                   // there has to be somebody to write to
	put(b []byte)                  // b is to be written; only in a flow that holds
	write(b []byte) error          // b is written, behind what was put
	settle()                       // what was finished has been written
	pause(d time.Duration) error   // nothing happens for so long
	hold(d time.Duration) *holding // other flows are asked to tell when they let a message go; nil if one is held already
	passed()                       // a message went by: those that are held may follow
}

// flow is one direction of a connection. It belongs to the goroutine that reads there.
type flow struct {
	scan  scanner
	rules *rules
	bends bool // there are rules for it
	holds bool // a head is held until it is whole, because a rule or the choice of the target may need it
	to    stage

	m    *message // being received
	bend bending  // of m
	sent int      // bytes of m that were put
	kept int      // bytes of its body that were put

	gathering bool // m is not put but gathered, and held when it is whole
	gathered  []byte
	held      *held
}

// held is a message that lets another one go first.
type held struct {
	m    *message
	bend bending
	body []byte
	*holding
}

// feed passes on a piece of the stream.
func (f *flow) feed(b []byte) error {
	if !f.holds {
		if err := f.to.open(); err != nil {
			return err
		}
	}
	err := f.scan.feed(b, f)
	if f.holds {
		b = nil
	}
	if err == nil || errors.Is(err, errCut) || errors.Is(err, errRefuse) || errors.Is(err, errLast) {
		if werr := f.to.write(b); werr != nil {
			return werr
		}
	}
	f.to.settle()
	return err
}

// eof passes on what is still here when the stream has ended.
func (f *flow) eof() error {
	if !f.holds {
		return nil
	}
	if err := f.release(); err != nil {
		return err
	}
	if part := f.scan.unfinished(); len(part) > 0 && f.to.open() == nil {
		f.to.put(part)
	}
	err := f.to.write(nil)
	f.to.settle()
	return err
}

// mayRelease reports whether a message is held and no other is on its way: then that one lets it go.
func (f *flow) mayRelease() bool { return f.held != nil && f.scan.left == 0 }

// due lets a held message go whose time has come.
func (f *flow) due(now time.Time) error {
	if !f.mayRelease() || !f.held.over(now) {
		return nil
	}
	err := f.release()
	if werr := f.to.write(nil); err == nil {
		err = werr
	}
	f.to.settle()
	return err
}

func (f *flow) head(m *message) error {
	f.to.received(m)
	f.m, f.bend = m, straight
	if !f.bends {
		return f.begin()
	}
	f.bend = f.rules.bend(m)
	if f.bend.cut {
		f.to.dropped(m, errCut)
		return errCut
	}
	if f.bend.delay > 0 {
		if err := f.to.write(nil); err != nil { // what came before does not wait
			return err
		}
		f.to.settle()
		if err := f.to.pause(f.bend.delay); err != nil {
			return err
		}
	}
	if f.bend.reorder > 0 && f.held == nil && m.size <= maxGathered {
		f.gathering, f.gathered = true, nil
		return nil
	}
	return f.begin()
}

// begin sends on the head of the message.
func (f *flow) begin() error {
	f.sent, f.kept = 0, 0
	if err := f.to.begin(f.m); err != nil {
		return err
	}
	return f.put(f.m.head)
}

// put sends on bytes of the message, up to where it is cut.
func (f *flow) put(b []byte) error {
	cut := f.bend.after >= 0 && f.sent+len(b) > f.bend.after
	if cut {
		b = b[:f.bend.after-f.sent]
	}
	f.sent += len(b)
	if f.holds {
		f.to.put(b)
	}
	if cut {
		return errCut
	}
	return nil
}

func (f *flow) body(b []byte) error {
	f.to.receivedBody(f.m, b)
	if f.gathering {
		f.gathered = append(f.gathered, b...)
		return nil
	}
	return f.pass(b)
}

// pass sends on bytes of the body, up to where it is truncated.
func (f *flow) pass(b []byte) error {
	if f.bend.keep >= 0 {
		b = b[:min(len(b), f.bend.keep-f.kept)]
	}
	if len(b) == 0 {
		return nil
	}
	f.kept += len(b)
	f.to.body(b)
	return f.put(b)
}

func (f *flow) end() error {
	f.to.receivedEnd(f.m)
	if !f.gathering {
		return f.done()
	}
	f.gathering = false
	h := &held{m: f.m, bend: f.bend, body: f.gathered, holding: f.to.hold(f.bend.reorder)}
	f.gathered = nil
	if h.holding == nil {
		return f.send(h) // so that the one that is held can follow
	}
	f.held = h
	return nil
}

// done is called when all of a message was put.
func (f *flow) done() error {
	f.to.finish(f.m)
	if f.bend.after >= 0 {
		return errCut // the message was shorter than that
	}
	f.to.passed()
	return f.release()
}

// release sends on the message that is held.
func (f *flow) release() error {
	h := f.held
	if h == nil {
		return nil
	}
	f.held = nil
	h.end()
	return f.send(h)
}

// send sends on a message that is whole.
func (f *flow) send(h *held) error {
	f.m, f.bend = h.m, h.bend
	err := f.begin()
	if err == nil {
		err = f.pass(h.body)
	}
	if err == nil {
		err = f.done()
	}
	return err
}

func (f *flow) raw(b []byte) error {
	if err := f.release(); err != nil {
		return err
	}
	if err := f.to.raw(b); err != nil {
		return err
	}
	if f.holds {
		f.to.put(b)
	}
	return nil
}
