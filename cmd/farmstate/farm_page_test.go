package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/peer"
	"github.com/farmstate/farmstate/peer/link"
	"github.com/farmstate/farmstate/peer/message"
)

// TestFarmPage: all that is known of a link can be read on the page of the farm.
func TestFarmPage(t *testing.T) {
	page := farmPage(peer.Status{Node: "ab", Links: []link.Status{{
		Node: message.Node{0xab}, Addr: "a:1", Remote: "b:2", Program: "test 1", Purpose: message.Neighbour, Dialled: true, Up: true, Encrypted: true,
		Since: time.Unix(1, 0).UTC(), QueuedMessages: 3, QueuedBytes: 4, BytesIn: 5, BytesOut: 6, Leaving: true, Admin: "c:7",
	}}})
	text, err := json.Marshal(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"node":"ab000000000000000000000000000000"`, `"addr":"a:1"`, `"remote":"b:2"`, `"program":"test 1"`, `"purpose":"neighbour"`, `"dialled":true`, `"up":true`,
		`"encrypted":true`, `"since":"1970-01-01T00:00:01Z"`, `"queued_messages":3`, `"queued_bytes":4`, `"bytes_in":5`, `"bytes_out":6`, `"leaving":true`, `"admin":"c:7"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}
