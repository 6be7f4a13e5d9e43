package member

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/memberlist"

	"github.com/farmstate/farmstate/peer/message"
)

// What a node says about itself, on the wire:
//
//	version   1 byte, 1
//	flags     1 byte: 1 it hands its sessions over, 2 it ends
//	free      uvarint: free memory in bytes and 1 more; 0 = not known
//	name, peer address, state address, program, admin address   each a byte with the length, and so many bytes
//
// There is one way to write each, and nothing may follow.
const metaVersion = 1

const (
	flagLeaving = 1 << iota
	flagGoing
	allFlags = flagLeaving | flagGoing
)

// Bounds of what a node says about itself.
const (
	MetaMax = memberlist.MetaMaxSize // all of it, in bytes
	maxText = 64                     // of a name or a program
	maxAddr = 160                    // of an address
)

// card is all that a node says about itself.
type card struct {
	Member
	going bool // it is ending
}

// errVersion says that what a node says about itself is in a form that we do not know.
var errVersion = errors.New("it runs a version of farmstate whose gossip this one does not understand")

// encodeMeta writes what a node says about itself. What is for people is cut to fit; an address that does not fit is an error.
func encodeMeta(c *card) (dst []byte, err error) {
	flags := byte(0)
	if c.Leaving {
		flags |= flagLeaving
	}
	if c.going {
		flags |= flagGoing
	}
	dst = append(dst, metaVersion, flags)
	dst = binary.AppendUvarint(dst, uint64(max(c.Free, -1)+1))
	for _, addr := range []string{c.PeerAddr, c.StateAddr, c.AdminAddr} {
		if !goodAddr(addr) {
			return nil, fmt.Errorf("member: the address %q cannot be told to other nodes: it needs a port, and at most %d characters", addr, maxAddr)
		}
	}
	for _, text := range []string{forPeople(c.Name), c.PeerAddr, c.StateAddr, forPeople(c.Program), c.AdminAddr} {
		dst = append(dst, byte(len(text)))
		dst = append(dst, text...)
	}
	if len(dst) > MetaMax { // addresses as long as names may be: what only people look for stays out
		dst = append(dst[:len(dst)-1-len(c.AdminAddr)], 0)
	}
	return dst, nil
}

// parseMeta reads what a node says about itself. Node is left zero.
func parseMeta(b []byte) (c card, err error) {
	if len(b) == 0 {
		return c, errors.New("it says nothing about itself")
	}
	if b[0] != metaVersion {
		return c, errVersion
	}
	bad := errors.New("what it says about itself is malformed")
	if len(b) > MetaMax || len(b) < 2 || b[1]&^allFlags != 0 {
		return card{}, bad
	}
	c.Leaving, c.going = b[1]&flagLeaving != 0, b[1]&flagGoing != 0
	b = b[2:]
	free, n := binary.Uvarint(b)
	if n <= 0 || free > 1<<63-1 || n != len(binary.AppendUvarint(nil, free)) {
		return card{}, bad
	}
	c.Free = int64(free) - 1
	b = b[n:]
	for i, text := range []*string{&c.Name, &c.PeerAddr, &c.StateAddr, &c.Program, &c.AdminAddr} {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return card{}, bad
		}
		end := 1 + int(b[0])
		*text = string(b[1:end])
		b = b[end:]
		if isAddr := i == 1 || i == 2 || i == 4; isAddr && !goodAddr(*text) || !isAddr && forPeople(*text) != *text {
			return card{}, bad
		}
	}
	if len(b) > 0 {
		return card{}, bad
	}
	return c, nil
}

// goodAddr reports whether an address may be told: nothing, or host:port with or without a host.
func goodAddr(addr string) bool {
	if addr == "" {
		return true
	}
	for i := range len(addr) {
		if addr[i] <= ' ' || addr[i] > '~' {
			return false
		}
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil || len(addr) > maxAddr {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == port
}

// forPeople is so much of a text as fits, without what could not be shown on a line.
func forPeople(text string) string {
	out := make([]byte, 0, maxText)
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '?'
		}
		if len(out)+utf8.RuneLen(r) > maxText {
			break
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// parseName reads a node's name in the gossip, of which there is one spelling.
func parseName(name string) (n message.Node, ok bool) {
	if len(name) != hex.EncodedLen(len(n)) {
		return n, false
	}
	_, err := hex.Decode(n[:], []byte(name))
	return n, err == nil && n.String() == name && n != message.Node{}
}
