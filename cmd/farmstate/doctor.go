package main

import (
	"context"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/doctor"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

// doctorCmd is farmstate doctor.
type doctorCmd struct {
	adminFlags
	Config    string   `help:"Configuration of the node (TOML): it is checked, and where no node runs, whether its ports can be opened." placeholder:"FILE"`
	WebConfig []string `help:"A web.config to be checked; with two or more, whether they agree." name:"web-config" placeholder:"FILE" sep:"none"`
	Farm      bool     `help:"Check all nodes of the farm; so it does without this flag." xor:"scope"`
	ThisNode  bool     `help:"Check only the node that is asked." xor:"scope"`
	Verbose   bool     `help:"List the checks that found nothing, too."`
	JSON      bool     `help:"Write one JSON object." name:"json"`
}

// Help is shown below the summary of the command.
func (*doctorCmd) Help() string {
	return "It asks the node, and all nodes of its farm, for what they know, tries their ports, and says what is wrong, what that means for users, and what to do. Where no node runs " +
		"it checks the machine and the configuration. It changes nothing, and takes a few seconds.\n\n" +
		"Notes are no reason for the exit status 1. docs/doctor.md lists all checks."
}

// doctorTime is how long all of it may take.
const doctorTime = time.Minute

// Run gathers, judges and tells.
func (d *doctorCmd) Run(a *app) error {
	o := doctor.Options{ThisNode: d.ThisNode, Web: d.WebConfig, Host: hostFacts(), ListenAdvice: portAdvice}
	named := d.TokenFile != "" || a.env(tokenVariable) != ""
	d.configuration(a, &o)
	client, err := d.client(a)
	if err != nil {
		return err
	}
	if !named { // it is what the configuration says: the node may have been started with another, and that less is seen then is said
		client.Named = ""
	}
	o.Client, o.Admin = client, d.Admin
	ctx, cancel := context.WithTimeout(context.Background(), doctorTime)
	defer cancel()
	defer fleet.CloseIdle()
	picture := doctor.Gather(ctx, o)
	if err := client.Refusal(); err != nil {
		return err
	}
	report := doctor.Examine(picture)
	if d.JSON {
		err = report.WriteJSON(a.stdout)
	} else {
		err = report.WriteText(term.Of(a.stdout, a.env), d.Verbose)
	}
	if err == nil && !report.Healthy() {
		err = errQuiet
	}
	return err
}

// configuration reads the configuration, with the environment and without flags. Where its admin pages are, and their token, is taken from it unless the flags say so.
func (d *doctorCmd) configuration(a *app, o *doctor.Options) {
	flags := optionFlags{Config: d.Config}
	file, from := flags.file(a.environ)
	cfg, err := config.Load(config.Inputs{File: file, FileFrom: from, Environ: a.environ})
	if err != nil {
		o.Problems = strings.Split(err.Error(), "\n")
		return
	}
	o.Config = cfg
	if d.Admin == defaultAdmin && cfg.Admin != "" && cfg.IsSet("admin") {
		d.Admin = localAddr(cfg.Admin)
	}
	if d.TokenFile == "" && a.env(tokenVariable) == "" && cfg.AdminTokenFile != "" {
		if _, _, err := config.ReadToken(cfg.AdminTokenFile); err == nil { // the node's account may be another: then less is seen, which is said
			d.TokenFile = cfg.AdminTokenFile
		}
	}
}

// defaultAdmin is what --admin says if nobody gives it.
const defaultAdmin = "127.0.0.1:42480"

// localAddr is how an address that a node listens on is reached on its own machine.
func localAddr(addr string) string {
	if port, ok := strings.CutPrefix(anyHost(addr), ":"); ok {
		return "127.0.0.1:" + port
	}
	return addr
}

// portAdvice says what to do about a port that cannot be opened, and whether somebody else has it.
func portAdvice(option, addr string, err error) (text string, taken bool) {
	text = listenAdvice(option, addr, err, runtime.GOOS, os.DirFS("/"))
	return strings.ReplaceAll(text, "\n", " "), isAddrInUse(err)
}
