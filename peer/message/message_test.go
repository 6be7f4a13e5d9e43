package message_test

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/netpoll/wire"
	"github.com/farmstate/farmstate/peer/message"
)

// used returns a message that another head has filled; nothing of it may stay.
func used() message.Message {
	return message.Message{
		Kind: message.Part, ID: query, Key: "used", Node: node, Addr: "used:1", Program: "used", Protocol: 9, Purpose: message.Delivery,
		Leaving: true, Free: 9, Hops: 9, Chase: 9, Direct: true, Urgent: true, Census: true, Look: true, Age: 9, Rank: 9, Wait: 9, Target: "/used", Original: true, Undecided: true, Lost: []message.Node{node}, Seen: []message.Node{node}, Theirs: 9, NoRoom: true,
		Gen: 9, Reason: message.Busy, Query: query, Leave: true, Offset: 9, Total: 9,
		Copies: []message.CopyAt{{Node: node}}, Removed: 9, Holders: []message.Node{node}, Stream: query, Update: 9, Heard: 9, Change: message.Drop, Owner: node,
		Base: node, Tomb: true, Refusals: []message.Refusal{{Update: 9}}, Absent: true, Nodes: []message.Node{node}, Sum: 9,
		Parcel: engine.Parcel{
			Key: "used", Body: []byte("used"), Minutes: 9, Left: 9, Gen: 9, Version: 9, Uninitialized: true, Literal: true, Cookie: 9, Locked: true,
			LockAge: 9, Skip: 9, Reserved: true,
		},
	}
}

// accepts checks that in is a good head of this message, whatever follows, and that every strict prefix is short.
func accepts(t *testing.T, in string, want message.Message) {
	t.Helper()
	length := len(want.Parcel.Body)
	want.Parcel.Body = nil
	for _, behind := range []string{"", "\r\n", "\x00\x00\xff", "\nGET /y HTTP/1.1\r\n\r\n"} {
		m := used()
		n, l, f := message.Parse([]byte(in+behind), &usual, &m)
		if n != len(in) || l != length || f != message.OK {
			t.Fatalf("followed by %q: got %d, %d, %v %s, want %d, %d", behind, n, l, f, f.Where(), len(in), length)
		}
		if !reflect.DeepEqual(m, want) {
			t.Fatalf("followed by %q:\ngot  %+v\nwant %+v", behind, m, want)
		}
	}
	for i := range len(in) {
		m := used()
		if n, l, f := message.Parse([]byte(in[:i]), &usual, &m); n != 0 || l != 0 || f != message.Short {
			t.Fatalf("first %d bytes: got %d, %d, %v, want short", i, n, l, f)
		}
	}
}

// TestGoldens: §3.5 of docs/peer-protocol.md, every kind both ways.
func TestGoldens(t *testing.T) {
	seen := map[message.Kind]bool{}
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			got := message.Append([]byte("dst"), &g.m)
			if string(got) != "dst"+g.head {
				t.Errorf("got\n%q, want\n%q", got, "dst"+g.head)
			}
			if body := g.m.Body(); len(body) != len(g.m.Parcel.Body) {
				t.Errorf("a body of %d bytes, want %d", len(body), len(g.m.Parcel.Body))
			}
			accepts(t, g.head, g.m)
		})
		seen[g.m.Kind] = true
	}
	for k := message.Hello; k.String() != "unknown"; k++ {
		if !seen[k] {
			t.Errorf("no golden for %v", k)
		}
	}
}

// TestEverythingTravels finds fields that have been added to a message or to a session, and are not in the goldens.
func TestEverythingTravels(t *testing.T) {
	inOneOf := func(field string) bool {
		return slices.ContainsFunc(goldens, func(g golden) bool { return !reflect.ValueOf(g.m).FieldByName(field).IsZero() })
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[message.Message]()) {
		if inOneOf(f.Name) == (f.Name == "NoRoom") { // which is for the link to say, not for a peer
			t.Errorf("does %s travel? The goldens and this test differ", f.Name)
		}
	}
	elsewhere := []string{"Key", "Gen", "Reserved"} // in the message itself, and of this node's memory
	parcel := reflect.ValueOf(find("transfer in full").m.Parcel)
	for _, f := range reflect.VisibleFields(parcel.Type()) {
		if parcel.FieldByName(f.Name).IsZero() != slices.Contains(elsewhere, f.Name) {
			t.Errorf("does Parcel.%s travel? The golden and this test differ", f.Name)
		}
	}
}

