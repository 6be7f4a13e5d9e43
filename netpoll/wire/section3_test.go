package wire_test

import (
	"testing"

	"github.com/farmstate/farmstate/netpoll/wire"
)

func TestRequestLine(t *testing.T) {
	named := func(v wire.Verb, name string) wire.Request {
		return request(func(r *wire.Request) { r.Verb, r.Target = v, []byte(name) })
	}
	for _, c := range []struct {
		name, in string
		want     wire.Request
	}{
		{"§3.1 the shortest", "GET x HTTP/1.1\r\n\r\n", named(wire.Get, "x")},
		{"§3.2 GET", "GET /x HTTP/1.1\r\n\r\n", named(wire.Get, "/x")},
		{"§3.2 HEAD", "HEAD /x HTTP/1.1\r\n\r\n", named(wire.Head, "/x")},
		{"§3.2 DELETE", "DELETE /x HTTP/1.1\r\n\r\n", named(wire.Delete, "/x")},
		{"§3.3 HTTP/1.0 changes nothing", "GET /x HTTP/1.0\r\n\r\n", named(wire.Get, "/x")},
		{"§3.4 no slash", "GET abc HTTP/1.1\r\n\r\n", named(wire.Get, "abc")},
		{"§3.4 query and fragment", "GET /x?a=b#c HTTP/1.1\r\n\r\n", named(wire.Get, "/x?a=b#c")},
		{"§3.4 dots", "GET /../x/./ HTTP/1.1\r\n\r\n", named(wire.Get, "/../x/./")},
		{"§3.4 an absolute URI", "GET http://h/x HTTP/1.1\r\n\r\n", named(wire.Get, "http://h/x")},
		{"§3.4 the target is not decoded here", "GET //%2f%zz HTTP/1.1\r\n\r\n", named(wire.Get, "//%2f%zz")},
		{"§3.4 a target that looks like a version", "GET HTTP/1.1 HTTP/1.1\r\n\r\n", named(wire.Get, "HTTP/1.1")},
		{"§3.1 bytes from 0x80 up", "GET /\x80\xff\xc3\xa9 HTTP/1.1\r\n\r\n", named(wire.Get, "/\x80\xff\xc3\xa9")},
		{"§3.9 a real target", "GET " + target + " HTTP/1.1\r\n\r\n", named(wire.Get, target)},
	} {
		t.Run(c.name, func(t *testing.T) { accepts(t, c.in, c.want) })
	}
	const end = "\r\n\r\n"
	for _, c := range []struct {
		name, in string
		want     wire.Fault
	}{
		{"§3.1 empty first line", "\r\n", wire.BadRequestLine},
		{"§3.1 blank first line", " \r\n\r\n", wire.BadRequestLine},
		{"§3.1 one word", "hello" + end, wire.BadRequestLine},
		{"§3.1 verb alone", "GET" + end, wire.BadRequestLine},
		{"§3.1 verb and space", "GET " + end, wire.BadRequestLine},
		{"§3.1 empty target", "GET  HTTP/1.1" + end, wire.BadRequestLine},
		{"§3.1 space in front", " GET /x HTTP/1.1" + end, wire.BadRequestLine},
		{"§3.1 space behind", "GET /x HTTP/1.1 " + end, wire.BadRequestLine},
		{"§3.1 two spaces before the target", "GET  /x HTTP/1.1" + end, wire.BadRequestLine},
		{"§3.1 two spaces before the version", "GET /x  HTTP/1.1" + end, wire.BadRequestLine},
		{"§3.1 space in the target", "GET /a b HTTP/1.1" + end, wire.BadRequestLine},
		{"§3.1 TAB in the target", "GET /a\tb HTTP/1.1" + end, wire.BadRequestLine},
		{"§3.1 TAB behind the verb", "GET\t/x HTTP/1.1" + end, wire.BadVerb},
		{"§3.1 TAB before the version", "GET /x\tHTTP/1.1" + end, wire.BadRequestLine},
		{"§3.1 TAB behind the version", "GET /x HTTP/1.1\t" + end, wire.BadRequestLine},
		{"§3.1 TAB only", "\t" + end, wire.BadRequestLine},
		{"§3.2 unknown verb", "POST /x HTTP/1.1" + end, wire.BadVerb},
		{"§3.2 small letters", "get /x HTTP/1.1" + end, wire.BadVerb},
		{"§3.2 mixed letters", "Get /x HTTP/1.1" + end, wire.BadVerb},
		{"§3.2 beginning of a verb", "DEL /x HTTP/1.1" + end, wire.BadVerb},
		{"§3.2 DELE with another end", "DELECT /x HTTP/1.1" + end, wire.BadVerb},
		{"§3.2 longer than a verb", "GETS /x HTTP/1.1" + end, wire.BadVerb},
		{"§3.2 longer than HEAD", "HEADS /x HTTP/1.1" + end, wire.BadVerb},
		{"§3.2 longer than DELETE", "DELETED /x HTTP/1.1" + end, wire.BadVerb},
		{"§3.2 byte above 0x7F", "GET\xa0 /x HTTP/1.1" + end, wire.BadVerb},
		{"§3.2 a header where the request line belongs", "Host: h" + end, wire.BadVerb},
		{"§3.3 no version", "GET /x" + end, wire.BadVersion},
		{"§3.3 verb and version only", "GET HTTP/1.1" + end, wire.BadVersion},
		{"§3.3 HTTP/2.0", "GET /x HTTP/2.0" + end, wire.BadVersion},
		{"§3.3 HTTP/1.2", "GET /x HTTP/1.2" + end, wire.BadVersion},
		{"§3.3 HTTP/1.", "GET /x HTTP/1." + end, wire.BadVersion},
		{"§3.3 HTTP/1.11", "GET /x HTTP/1.11" + end, wire.BadVersion},
		{"§3.3 small letters", "GET /x http/1.1" + end, wire.BadVersion},
		{"§3.3 empty version", "GET /x " + end, wire.BadRequestLine},
		{"§3.1 another protocol", "SSH-2.0-OpenSSH_9.6" + end, wire.BadRequestLine},
	} {
		t.Run(c.name, func(t *testing.T) { refuses(t, c.in, c.want) })
	}
}

// TestTargetHasNoRoom keeps a caller that appends to a target from writing over the input.
func TestTargetHasNoRoom(t *testing.T) {
	in := []byte("GET /x HTTP/1.1\r\n\r\n")
	var r wire.Request
	if n, f := wire.ParseHead(in, 0, &usual, &r); n != len(in) {
		t.Fatal(f)
	}
	if cap(r.Target) != len(r.Target) {
		t.Errorf("the target has room for %d bytes more", cap(r.Target)-len(r.Target))
	}
}
