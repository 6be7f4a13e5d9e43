package link

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

const (
	// maxPiece is the longest piece of a body that is taken. We send none above PartSize; this is so that others may.
	maxPiece = 1 << 20
	// maxBatch is how many messages are handed over at a time.
	maxBatch = 256
	// A body has bodyPatience and the time that it takes at slowest to arrive. Who is slower is not helped by our memory.
	bodyPatience = 15 * time.Second
	slowest      = 128 << 10 // bytes a second
)

// inbox is the receiving side of a link. Owned by its reader.
type inbox struct {
	link     *link
	reader   *reader
	batch    []*message.Message
	next     *message.Message // for the next head
	reserved int              // bytes of the bodies in batch
	bodies   map[message.ID]*assembly
	deadline time.Time // of reading
}

// assembly is a body that comes in parts.
type assembly struct {
	m        *message.Message
	got      int
	deadline time.Time
}

// receive reads messages and hands them over until the link ends.
func (in *inbox) receive() (CloseReason, error) {
	defer in.free()
	for {
		if err := in.parse(); err != nil {
			in.deliver()
			end, _ := errors.AsType[*refusal](err) // parse returns no other
			return end.reason, end.err
		}
		in.deliver()
		in.expire()
		in.extend()
		n, err := in.reader.more()
		in.count(n)
		if n == 0 && err != nil { // with bytes, the error comes again
			return in.lost(err)
		}
	}
}

// parse takes in everything that the buffer has.
func (in *inbox) parse() error {
	for {
		if in.next == nil {
			in.next = new(message.Message)
		}
		length, f := in.reader.head(in.next)
		switch f {
		case message.Short:
			return nil
		case message.OK:
		default:
			return refuse(CloseMalformed, errors.New(faultText(f)))
		}
		m := in.next
		in.next = nil
		if err := in.take(m, length); err != nil {
			return err
		}
		if len(in.batch) >= maxBatch {
			in.deliver()
		}
	}
}

func faultText(f message.Fault) string {
	if where := f.Where(); where != "" {
		return f.String() + " in " + where
	}
	return f.String()
}

// take does what one message asks of the link, and puts it into the batch.
func (in *inbox) take(m *message.Message, length int) error {
	if length > maxPiece {
		return refuse(CloseMalformed, fmt.Errorf("%d bytes in one piece", length))
	}
	switch m.Kind {
	case message.Hello:
		return refuse(CloseSecondHello, nil)
	case message.Part:
		return in.part(m, length)
	case message.Ping:
		in.link.leaving.Store(m.Leaving)
		in.link.saysAdmin(m.Admin)
	default:
		in.link.touch()
	}
	if length > 0 { // Parse sees to it that those have a body that must, and no others
		return in.body(m, length)
	}
	in.batch = append(in.batch, m)
	return nil
}

// body takes in a message with a body, or the beginning of one. If there is no memory for it, the message goes on without, and the body is skipped.
func (in *inbox) body(m *message.Message, length int) error {
	opt := &in.link.net.opt
	whole := m.Total == 0
	total := length
	if !whole {
		if m.Total <= int64(length) || m.Total > hardMaxBody {
			return refuse(CloseBadPart, fmt.Errorf("a first part of %d bytes of %d", length, m.Total))
		}
		total = int(m.Total)
		if in.bodies[m.ID] != nil {
			return refuse(CloseBadPart, errors.New("a body begins again before the first of the same id is complete"))
		}
	}
	if total > opt.MaxBody || !whole && len(in.bodies) >= opt.MaxAssemblies || !opt.Reserve(total) {
		m.NoRoom, m.Total = true, 0
		in.link.net.noRoom.Add(1)
		in.batch = append(in.batch, m)
		return in.read(nil, length)
	}
	m.Parcel.Body = make([]byte, total)
	if err := in.read(m.Parcel.Body[:length], length); err != nil {
		opt.Unreserve(total)
		return err
	}
	if whole {
		in.batch = append(in.batch, m)
		in.reserved += total
		return nil
	}
	if in.bodies == nil {
		in.bodies = map[message.ID]*assembly{}
	}
	in.bodies[m.ID] = &assembly{m: m, got: length, deadline: time.Now().Add(bodyTime(total))}
	in.link.net.assemblies.Add(1)
	in.link.net.assemblyBytes.Add(int64(total))
	return nil
}