// TestSpellings: what is read in other forms too, and what is ignored.
func TestSpellings(t *testing.T) {
	ping := message.Message{Kind: message.Ping, Free: -1}
	heldB := find("held").m
	for _, c := range []struct {
		name, head string
		want       message.Message
	}{
		{"§3.2 the ping of an original", lines(`GET \PING HTTP/1.1`, "Host: 127.0.0.1:42101", "Content-Length: 0"),
			message.Message{Kind: message.Ping, Addr: "127.0.0.1:42101", Free: -1}},
		{"§3.2 names in any case", lines(`GET \ping HTTP/1.0`, "host:"), ping},
		{"§3.2 HTTP in front of a status", lines("HTTP/1.1 202 whatever", "X-Assoc-ID: "+moveHex, "X-Generation: 7", "X-Key: "+target), heldB},
		{"§3.2 a status without a phrase", lines("202", "X-Assoc-ID: "+moveHex, "X-Generation: 7", "X-Key: "+target), heldB},
		{"§3.3 header names in any case", lines("202 Accepted", "x-ASSOC-id:"+moveHex, "X-GENERATION: \t7 ", "x-key: "+target+"\t"), heldB},
		{"§3.3 a guid with hyphens", lines("302 Found", "X-Assoc-ID: 0625fc52-7cf9-418b-83ed-9120b8643ccd"), find("found").m},
		{"§3.3 a guid in braces", lines("302 Found", "X-Assoc-ID: {0625FC52-7CF9-418B-83ED-9120B8643CCD}"), find("found").m},
		{"§3.3 unknown headers", lines(`GET \PING HTTP/1.1`, "Host:", "Server: x", "X-New: 1", "X-Pings: nonsense", "X_Free: x",
			strings.Repeat("X", 100)+": y"), ping},
		{"§3.3 headers of other messages", lines(`GET \PING HTTP/1.1`, "Host:", "X-Rank: nonsense", "X-ID: 1", "LockCookie: 0"), ping},
		{"§3.3 the last one stays", lines(`GET \PING HTTP/1.1`, "Host: a:1", "X-Leaving: true", "X-Free: 5", "X-Free: 6", "X-Leaving: FALSE", "Host:"),
			message.Message{Kind: message.Ping, Free: 6}},
		{"§3.3 numbers with sign and zeros", lines(`GET \PING HTTP/1.1`, "Host:", "X-Free: +0000000000000000000000005"),
			message.Message{Kind: message.Ping, Free: 5}},
		{"§3.3 lists without blanks, and with many", with(find("not here in full"), "X-Seen: 01000000000000000000000000000000,"+nodeHex,
			"X-Lost: \t "+nodeHex+" \t"), find("not here in full").m},
		{"§3.4 a key in another spelling", lines("202 Accepted", "X-Assoc-ID: "+moveHex, "X-Generation: 7", "X-Key: "+
			strings.ReplaceAll(strings.ReplaceAll(target, "%2f", "/"), "%3d", "%3D")), heldB},
		{"§3.4 the canonical spelling is none of its own", with(find("query"), "X-Target: "+target), find("query").m},
		{"§3.5 Version is that of a newer one only", with(find("refused: busy"), "X-Version: 4", "X-Newer-Generation: 4"), find("refused: busy").m},
		{"§3.8 headers that another change has", with(find("copy of nothing"), "X-Owner: "+nodeHex, "X-Key: k", "X-Base: "+nodeHex, "X-Generation: 1",
			"X-Version: 1", "Timeout: 0", "X-Left: 1", "LockCookie: 1", "X-Locked: true", "X-Tomb: true", "X-ID: "+moveHex, "X-Length: 1"), find("copy of nothing").m},
		{"§3.8 a tomb of what lives", with(find("copy of a state"), "X-Tomb: true", "X-ID: "+moveHex, "X-Absent: true"), find("copy of a state").m},
		{"§3.8 a base of content", with(find("copy of content"), "X-Base: "+nodeHex), find("copy of content").m},
		{"§3.8 a session that is dropped", with(find("drop of a copy"), "X-Version: 7", "X-Locked: true", "X-Skip: 2"), find("drop of a copy").m},
		{"§3.8 words in any case", with(find("drop of a copy"), "X-Change: DROP"), find("drop of a copy").m},
		{"§3.8 an absence with a session", with(find("ceded: absent"), "X-Owner: "+nodeHex, "X-Generation: 1", "X-Left: 1", "X-Length: 4"), find("ceded: absent").m},
		{"§3.8 no absence", with(find("ceded"), "X-Absent: false"), find("ceded").m},
		{"§3.8 lists with more blanks and fewer", with(find("copied in full"), "X-Refusals: \t1  NEWER\t4294967295 4294967295,1152921504606846976 lacking , 3 no-room"),
			find("copied in full").m},
		{"§3.8 copies with more blanks and fewer", with(find("not here, but copies"), "X-Copies: "+nodeHex+"  01000000000000000000000000000000 1 2 3,"+
			"01000000000000000000000000000000\t"+nodeHex+" 4294967295 4294967295 2147483646 LOCKED Ended  [::1]:7 "), find("not here, but copies").m},
		{"§3.5 an age without a lock", with(find("transfer"), "X-Lock-Age: 5", "LockAge: 0", "X-Skip: 1"), find("transfer").m},
	} {
		t.Run(c.name, func(t *testing.T) { accepts(t, c.head, c.want) })
	}
}

// with returns the head of a golden with further lines at its end.
func with(g golden, more ...string) string {
	return strings.TrimSuffix(g.head, "\r\n") + lines(more...)
}

