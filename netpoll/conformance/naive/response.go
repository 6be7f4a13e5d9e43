package naive

import (
	"fmt"
	"strings"
	"time"
)

// response makes the bytes of an answer. See docs/protocol.md §5.1.
func response(status string, headers []string, body []byte) []byte {
	lines := append([]string{status, "X-AspNet-Version: 4.0.30319"}, headers...)
	lines = append(lines, "Cache-Control: private", fmt.Sprint("Content-Length: ", len(body)))
	return append([]byte(strings.Join(lines, "\r\n")+"\r\n\r\n"), body...)
}

// refusal tells who holds the lock. See docs/protocol.md §5.5 and §7.9.
func (it *item) refusal() []byte {
	_, offset := it.since.Zone()
	const (
		ticksPerSecond = 10_000_000
		secondsToUnix  = 62_135_596_800
	)
	date := (it.since.Unix()+int64(offset)+secondsToUnix)*ticksPerSecond + int64(it.since.Nanosecond()/100)
	return response("423 Locked", []string{
		fmt.Sprint("LockDate: ", date),
		fmt.Sprint("LockAge: ", int64(time.Since(it.since)/time.Second)),
		fmt.Sprint("LockCookie: ", it.counter),
	}, nil)
}
