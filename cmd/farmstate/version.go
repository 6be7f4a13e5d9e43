package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version and commit are set by the linker when a release is built
// (-X main.version=1.2.3 -X main.commit=…).
var (
	version string
	commit  string
)

// versionCmd is farmstate version.
type versionCmd struct {
	JSON bool `name:"json" help:"Write one JSON object."`
}

// Run shows what was built, from what, with what, and for what.
func (v *versionCmd) Run(a *app) error {
	if v.JSON {
		return writeJSON(a.stdout, buildInfo())
	}
	_, err := fmt.Fprintln(a.stdout, "farmstate "+buildInfo().String())
	return err
}

// build says which program this is.
type build struct {
	Version string `json:"version"` // "devel" when it was built from a working copy
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
	System  string `json:"system"` // operating system / processor
}

// String is the build as one line.
func (b build) String() string {
	text := b.Version
	if b.Commit != "" {
		text += " commit " + b.Commit
	}
	return text + " " + b.Go + " " + b.System
}

// buildInfo prefers what the linker was told, then what the go command noted.
func buildInfo() build {
	b := build{Version: version, Commit: commit, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok && b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	if ok && b.Commit == "" {
		b.Commit = vcsRevision(info.Settings)
	}
	return b
}

// vcsRevision is the commit that the go command noted, marked when the
// working copy had changes.
func vcsRevision(settings []debug.BuildSetting) string {
	revision, changed := "", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+changes"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + changed
}