// without returns the head of a golden without the header that has this name.
func without(t *testing.T, g golden, name string) string {
	t.Helper()
	from := strings.Index(g.head, "\r\n"+name+": ")
	if from < 0 {
		t.Fatalf("%s has no %s", g.name, name)
	}
	end := from + 2 + strings.Index(g.head[from+2:], "\r\n")
	return g.head[:from] + g.head[end:]
}

func refuses(t *testing.T, in, fault, where string) {
	t.Helper()
	for _, behind := range []string{"", "\x00", "\n"} {
		m := used()
		n, l, f := message.Parse([]byte(in+behind), &usual, &m)
		if n != 0 || l != 0 || f.String() != fault || f.Where() != where {
			t.Fatalf("%.300q followed by %q: got %d, %d, %v %q, want %s %q", in, behind, n, l, f, f.Where(), fault, where)
		}
	}
}

// TestMissing: §3.5 of docs/peer-protocol.md, a message without what it must have.
func TestMissing(t *testing.T) {
	for _, c := range []struct {
		golden string
		needs  string
	}{
		{"hello", "Host X-Node X-Protocol X-Purpose"},
		{"ping", "Host"},
		{"query", "Host X-Node X-ID Exclusive Max-Forwards X-Rank X-Wait"},
		{"not here", "X-Assoc-ID"},
		{"found", "X-Assoc-ID"},
		{"transfer", "Host X-Node X-ID X-Generation X-Version Exclusive Timeout X-Left LockCookie Content-Length"},
		{"transfer in full", "X-Lock-Age"},
		{"held", "X-Assoc-ID X-Generation X-Key"},
		{"refused: newer", "X-Assoc-ID X-Reason X-Generation X-Newer-Generation X-Version X-Key"},
		{"refused: busy", "X-Assoc-ID X-Reason X-Generation X-Key"},
		{"commit", "X-Assoc-ID X-Generation X-Key"},
		{"abort", "X-Assoc-ID X-Generation X-Key"},
		{"part", "X-ID X-Offset Content-Length"},
		{"copy of content", "X-Stream X-Update X-Change X-Key X-Generation X-Version Timeout X-Left LockCookie Content-Length"},
		{"copy of content in full", "X-Lock-Age X-ID"},
		{"copy of a state", "X-Stream X-Update X-Change X-Key X-Generation X-Version Timeout X-Left LockCookie X-Lock-Age"},
		{"drop of a copy", "X-Stream X-Update X-Change X-Key X-Generation"},
		{"touch", "X-Stream X-Update X-Change Content-Length"},
		{"touch in parts", "X-ID"},
		{"copy of nothing", "X-Stream X-Update X-Change"},
		{"taken", "X-Stream X-Update X-Change Content-Length"},
		{"copied", "X-Stream X-Update"},
		{"claim", "Host X-Node X-ID X-Key"},
		{"ceded", "X-Assoc-ID X-Key X-Generation X-Version Timeout X-Left LockCookie Content-Length"},
		{"ceded in full", "X-Lock-Age"},
		{"ceded: absent", "X-Assoc-ID X-Key"},
		{"shelved", "Content-Length"},
		{"shelved in parts", "X-ID"},
	} {
		for name := range strings.FieldsSeq(c.needs) {
			refuses(t, without(t, find(c.golden), name), "missing_header", name)
		}
	}
	for _, c := range []struct{ golden, optional string }{
		{"copy of content in full", "X-Heard X-Owner ExtraFlags X-Locked X-Skip X-Literal X-Length"},
		{"copy of a state in full", "X-Owner X-Base ExtraFlags X-Locked X-Skip X-Literal"},
		{"drop of a copy in full", "X-Heard X-Owner X-Tomb"},
		{"copied in full", "X-Refusals"},
		{"ceded in full", "X-Owner X-Length"},
		{"shelved in parts", "X-Length"},
		{"not here, but copies", "X-Copies X-Removed"},
	} {
		for name := range strings.FieldsSeq(c.optional) {
			var m message.Message
			if _, _, f := message.Parse([]byte(without(t, find(c.golden), name)), &usual, &m); f != message.OK {
				t.Errorf("%s without %s: %v %s", c.golden, name, f, f.Where())
			}
		}
	}
	for _, name := range []string{"X-Query", "ExtraFlags", "X-Locked", "LockAge", "X-Skip", "X-Shutdown", "X-Literal", "X-Holders", "X-Target", "X-Length"} {
		var m message.Message
		if _, _, f := message.Parse([]byte(without(t, find("transfer in full"), name)), &usual, &m); f != message.OK {
			t.Errorf("without %s: %v %s", name, f, f.Where())
		}
	}
}

