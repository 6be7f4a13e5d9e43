package legacy

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// readAll reads messages up to the end of a stream.
func readAll(src io.Reader) (all []Message, err error) {
	r := NewReader(src)
	for {
		var m Message
		if err := r.Next(&m); err != nil {
			return all, err
		}
		all = append(all, m)
	}
}

// TestLimits: the original's, to the byte. See docs/peer-protocol.md §8.1.
func TestLimits(t *testing.T) {
	line := func(n int) string {
		return "GET /a HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", n-len("X: \r\n")) + "\r\n\r\n"
	}
	lines := func(n int) string {
		return "GET /a HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: y\r\n", n-3) + "\r\n"
	}
	for name, c := range map[string]struct {
		in  string
		err error
	}{
		"a line of 2048 bytes":     {line(2048), io.EOF},
		"a line of 2049 bytes":     {line(2049), FaultLine},
		"a line without an end":    {strings.Repeat("x", 5000), FaultLine},
		"40 lines":                 {lines(40), io.EOF},
		"41 lines":                 {lines(41), FaultLines},
		"a body of 20971520 bytes": {"PUT /a HTTP/1.1\r\nContent-Length: 20971520\r\n\r\n", io.ErrUnexpectedEOF},
		"a body of 20971521 bytes": {"PUT /a HTTP/1.1\r\nContent-Length: 20971521\r\n\r\n", FaultBody},
		"a length beyond all":      {"PUT /a HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", FaultBody},
		"a negative length":        {"PUT /a HTTP/1.1\r\nContent-Length: -1\r\n\r\n", FaultLength},
		"two lengths that differ":  {"PUT /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", FaultLength},
		"no message":               {"hello\r\n\r\n", FaultMessage},
		"an unknown verb":          {"POST /a HTTP/1.1\r\n\r\n", FaultMessage},
		"an empty line":            {"\r\n\r\n", FaultMessage},
		"TLS":                      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", FaultMessage},
		"a number with a sign":     {"+200 OK\r\n\r\n", FaultMessage},
		"a negative number":        {"-200 OK\r\n\r\n", FaultMessage},
		"the end within a line":    {"GET /a HT", io.ErrUnexpectedEOF},
		"the end behind a line":    {"GET /a HTTP/1.1\r\n", io.ErrUnexpectedEOF},
		"the end within a body":    {"PUT /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nx", io.ErrUnexpectedEOF},
		"line feeds alone":         {"GET /a HTTP/1.1\nHost: h\n\n", io.ErrUnexpectedEOF},
		"nothing":                  {"", io.EOF},
	} {
		if _, err := readAll(strings.NewReader(c.in)); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}

