package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/farmstate/farmstate/bench/proc"
)

// server is something that can be measured.
type server struct {
	name  string
	start func(context.Context, *environment) (*target, error)
}

// servers in the order in which they are shown.
var servers = []server{
	{"farmstate", startFarmstate},
	{"bare", startBare},
	{"redis", startRedis},
	{"memcached", startMemcached},
}

func serverNames() []string {
	var list []string
	for _, s := range servers {
		list = append(list, s.name)
	}
	return list
}

func known(name string) bool { return slices.Contains(serverNames(), name) }

// errMissing is a server that is not installed.
var errMissing = errors.New("not installed")

// environment is what starting a server needs.
type environment struct {
	opt   *options
	dir   string // for files; removed at the end
	names *names
}

// build compiles a program of this module.
func (e *environment) build(ctx context.Context, name, pkg string) (path string, err error) {
	path = filepath.Join(e.dir, name)
	return path, proc.Build(ctx, path, pkg)
}

// find returns the path of a program that has to be installed.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s: %w", program, errMissing)
	}
	return path, nil
}

// farmstateReady is how the line begins that farmstate writes when it listens. The address of the state port follows, and others
// behind a blank.
const farmstateReady = "farmstate ready state="

func farmstateArgs(loops int) []string {
	return []string{"serve", "--listen=127.0.0.1:0", "--admin=", "--log-level=warn", "--event-loops=" + strconv.Itoa(loops)}
}

func startFarmstate(ctx context.Context, e *environment) (*target, error) {
	path, err := e.build(ctx, "farmstate", "cmd/farmstate")
	if err != nil {
		return nil, err
	}
	c, rest, err := proc.Spawn(ctx, "farmstate", farmstateReady, path, farmstateArgs(e.opt.Loops)...)
	if err != nil {
		return nil, err
	}
	addr, _, _ := strings.Cut(rest, " ")
	return &target{child: c, addr: addr, workloads: []workload{
		{server: "farmstate", name: "fill", once: true, steps: []step{stateSave}},
		{server: "farmstate", name: "get", steps: []step{stateGet}},
		{server: "farmstate", name: "put", steps: []step{stateSave}},
		{server: "farmstate", name: "cycle", steps: []step{stateAcquire, stateSaveHeld}},
	}}, nil
}

// startBare starts the server of package bare, which is told how long requests are so that it need not look at them.
func startBare(ctx context.Context, e *environment) (*target, error) {
	path, err := e.build(ctx, "bare", "bench/compare/bare")
	if err != nil {
		return nil, err
	}
	get, put := stateRequestSizes(e.names, e.opt.Body)
	c, addr, err := proc.SpawnOnPort(ctx, "bare", path, func(port string) []string {
		return []string{
			"--listen=127.0.0.1:" + port, "--loops=" + strconv.Itoa(e.opt.Loops),
			"--get=" + strconv.Itoa(get), "--put=" + strconv.Itoa(put), "--body=" + strconv.Itoa(e.opt.Body),
		}
	})
	if err != nil {
		return nil, err
	}
	return &target{child: c, addr: addr, workloads: []workload{
		{server: "bare", name: "get", steps: []step{stateGet}},
		{server: "bare", name: "put", steps: []step{stateSave}},
	}}, nil
}

func startRedis(ctx context.Context, e *environment) (*target, error) {
	path, err := find("redis-server")
	if err != nil {
		return nil, err
	}
	c, addr, err := proc.SpawnOnPort(ctx, "redis", path, func(port string) []string {
		return []string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", e.dir, "--daemonize", "no"}
	})
	if err != nil {
		return nil, err
	}
	scripts, err := loadScripts(ctx, addr)
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return &target{child: c, addr: addr, workloads: []workload{
		{server: "redis", name: "fill", once: true, steps: []step{redisSet}},
		{server: "redis", name: "provider", once: true, steps: []step{redisProviderData, redisProviderTimeout, redisProviderExpire}},
		{server: "redis", name: "get", steps: []step{redisGet}},
		{server: "redis", name: "set", steps: []step{redisSet}},
		{server: "redis", name: "cycle", steps: []step{scripts.acquire(), scripts.save()}},
	}}, nil
}

func startMemcached(ctx context.Context, e *environment) (*target, error) {
	path, err := find("memcached")
	if err != nil {
		return nil, err
	}
	c, addr, err := proc.SpawnOnPort(ctx, "memcached", path, func(port string) []string {
		args := []string{"-l", "127.0.0.1", "-p", port, "-U", "0", "-m", "1024", "-t", strconv.Itoa(e.opt.Loops)}
		if os.Geteuid() == 0 {
			args = append(args, "-u", "root") // it refuses to be root by accident
		}
		return args
	})
	if err != nil {
		return nil, err
	}
	return &target{child: c, addr: addr, workloads: []workload{
		{server: "memcached", name: "fill", once: true, steps: []step{memcachedSet}},
		{server: "memcached", name: "get", steps: []step{memcachedGet}},
		{server: "memcached", name: "set", steps: []step{memcachedSet}},
	}}, nil
}