// TestRanges: §3.3 of docs/peer-protocol.md, both ends of every number, and one beyond them.
func TestRanges(t *testing.T) {
	for _, c := range []struct {
		golden, name string
		bad, good    string
	}{
		{"hello", "X-Protocol", "0 4294967296 -1", "1 4294967295"},
		{"ping in full", "X-Free", "-1 1152921504606846977 99999999999999999999", "0 1152921504606846976"},
		{"query", "Max-Forwards", "-1 256", "0 255"},
		{"query", "X-Rank", "-1 4294967296", "0 4294967295"},
		{"query", "X-Wait", "-1 60001 0.5", "0 60000"},
		{"query in full", "X-Chase", "-1 256", "0 255"},
		{"transfer", "X-Generation", "-1 4294967296", "0 4294967295"},
		{"transfer", "X-Version", "-1 4294967296", "0 4294967295"},
		{"transfer", "Timeout", "-1 525601 18 0 x", "19 525600"},
		{"transfer", "ExtraFlags", "-1 2", "0 1"},
		{"transfer", "X-Left", "-1 1200001", "0 1200000"},
		{"transfer", "LockCookie", "0 -1 2147483647", "1 2147483646"},
		{"transfer in full", "LockAge", "-1 3153600001", "0 3153600000"},
		{"transfer in full", "X-Lock-Age", "-1 3153600000001", "0 3153600000000"},
		{"transfer in full", "X-Skip", "-1 65536", "0 65535"},
		{"transfer in full", "X-Length", "0 65535 65536", "65537 67108864"},
		{"refused: newer", "X-Newer-Generation", "-1 4294967296", "0 4294967295"},
		{"held", "X-Generation", "-1 4294967296 1e3 0x1", "0 4294967295"},
		{"part", "X-Offset", "-1 0", "1 67104768"},
		{"copy of nothing", "X-Update", "-1 0 1152921504606846977 99999999999999999999", "1 1152921504606846976"},
		{"copied", "X-Update", "-1 1152921504606846977", "0 1152921504606846976"},
		{"copy of nothing", "X-Heard", "-1 1152921504606846977", "0 1152921504606846976"},
		{"not here", "X-Removed", "-1 4294967296", "0 4294967295"},
		{"copy of a state", "X-Left", "-1 1200001", "0 1200000"},
		{"copy of content", "LockCookie", "0 2147483647", "1 2147483646"},
		{"ceded", "X-Left", "-1 1200001", "0 1200000"},
		{"touch in parts", "X-Length", "0 4", "5 67108864"},
	} {
		for v := range strings.FieldsSeq(c.bad) {
			where := c.name
			if c.name == "Timeout" && len(v) < 3 && v[0] != '-' && v != "x" {
				where = "X-Left" // there is more left of its life than it has
			}
			refuses(t, with(find(c.golden), c.name+": "+v), "bad_number", where)
		}
		for v := range strings.FieldsSeq(c.good) {
			var m message.Message
			if _, _, f := message.Parse([]byte(with(find(c.golden), c.name+": "+v)), &usual, &m); f != message.OK {
				t.Errorf("%s: %s: %s: %v %s", c.golden, c.name, v, f, f.Where())
			}
		}
	}
}