// TestKinds: how messages are told apart, and what makes one malformed. See docs/peer-protocol.md §8.1.
func TestKinds(t *testing.T) {
	const full = "Host: h:1\nX-ID: " + hexID + "\nExclusive: transfer\n"
	for in, want := range map[string]struct {
		kind Kind
		bad  bool
	}{
		"GET \\PING HTTP/1.1\nHost:\n\n":                                                           {KindPing, false},
		"get \\ping HTTP/1.1\nhOST : \n\n":                                                         {KindPing, false},
		"GET \\PING HTTP/1.1\n\n":                                                                  {KindPing, true},
		"GET \\PING HTTP/1.1\nHost: h\nnonsense\n\n":                                               {KindPing, true},
		"GET \\PING HTTP/1.1\nHost: h\n: x\n\n":                                                    {KindPing, true},
		"PUT \\PING HTTP/1.1\nHost: h\n\n":                                                         {KindSession, false},
		"GET \\PING HTTP/1.0\nHost: h\n\n":                                                         {KindSession, false},
		"GET \\AUTH HTTP/1.1\nHost: h\n\n":                                                         {KindAuthBegin, false},
		"GET \\auth HTTP/1.1\nHost: h\nAuthorization: x\n\n":                                       {KindAuthAnswer, false},
		"GET \\PING HTTP/1.1\nHost: h\nExclusive: Release\n\n":                                     {KindSession, false},
		"GET /a HTTP/1.1\nHost: h\nExclusive: acquire\n\n":                                         {KindSession, false},
		"GET /a HTTP/1.1\nHost: h\n\n":                                                             {KindSession, false},
		"HEAD /a HTTP/1.1\nHost: h\nExclusive: transfer\n\n":                                       {KindSession, false},
		"DELETE /a HTTP/1.1\nHost: h\n\n":                                                          {KindSession, false},
		"GET  HTTP/1.1\nHost: h\n\n":                                                               {KindSession, true},
		"GET HTTP/1.1\nHost: h\n\n":                                                                {KindSession, true},
		"GET /a HTTP/1.1\n" + full + "Max-Forwards: 5\n\n":                                         {KindQuery, false},
		"GET /a b HTTP/1.1\n" + full + "Max-Forwards: x\n\n":                                       {KindQuery, false},
		"GET /a HTTP/1.1\n" + full + "\n":                                                          {KindQuery, true},
		"GET /a HTTP/1.1\n" + full + "X-Broadcast-ID: x\nMax-Forwards: 5\n\n":                      {KindQuery, true},
		"GET /a HTTP/1.1\nHost: h\nExclusive: transfer\nMax-Forwards: 5\n\n":                       {KindQuery, true},
		"GET /a HTTP/1.1\nHost:\nX-ID: " + hexID + "\nExclusive: transfer\nMax-Forwards: 5\n\n":    {KindQuery, true},
		"GET /a\x01 HTTP/1.1\n" + full + "Max-Forwards: 5\n\n":                                     {KindQuery, true},
		"PUT /a HTTP/1.1\n" + full + "Last-Modified: 1\n\n":                                        {KindTransfer, false},
		"PUT /a HTTP/1.1\n" + full + "Last-Modified: 0\n\n":                                        {KindTransfer, true},
		"PUT /a HTTP/1.1\n" + full + "Last-Modified: 3155378976000000000\n\n":                      {KindTransfer, true},
		"PUT /a HTTP/1.1\n" + full + "Last-Modified: 1\nLockAge: 1\n\n":                            {KindTransfer, true},
		"PUT /a HTTP/1.1\n" + full + "Last-Modified: 1\nContent-Length: x\n\n":                     {KindTransfer, true},
		"PUT /a HTTP/1.1\n" + full + "Last-Modified: 1\nContent-Length : 0\n\n":                    {KindTransfer, true},
		"PUT /a HTTP/1.1\n" + full + "Last-Modified: 1\nContent-Length: 0\nContent-Length: 0\n\n":  {KindTransfer, true},
		"PUT /a HTTP/1.1\n" + full + "Last-Modified: 1\nContent-Type: application/x-encrypted\n\n": {KindTransfer, true},
		"PUT /a HTTP/1.1\n" + full + "Last-Modified: 1\nX-ID: " + hexID + "\n\n":                   {KindTransfer, true}, // joined with a comma
		"200 OK\nSERVER:\n\n":                                                                      {KindPingReply, false},
		"HTTP/1.1 200 OK\nServer: x\n\n":                                                           {KindPingReply, false},
		"HTTP/1.0 401 " + unauthorised + "\n\n":                                                    {KindResponse, false},
		"200\n\n":                                                                                  {KindResponse, false},
		"999 Whatever\nServer: x\n\n":                                                              {KindResponse, false},
		"412 X\nContent-Length: 1\n\nx":                                                            {KindResponse, true},
		"200 OK\nnonsense\n\n":                                                                     {KindResponse, true},
	} {
		all, err := readAll(strings.NewReader(crlf(in)))
		if len(all) != 1 || !errors.Is(err, io.EOF) || all[0].Kind != want.kind || all[0].Bad != want.bad {
			t.Errorf("%q is read as %+v, %v; want %+v", in, all, err, want)
		}
	}
}

