// Command strict reads the output of go test -json and shows what failed, all of it and nothing else. A test that was skipped counts as failed: what
// was skipped was not tested.
//
//	go test -json ./... | go run ./.ci/strict
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// event is a line of go test -json. See go doc test2json.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// id names a test, or with an empty Test a package.
type id struct{ pkg, test string }

func main() {
	output := map[id]*strings.Builder{}
	passed, bad := 0, 0
	report := func(what string, e event) {
		bad++
		fmt.Printf("%s: %s %s\n", what, e.Package, e.Test)
		if out := output[id{e.Package, e.Test}]; out != nil {
			fmt.Println(out.String())
		}
	}
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Print(line) // not from a test: the go command itself
				continue
			}
			key := id{e.Package, e.Test}
			switch e.Action {
			case "output":
				if output[key] == nil {
					output[key] = new(strings.Builder)
				}
				output[key].WriteString(e.Output)
			case "build-output":
				fmt.Print(e.Output)
			case "pass":
				passed++
				delete(output, key)
			case "skip":
				if e.Test != "" { // else a package without tests
					report("skipped", e)
				}
			case "fail":
				report("failed", e)
			}
		}
		if err != nil {
			break
		}
	}
	if bad > 0 || passed == 0 {
		fmt.Printf("%d failed or skipped, %d passed\n", bad, passed)
		os.Exit(1)
	}
}