// TestFaults: §3.7 of docs/peer-protocol.md.
func TestFaults(t *testing.T) {
	long := strings.Repeat("a", message.MaxKey)
	for _, c := range []struct{ name, head, fault, where string }{
		{"LF alone", "404 Not Found\n\n", "bad_byte", ""},
		{"a control character", "404 Not Found\r\nX: \x00", "bad_byte", ""},
		{"CR alone", `GET \PING` + "\rH", "bad_byte", ""},
		{"no end", strings.Repeat("a", message.MaxHead+1), "header_too_large", ""},
		{"an empty first line", "\r\n", "bad_start_line", ""},
		{"one word", lines("hello"), "bad_start_line", ""},
		{"no target", lines("GET  HTTP/1.1"), "bad_start_line", ""},
		{"a blank in a target", lines("GET /a b HTTP/1.1"), "bad_start_line", ""},
		{"no version", lines("GET /a"), "bad_version", ""},
		{"another version", lines("GET /a HTTP/2.0"), "bad_version", ""},
		{"no colon", lines(`GET \PING HTTP/1.1`, "nonsense"), "bad_header", ""},
		{"a folded line", lines(`GET \PING HTTP/1.1`, "Host:", " a:1"), "bad_header", ""},
		{"a blank before the colon", lines(`GET \PING HTTP/1.1`, "Host : "), "bad_header", ""},
		{"another verb", lines("POST /a HTTP/1.1"), "unknown_message", ""},
		{"a verb of the state port", lines("DELETE /a HTTP/1.1"), "unknown_message", ""},
		{"a verb in small letters", lines("get /a HTTP/1.1"), "unknown_message", ""},
		{"the log-in of an original", lines(`GET \AUTH HTTP/1.1`, "Host:"), "unknown_message", ""},
		{"a name with another verb", lines(`PUT \PING HTTP/1.1`, "Host:"), "unknown_message", ""},
		{"a part that is asked for", lines(`GET \PART HTTP/1.1`, "Host:"), "unknown_message", ""},
		{"another status", lines("423 Locked"), "unknown_message", ""},
		{"a status with a sign", lines("+200 OK"), "unknown_message", ""},
		{"the answer of an original to a ping", lines("200 OK", "Server: State Service Peer", "Content-Length: 0"), "missing_header", "X-Assoc-ID"},
		{"an acquire", with(find("query"), "Exclusive: acquire"), "bad_word", "Exclusive"},
		{"another purpose", with(find("hello"), "X-Purpose: spying"), "bad_word", "X-Purpose"},
		{"no purpose", with(find("hello"), "X-Purpose:"), "bad_word", "X-Purpose"},
		{"another reason", with(find("refused: busy"), "X-Reason: unknown"), "bad_word", "X-Reason"},
		{"no flag", with(find("query"), "X-Direct: 1"), "bad_flag", "X-Direct"},
		{"an empty flag", with(find("transfer"), "X-Locked:"), "bad_flag", "X-Locked"},
		{"a short id", with(find("found"), "X-Assoc-ID: "+queryHex[1:]), "bad_id", "X-Assoc-ID"},
		{"an id of zeros", with(find("query"), "X-ID: "+strings.Repeat("0", 32)), "bad_id", "X-ID"},
		{"a node of zeros", with(find("query"), "X-Node: "+strings.Repeat("0", 32)), "bad_id", "X-Node"},
		{"a query of zeros", with(find("transfer"), "X-Query: "+strings.Repeat("0", 32)), "bad_id", "X-Query"},
		{"a digit that is none", with(find("hello"), "X-Node: g"+nodeHex[1:]), "bad_id", "X-Node"},
		{"a list of none", with(find("not here"), "X-Lost:"), "bad_id", "X-Lost"},
		{"a list that does not end", with(find("not here"), "X-Seen: "+nodeHex+","), "bad_id", "X-Seen"},
		{"a list of too many", with(find("not here"), "X-Seen: "+nodeHex+strings.Repeat(","+nodeHex, message.MaxNodes)), "bad_text", "X-Seen"},
		{"no key", with(find("held"), "X-Key:"), "bad_key", "X-Key"},
		{"blanks in a key", with(find("held"), "X-Key: a b"), "bad_key", "X-Key"},
		{"a key that is too long", with(find("held"), "X-Key: a"+long), "bad_key", "X-Key"},
		{"a target that is too long", lines("GET /" + long + " HTTP/1.1"), "bad_key", ""},
		{"a spelling that is too long", with(find("query"), "X-Target: "+strings.Repeat("a", message.MaxTarget+1)), "bad_key", "X-Target"},
		{"a spelling with blanks", with(find("query"), "X-Target: a\tb"), "bad_key", "X-Target"},
		{"a long program", with(find("hello"), "X-Program: "+strings.Repeat("a", message.MaxProgram+1)), "bad_text", "X-Program"},
		{"a program that is no text", with(find("hello"), "X-Program: \xff"), "bad_text", "X-Program"},
		{"no change", with(find("copy of nothing"), "X-Change:"), "bad_word", "X-Change"},
		{"another change", with(find("copy of nothing"), "X-Change: unknown"), "bad_word", "X-Change"},
		{"a stream of zeros", with(find("copied"), "X-Stream: "+strings.Repeat("0", 32)), "bad_id", "X-Stream"},
		{"an owner of zeros", with(find("copy of a state"), "X-Owner: "+strings.Repeat("0", 32)), "bad_id", "X-Owner"},
		{"a base that is none", with(find("copy of a state"), "X-Base: x"), "bad_id", "X-Base"},
		{"no tomb", with(find("drop of a copy"), "X-Tomb: 1"), "bad_flag", "X-Tomb"},
		{"content of nothing", with(find("copy of nothing"), "X-Change: content", "Content-Length: 1"), "missing_header", "Timeout"},
		{"a copy that is asked for", lines(`GET \COPY HTTP/1.1`, "X-Stream: "+queryHex), "unknown_message", ""},
		{"a claim that is put", lines(`PUT \CLAIM HTTP/1.1`, "X-Key: k"), "unknown_message", ""},
		{"content without content", with(find("copy of content"), "Content-Length: 0"), "missing_body", ""},
		{"a touch of none", with(find("touch"), "Content-Length: 0"), "missing_body", ""},
		{"nothing taken", with(find("taken"), "Content-Length: 0"), "missing_body", ""},
		{"a shelf of none", with(find("shelved"), "Content-Length: 0"), "missing_body", ""},
		{"a ceded one without content", with(find("ceded"), "Content-Length: 0"), "missing_body", ""},
		{"a state with content", with(find("copy of a state"), "Content-Length: 1"), "unwanted_body", ""},
		{"a drop with content", with(find("drop of a copy"), "Content-Length: 1"), "unwanted_body", ""},
		{"nothing with content", with(find("copy of nothing"), "Content-Length: 1"), "unwanted_body", ""},
		{"an absence with content", with(find("ceded: absent"), "Content-Length: 1"), "unwanted_body", ""},
		{"a claim with content", with(find("claim"), "Content-Length: 1"), "unwanted_body", ""},
		{"an acknowledgement with content", with(find("copied"), "Content-Length: 1"), "unwanted_body", ""},
		{"large content", with(find("copy of content"), "Content-Length: 67108865"), "body_too_large", ""},
		{"a large list in parts", with(find("shelved in parts"), "X-Length: 67108865"), "body_too_large", ""},
		{"holders that are none", with(find("transfer"), "X-Holders: "+nodeHex+" "+nodeHex), "bad_id", "X-Holders"},
		{"no refusals", with(find("copied"), "X-Refusals:"), "bad_number", "X-Refusals"},
		{"a refusal of update 0", with(find("copied"), "X-Refusals: 0 busy"), "bad_number", "X-Refusals"},
		{"a refusal without a reason", with(find("copied"), "X-Refusals: 1"), "bad_word", "X-Refusals"},
		{"a refusal for another reason", with(find("copied"), "X-Refusals: 1 unknown"), "bad_word", "X-Refusals"},
		{"a newer one without its version", with(find("copied"), "X-Refusals: 1 newer 2"), "bad_number", "X-Refusals"},
		{"a newer one of another range", with(find("copied"), "X-Refusals: 1 newer 2 4294967296"), "bad_number", "X-Refusals"},
		{"a refusal with more", with(find("copied"), "X-Refusals: 1 busy 2"), "bad_text", "X-Refusals"},
		{"refusals without an end", with(find("copied"), "X-Refusals: 1 busy,"), "bad_number", "X-Refusals"},
		{"too many refusals", with(find("copied"), "X-Refusals: 1 busy"+strings.Repeat(",1 busy", message.MaxRefusals)), "bad_text", "X-Refusals"},
		{"no copies", with(find("not here"), "X-Copies:"), "bad_id", "X-Copies"},
		{"a copy of nobody", with(find("not here"), "X-Copies: "+nodeHex+" 1 2 3"), "bad_id", "X-Copies"},
		{"a copy without a stamp", with(find("not here"), "X-Copies: "+nodeHex+" "+nodeHex+" 1 2"), "bad_number", "X-Copies"},
		{"a copy with cookie 0", with(find("not here"), "X-Copies: "+nodeHex+" "+nodeHex+" 1 2 0"), "bad_number", "X-Copies"},
		{"a copy with another word", with(find("not here"), "X-Copies: "+nodeHex+" "+nodeHex+" 1 2 3 open"), "bad_addr", "X-Copies"},
		{"a copy whose words are in another order", with(find("not here"), "X-Copies: "+nodeHex+" "+nodeHex+" 1 2 3 ended locked"), "bad_addr", "X-Copies"},
		{"a copy with more", with(find("not here"), "X-Copies: "+nodeHex+" "+nodeHex+" 1 2 3 a:1 b:2"), "bad_text", "X-Copies"},
		{"too many copies", with(find("not here"), "X-Copies: "+strings.Repeat(nodeHex+" "+nodeHex+" 1 2 3,", message.MaxCopies)+"x"), "bad_text", "X-Copies"},
		{"chunks", with(find("transfer"), "Transfer-Encoding: chunked"), "chunked", "Transfer-Encoding"},
		{"a session without content", with(find("transfer"), "Content-Length: 0"), "missing_body", ""},
		{"a part without content", with(find("part"), "Content-Length: 0"), "missing_body", ""},
		{"a query with a body", with(find("query"), "Content-Length: 1"), "unwanted_body", ""},
		{"an answer with a body", with(find("refused: newer"), "Content-Length: 1"), "unwanted_body", ""},
		{"a large session", with(find("transfer"), "Content-Length: 67108865"), "body_too_large", ""},
		{"a large session in parts", with(find("transfer"), "X-Length: 67108865"), "body_too_large", ""},
		{"a part behind the end", with(find("part"), "X-Offset: 67104769"), "body_too_large", ""},
		{"a part far behind the end", with(find("part"), "X-Offset: 1152921504606846976"), "body_too_large", ""},
		{"a length below zero", with(find("part"), "Content-Length: -1"), "bad_number", "Content-Length"},
		{"a length beyond all", with(find("part"), "Content-Length: 99999999999999999999"), "bad_number", "Content-Length"},
	} {
		t.Run(c.name, func(t *testing.T) { refuses(t, c.head, c.fault, c.where) })
	}
}