// TestSpellings: values in every form that is understood.
func TestSpellings(t *testing.T) {
	in := crlf("pUt /a HTTP/1.1 HTTP/1.1\nhost:h\nx-id: {00112233-4455-6677-8899-AABBCCDDEEFF}\nEXCLUSIVE: TRANSFER\nTimeout: x\nExtraFlags: 2\n" +
		"lockdate: 638000000000000000\nLockAge:\t-5\t\nLockCookie: x\nLast-Modified: +638000000000000001\n" +
		"Content-Type: Application/X-Encrypted ; a=b; PLAINTEXT-LENGTH = 3\ncontent-length:16\n\n0123456789abcdef")
	all, _ := readAll(iotest.OneByteReader(strings.NewReader(in)))
	id, _ := parseID(hexID)
	want := Message{
		Kind: KindTransfer, Target: "/a HTTP/1.1", Host: "h", ID: id, Locked: true, LockDate: 638000000000000000, LastModified: 638000000000000001,
		Encrypted: true, PlainLength: 3, Length: 16,
	}
	if len(all) != 1 || all[0] != want {
		t.Errorf("read as %+v", all)
	}
	for s, ok := range map[string]bool{
		hexID: true, "00112233-4455-6677-8899-aabbccddeeff": true, "(00112233-4455-6677-8899-aabbccddeeff)": true, "{" + hexID + "}": false,
		"": false, hexID[1:]: false, "g" + hexID[1:]: false, "(00112233-4455-6677-8899-aabbccddeeff}": false, "00112233445566778899-aabbccddeeff--": false,
	} {
		if got, is := parseID(s); is != ok || ok && got != id {
			t.Errorf("%q: %x, %v", s, got, is)
		}
	}
	if all, _ := readAll(strings.NewReader(crlf("PUT /a HTTP/1.1\nHost: h\nX-ID: " + hexID + "\nExclusive: transfer\nLast-Modified: 1\n" +
		"LockDate: 0\nLockAge: 0\nLockCookie: 5\n\n"))); all[0].Bad || all[0].Locked || all[0].Timeout != 20 {
		t.Errorf("a lock of date 0, and no Timeout: %+v", all)
	}
}

// TestCuts: cuts between reads mean nothing.
func TestCuts(t *testing.T) {
	var stream string
	for _, name := range recordings(t)[:4] {
		for _, b := range readRecording(t, name) {
			if b.out && !strings.Contains(b.note, "send") {
				stream += string(b.b)
			}
		}
	}
	want, _ := readAll(strings.NewReader(stream))
	for name, src := range map[string]io.Reader{
		"one byte": iotest.OneByteReader(strings.NewReader(stream)), "halves": iotest.HalfReader(strings.NewReader(stream)),
		"data with its error": iotest.DataErrReader(strings.NewReader(stream)),
	} {
		if got, _ := readAll(src); !slices.Equal(got, want) || len(got) < 30 {
			t.Errorf("%s: %d messages, want %d", name, len(got), len(want))
		}
	}
}

func TestTicks(t *testing.T) {
	at := time.Date(2026, 11, 26, 4, 23, 49, 123456700, time.UTC)
	if got := FromTicks(Ticks(at)); !got.Equal(at) {
		t.Errorf("%v becomes %v", at, got)
	}
	if got := FromTicks(639308106643961610).Format(time.RFC3339Nano); got != "2026-11-20T22:31:04.396161Z" {
		t.Errorf("a recorded lock began at %s", got)
	}
	if Ticks(time.Time{}) != 0 || Ticks(time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC)) != maxTicks {
		t.Error("the ends are wrong")
	}
}

// TestOptions: what is out of range is refused with its name.
func TestOptions(t *testing.T) {
	for want, opt := range map[string]Options{
		"PeerPort":     {PeerPort: 70000},
		"QueryTimeout": {QueryTimeout: -time.Second},
		"MaxConns":     {MaxConns: -1},
		"MachineName":  {MachineName: `a"b`},
		"host:port":    {Peers: []Peer{{Addr: "10.0.0.1"}}},
		"host:port ":   {Peers: []Peer{{Addr: "10.0.0.1:99999"}}},
		"no password":  {Peers: []Peer{{Addr: "10.0.0.1:1", Authenticate: true}}},
		"twice":        {Peers: []Peer{{Addr: "h:1"}, {Addr: "H:1"}}},
	} {
		n, err := New(opt, &replayer{})
		if err == nil {
			n.Close()
		}
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%s: %v", want, err)
		}
	}
	n, err := New(Options{MaxBody: 1 << 30}, &replayer{})
	check(t, err)
	defer n.Close()
	if n.opt.MaxBody != maxBody || n.opt.MachineName == "" || len(n.Peers()) != 0 || n.Query(0, Query{Target: "/a", ID: ID{1}}) {
		t.Errorf("%+v", n.opt)
	}
}
