package link

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/farmstate/farmstate/peer/message"
)

// linger is how long the other side may take to close a link that we have finished.
const linger = 2 * time.Second

// transmit writes what is in the outbox until the link ends. What waits goes with as few writes as may be: one has all that others wait for, and some of
// the bodies. Bodies are copied for that: under TLS they are anyway, and 64 KiB take less time than the system call that two buffers would need.
func (l *link) transmit() (CloseReason, error) {
	ticker := time.NewTicker(l.net.opt.PingEvery)
	defer ticker.Stop()
	var buf []byte
	for {
		select {
		case <-ticker.C:
			l.tick()
			buf = nil
		default:
		}
		buf = buf[:0]
		if l.pingDue.CompareAndSwap(true, false) {
			buf = l.appendPing(buf)
		}
		filled, messages, done := l.out.fill(buf)
		if buf = filled; len(buf) > 0 {
			if err := l.write(buf); err != nil {
				return writeFailed(err)
			}
			l.net.messagesOut.Add(int64(messages))
			continue
		}
		if done {
			return l.sayGoodbye()
		}
		select {
		case <-l.out.wake:
		case <-ticker.C:
			l.tick()
			buf = nil
		case <-l.done:
			return CloseRemote, nil
		}
	}
}

// tick is what a link does from time to time.
func (l *link) tick() {
	l.pingDue.Store(true)
	l.out.trim()
	l.closeIdle()
}

func (l *link) write(b []byte) error {
	// The same patience as for silence: a side that takes nothing for so long does not live.
	if err := l.conn.SetWriteDeadline(time.Now().Add(3 * l.net.opt.PingEvery)); err != nil {
		return err
	}
	n, err := l.conn.Write(b)
	l.bytesOut.Add(int64(n))
	l.net.bytesOut.Add(int64(n))
	return err
}

func writeFailed(err error) (CloseReason, error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return CloseStalled, nil
	}
	return CloseRemote, err
}

func (l *link) appendPing(dst []byte) []byte {
	leaving, free := l.net.opt.State()
	return message.Append(dst, &message.Message{Kind: message.Ping, Addr: l.local, Leaving: leaving, Free: free, Admin: l.adminHere()})
}

// closeIdle ends a delivery link that we have dialled and have no use for any more.
func (l *link) closeIdle() {
	if l.isNeighbour() || !l.dialled || time.Since(time.Unix(0, l.used.Load())) < l.net.opt.IdleDelivery {
		return
	}
	l.finish(CloseIdle)
}

// sayGoodbye closes our direction. What the other side has sent before it closes its own is still read.
func (l *link) sayGoodbye() (CloseReason, error) {
	_ = l.conn.SetWriteDeadline(time.Now().Add(linger))
	closeWrite(l.conn)
	if l.conn != l.raw {
		closeWrite(l.raw)
	}
	return CloseRemote, nil
}

// hearOut waits until the reader has read what the other side has sent, and has seen the end of it: there may be the last word about a session among it, also
// when the other side takes nothing any more.
func (l *link) hearOut() {
	timer := time.NewTimer(linger)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
	}
}

func closeWrite(nc net.Conn) {
	if c, ok := nc.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite() // it may be closed already
	}
}