// TestAddr: §3.3 of docs/peer-protocol.md, the values of Host.
func TestAddr(t *testing.T) {
	for _, good := range []string{
		"", "a:1", "10.0.0.2:42425", "web-1.example:65535", "a_b:80", "[::1]:1", "[fe80::1%eth0]:42425", strings.Repeat("a", 255) + ":65535",
	} {
		var m message.Message
		if _, _, f := message.Parse([]byte(lines(`GET \PING HTTP/1.1`, "Host: "+good)), &usual, &m); f != message.OK || m.Addr != good {
			t.Errorf("%q: %v, %q", good, f, m.Addr)
		}
	}
	for _, bad := range []string{
		"a", ":1", "a:", "a:0", "a:65536", "a:99999", "a:+80", "a:-1", "a:000080", "::1:1", "[]:1", "[::1:1", "::1]:1", "[::1]", "a b:1", "a/b:1", "a@b:1",
		"\xc3\xa9:1", strings.Repeat("a", 256) + ":65535", "a%b:1",
	} {
		refuses(t, lines(`GET \PING HTTP/1.1`, "Host: "+bad), "bad_addr", "Host")
	}
}

// TestTimes: §3.3 of docs/peer-protocol.md, what the milliseconds on the wire make of nanoseconds.
func TestTimes(t *testing.T) {
	for _, c := range []struct {
		left, wantLeft, age, wantAge int64
		wait, wantWait               time.Duration
	}{
		{0, 0, 0, 0, 0, 0},
		{1, 1e6, 1, 0, 1, 0},
		{1e6, 1e6, 999_999, 0, 1e6, 1e6},
		{int64(20*time.Minute) - 1, int64(20 * time.Minute), 1_999_999, 1e6, time.Minute, time.Minute},
		{int64(20*time.Minute) + 1, int64(20 * time.Minute), -1, 0, time.Hour, time.Minute},
		{-1, 0, math.MaxInt64, int64(100 * 365 * 24 * time.Hour), -1, 0},
	} {
		m := find("transfer").m
		m.Parcel.Left, m.Parcel.Locked, m.Parcel.LockAge = c.left, true, c.age
		var back message.Message
		if _, _, f := message.Parse(message.Append(nil, &m), &usual, &back); f != message.OK {
			t.Fatal(f, f.Where())
		}
		if back.Parcel.Left != c.wantLeft || back.Parcel.LockAge != c.wantAge {
			t.Errorf("%d of life and %d of lock became %d and %d", c.left, c.age, back.Parcel.Left, back.Parcel.LockAge)
		}
		m = find("query").m
		m.Wait = c.wait
		if _, _, f := message.Parse(message.Append(nil, &m), &usual, &back); f != message.OK || back.Wait != c.wantWait {
			t.Errorf("a wait of %v became %v, %v", c.wait, back.Wait, f)
		}
	}
}

