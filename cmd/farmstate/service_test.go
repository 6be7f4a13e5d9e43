package main

import (
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// TestServiceElsewhere: on other systems the command says what there is instead.
func TestServiceElsewhere(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("this is Windows")
	}
	for _, command := range []string{"install", "remove", "start", "stop", "status"} {
		status, stdout, stderr := execute(t, nil, "service", command)
		if status != exitUsage || stdout != "" || !strings.HasPrefix(stderr, "farmstate: farmstate service is for Windows; ") {
			t.Errorf("%s: exit status %d, %q, %q", command, status, stdout, stderr)
		}
	}
}

// TestServiceArguments: a service is run from another folder.
func TestServiceArguments(t *testing.T) {
	t.Parallel()
	parser, err := newParser(t.Output(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := parser.Parse([]string{"service", "install", "--config", "farm.toml", "--peer", "a:1", "--peer", "b:2", "--data", "kept", "--standalone", "--lock-wait=0", "--name", "other"})
	if err != nil {
		t.Fatal(err)
	}
	install, ok := reflect.TypeAssert[*serviceInstallCmd](ctx.Selected().Target.Addr())
	if !ok {
		t.Fatalf("%T", ctx.Selected().Target.Interface())
	}
	args, err := install.arguments()
	if err != nil {
		t.Fatal(err)
	}
	abs := func(name string) string {
		name, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	slices.Sort(args[1:])
	want := []string{"serve", "--config=" + abs("farm.toml"), "--data=" + abs("kept"), "--lock-wait=0", "--peer=a:1", "--peer=b:2", "--standalone=true"}
	if !slices.Equal(args, want) || install.Name != "other" {
		t.Errorf("%q\nwant %q", args, want)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Error("serve does not take them:", err)
	}
}

func TestServiceNames(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]bool{"farmstate": false, "farm 2": false, "": true, `a\b`: true, "a/b": true, strings.Repeat("x", 257): true} {
		if badServiceName(name) != bad {
			t.Errorf("%q", name)
		}
	}
}

// TestPreShutdown: the system has to wait for longer than the node takes.
func TestPreShutdown(t *testing.T) {
	t.Parallel()
	alone, kept := preShutdown(&config.Config{ShutdownTimeout: time.Minute}), preShutdown(&config.Config{ShutdownTimeout: time.Minute, Data: "d"})
	if alone <= time.Minute || kept < alone+time.Minute {
		t.Errorf("%v, %v", alone, kept)
	}
}
