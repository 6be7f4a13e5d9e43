package main

import (
	"strings"
	"testing"
)

// TestNegativeValue: a number below 0 is a value, and a value that is missing is said to be; both with what is accepted.
func TestNegativeValue(t *testing.T) {
	for _, v := range []struct{ args, want string }{
		{"--copies -1", `--copies: "-1" is below 0; accepted: a whole number from 0 to 5`},
		{"--query-timeout -1s", `--query-timeout: "-1s" is below 10ms; accepted: a duration from 10ms to 1m, such as 2.5s`},
		{"--copies --ack all", "--copies: a value is missing; accepted: a whole number from 0 to 5; see `farmstate help serve`"},
		{"--ack", "--ack: a value is missing; accepted: all, one, none; see `farmstate help serve`"},
	} {
		status, _, stderr := call(t, nil, append([]string{"serve"}, strings.Fields(v.args)...)...)
		if want := "farmstate: " + v.want + "\n"; status != exitUsage || stderr != want {
			t.Errorf("%s: exit status %d\n got %s\nwant %s", v.args, status, stderr, want)
		}
	}
}