// TestPieces: §3.6 of docs/peer-protocol.md, a body that travels in parts.
func TestPieces(t *testing.T) {
	for _, name := range []string{"transfer", "copy of content", "touch", "taken", "ceded", "shelved"} {
		whole := find(name).m
		whole.ID = move
		whole.Parcel.Body = make([]byte, 1000)
		for i := range whole.Parcel.Body {
			whole.Parcel.Body[i] = byte(i)
		}
		t.Run(name, func(t *testing.T) { inPieces(t, &whole) })
	}
}

func inPieces(t *testing.T, whole *message.Message) {
	for _, size := range []int{1, 7, 999, 1000, 4096} {
		var stream []byte
		for at := 0; at < 1000; at += size {
			n := min(size, 1000-at)
			stream = message.AppendPiece(stream, whole, int64(at), int64(n))
			stream = append(stream, whole.Body()[at:at+n]...)
		}
		var got []byte
		for len(stream) > 0 {
			var m message.Message
			n, l, f := message.Parse(stream, &usual, &m)
			if f != message.OK {
				t.Fatal(f, f.Where())
			}
			switch {
			case got == nil:
				want := *whole
				if want.Parcel.Body = nil; size < 1000 {
					want.Total = 1000
				}
				if !reflect.DeepEqual(m, want) {
					t.Fatalf("got %+v, want %+v", m, want)
				}
			case m.Kind != message.Part || m.ID != whole.ID || m.Offset != int64(len(got)):
				t.Fatalf("%d bytes read, then %+v", len(got), m)
			}
			got = append(got, stream[n:n+l]...)
			stream = stream[n+l:]
		}
		if !bytes.Equal(got, whole.Parcel.Body) {
			t.Errorf("parts of %d bytes make another body", size)
		}
	}
}

// TestLargest: everything that Append makes within the bounds of §3.3 fits into MaxHead.
func TestLargest(t *testing.T) {
	for _, name := range []string{"query in full", "transfer in full"} {
		m := find(name).m
		m.Key = strings.Repeat("/", message.MaxKey)
		if m.Kind == message.Transfer {
			m.Holders = slices.Repeat([]message.Node{node}, message.MaxNodes)
		}
		m.Target = strings.Repeat("/", message.MaxTarget)
		m.Addr = strings.Repeat("a", message.MaxAddr-6) + ":65535"
		head := message.Append(nil, &m)
		if len(head) > message.MaxHead {
			t.Errorf("%s: %d bytes", name, len(head))
		}
		accepts16(t, head, m)
		m.Target += "/"
		var back message.Message
		if _, _, f := message.Parse(message.Append(nil, &m), &usual, &back); f != message.OK || back.Target != "" {
			t.Errorf("%s: a target that is too long was sent: %v", name, f)
		}
	}
}