func bodyTime(n int) time.Duration {
	return bodyPatience + time.Duration(n)*time.Second/slowest
}

// part takes in a part of a body. One for a body that is not being assembled is skipped: there was no room, or it took too long.
func (in *inbox) part(m *message.Message, length int) error {
	a := in.bodies[m.ID]
	if a == nil {
		return in.read(nil, length)
	}
	body := a.m.Parcel.Body
	if m.Offset != int64(a.got) || length > len(body)-a.got {
		return refuse(CloseBadPart, fmt.Errorf("%d bytes at %d of a body of which %d of %d are there", length, m.Offset, a.got, len(body)))
	}
	if err := in.read(body[a.got:a.got+length], length); err != nil {
		return err
	}
	in.link.touch()
	if a.got += length; a.got == len(body) {
		a.m.Total = 0
		in.forget(a)
		in.batch = append(in.batch, a.m)
		in.reserved += len(body)
	}
	return nil
}

// forget takes a body from those that are assembled. Its memory stays reserved.
func (in *inbox) forget(a *assembly) {
	delete(in.bodies, a.m.ID)
	in.link.net.assemblies.Add(-1)
	in.link.net.assemblyBytes.Add(-int64(len(a.m.Parcel.Body)))
}

// read reads n bytes of a body to dst, or throws them away if dst is nil.
func (in *inbox) read(dst []byte, n int) error {
	got := in.reader.body(dst, n)
	if got == n {
		return nil
	}
	in.deliver() // what waits for this body must not wait with it
	limit := time.Now().Add(bodyTime(n))
	for got < n {
		in.extend()
		var k int
		var err error
		if dst == nil {
			if k, err = in.reader.more(); k > 0 {
				in.count(k)
				k = in.reader.body(nil, n-got)
			}
		} else {
			k, err = in.reader.conn.Read(dst[got:])
			in.count(k)
		}
		got += k
		if got < n && err != nil {
			reason, err := in.lost(err)
			return refuse(reason, err)
		}
		if time.Now().After(limit) {
			return refuse(CloseStalled, errors.New("the rest of a body does not come"))
		}
	}
	return nil
}

// deliver hands over the batch.
func (in *inbox) deliver() {
	if len(in.batch) == 0 {
		return
	}
	n := in.link.net
	n.messagesIn.Add(int64(len(in.batch)))
	n.h.Messages(in.link.node, in.batch)
	if in.reserved > 0 {
		n.opt.Unreserve(in.reserved)
		in.reserved = 0
	}
	clear(in.batch)
	in.batch = in.batch[:0]
}

// expire gives up bodies whose parts come too slowly. What comes of them later is skipped.
func (in *inbox) expire() {
	if len(in.bodies) == 0 {
		return
	}
	now := time.Now()
	for _, a := range in.bodies {
		if now.After(a.deadline) {
			in.drop(a)
			in.link.net.drops[DropExpired].Add(1)
		}
	}
}

func (in *inbox) drop(a *assembly) {
	in.forget(a)
	in.link.net.opt.Unreserve(len(a.m.Parcel.Body))
}

// free gives back the memory of bodies that will not be complete.
func (in *inbox) free() {
	for _, a := range in.bodies {
		in.drop(a)
	}
}

// extend moves the deadline of reading, when that is worth the effort.
func (in *inbox) extend() {
	every := in.link.net.opt.PingEvery
	if now := time.Now(); in.deadline.Sub(now) < 5*every/2 {
		in.deadline = now.Add(3 * every)
		_ = in.reader.conn.SetReadDeadline(in.deadline) // fails if it is closed, and then so does the reading
	}
}

func (in *inbox) count(n int) {
	in.link.bytesIn.Add(int64(n))
	in.link.net.bytesIn.Add(int64(n))
}

// lost says why reading has failed.
func (in *inbox) lost(err error) (CloseReason, error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return CloseSilent, nil
	}
	if errors.Is(err, io.EOF) {
		return CloseRemote, nil
	}
	return CloseRemote, err
}