// TestLargestLists: nor do lists that are as long as may be make a head too large.
func TestLargestLists(t *testing.T) {
	nodes := slices.Repeat([]message.Node{node}, message.MaxNodes)
	addr := strings.Repeat("a", message.MaxAddr-6) + ":65535"
	most := message.CopyAt{Node: node, Owner: node, Addr: addr, Gen: math.MaxUint32, Version: math.MaxUint32, Cookie: math.MaxInt32 - 1, Locked: true, Ended: true}
	refusal := message.Refusal{Update: 1 << 60, Reason: message.Newer, Gen: math.MaxUint32, Version: math.MaxUint32}
	for _, m := range []message.Message{
		{Kind: message.NotHere, ID: query, Lost: nodes, Seen: nodes, Copies: slices.Repeat([]message.CopyAt{most}, message.MaxCopies), Removed: math.MaxUint32},
		{Kind: message.Copied, Stream: query, Update: 1 << 60, Refusals: slices.Repeat([]message.Refusal{refusal}, message.MaxRefusals)},
	} {
		head := message.Append(nil, &m)
		if len(head) > message.MaxHead {
			t.Errorf("%v: %d bytes", m.Kind, len(head))
		}
		accepts16(t, head, m)
	}
}

// accepts16 is accepts for long heads: without the prefixes.
func accepts16(t *testing.T, head []byte, want message.Message) {
	t.Helper()
	want.Parcel.Body = nil
	m := used()
	if n, _, f := message.Parse(head, &usual, &m); n != len(head) || f != message.OK || !reflect.DeepEqual(m, want) {
		t.Errorf("%d of %d, %v %s", n, len(head), f, f.Where())
	}
}

// TestAppendTarget: §3.4 of docs/peer-protocol.md.
func TestAppendTarget(t *testing.T) {
	var every []byte
	for c := range 256 {
		every = append(every, byte(c))
	}
	for _, k := range []string{"", "/", "//a", "a b+c%20d", "%u00e9", "-_.!*()~'", "\\PING", "ROOT/é\xff\x00", string(every), key} {
		spelt := message.AppendTarget([]byte("dst"), k)
		if back := wire.AppendKey(nil, spelt[3:]); string(back) != k {
			t.Errorf("%q is spelt %q, which is %q", k, spelt[3:], back)
		}
	}
	for _, real := range []string{target, "%2fLM%2fW3SVC%2f2%2fROOT%2fshop%2f0", "4d2f1a7c(a%3d)%2fx", "%2fa+b%c3%a9~"[:12]} {
		if got := message.AppendTarget(nil, string(wire.AppendKey(nil, []byte(real)))); string(got) != real {
			t.Errorf("%q became %q", real, got)
		}
	}
}

// TestIDs: §3.3 of docs/peer-protocol.md, the forms of an id.
func TestIDs(t *testing.T) {
	if got := query.String(); got != queryHex {
		t.Errorf("got %s", got)
	}
	if got := node.String(); got != nodeHex {
		t.Errorf("got %s", got)
	}
	const hyphens = "0625fc52-7cf9-418b-83ed-9120b8643ccd"
	for _, text := range []string{queryHex, strings.ToUpper(queryHex), hyphens, strings.ToUpper(hyphens), "{" + hyphens + "}", "(" + hyphens + ")"} {
		if id, ok := message.ParseID(text); !ok || id != query {
			t.Errorf("%q: %v, %v", text, id, ok)
		}
		if n, ok := message.ParseNode(text); !ok || n != message.Node(query) {
			t.Errorf("%q: %v, %v", text, n, ok)
		}
	}
	for _, text := range []string{
		"", queryHex[1:], queryHex + "0", "g" + queryHex[1:], "{" + queryHex + "}", "{" + hyphens + ")", "[" + hyphens + "]", hyphens + "--",
		"06-25fc527cf9-418b-83ed-9120b8643ccd", " " + queryHex + " ", "----" + queryHex,
	} {
		if id, ok := message.ParseID(text); ok {
			t.Errorf("%q: %v", text, id)
		}
	}
}

// TestNames: names are a contract with dashboards.
func TestNames(t *testing.T) {
	var names []string
	for k := range message.Shelved + 2 {
		names = append(names, k.String())
	}
	for r := range message.Lacking + 2 {
		names = append(names, r.String())
	}
	for c := range message.Buried + 2 {
		names = append(names, c.String())
	}
	for p := range message.Delivery + 2 {
		names = append(names, p.String())
	}
	const want = "unknown hello ping query not_here found transfer held refused commit abort around part copy copied claim " +
		"ceded shelved unknown unknown newer busy no-room leaving lacking unknown unknown content state drop touch nothing taken buried unknown unknown neighbour delivery unknown"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	seen := map[string]bool{}
	for f := message.OK; f.String() != "unknown"; f++ {
		if seen[f.String()] || f.String() == "" || f.Where() != "" {
			t.Errorf("fault %d: %q, %q", f, f, f.Where())
		}
		seen[f.String()] = true
	}
	if f := message.Fault(math.MaxUint16); f.String() != "unknown" || f.Where() != "" {
		t.Errorf("%v, %q", f, f.Where())
	}
}

func TestNoKind(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a message without a kind was written")
		}
	}()
	message.Append(nil, &message.Message{})
}

func TestNoChange(t *testing.T) {
	for _, c := range []message.Change{0, message.Buried + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a copy with change %d was written", c)
				}
			}()
			message.Append(nil, &message.Message{Kind: message.Copy, Change: c})
		}()
	}
}
