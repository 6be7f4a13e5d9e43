//go:build linux

package browser

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/farmstate/farmstate/bench/proc"
)

var (
	programFlag = flag.String("browser.program", "", "test this farmstate instead of building one")
	screenshots = flag.Bool("update-screenshots", false, "write docs/screenshots anew")
)

// patience is how long anything may take that has no limit of its own.
const patience = 30 * time.Second

// program is the path of farmstate; browser has one browser, whose contexts are tabs.
var (
	program string
	browser struct {
		once sync.Once
		ctx  context.Context
		err  error
	}
	temporary string
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if temporary, err = os.MkdirTemp("", "farmstate-browser-"); err == nil {
		defer os.RemoveAll(temporary) //nolint:errcheck // a temporary folder
		if program = *programFlag; program == "" {
			program = filepath.Join(temporary, "farmstate")
			err = proc.Build(context.Background(), program, "cmd/farmstate")
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer closeBrowser()
	return m.Run()
}

// openBrowser starts the browser when it is first needed.
func openBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: make deps installs it", err)
		}
		t.Skipf("%v: make deps installs it", err)
	}
	browser.once.Do(func() {
		// What calls home, updates, syncs or needs a screen is off.
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(temporary, "profile")), chromedp.NoSandbox, chromedp.DisableGPU,
			chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-domain-reliability", true),
			chromedp.Flag("no-proxy-server", true), chromedp.Flag("force-color-profile", "srgb"), chromedp.WSURLReadTimeout(patience),
		)
		ctx, _ := chromedp.NewExecAllocator(context.Background(), options...)
		browser.ctx, _ = chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {})) // it complains of events that are newer than it is
		browser.err = chromedp.Run(browser.ctx)
	})
	if browser.err != nil {
		t.Fatal(browser.err)
	}
	return browser.ctx
}

// closeBrowser ends the browser, and waits for its processes.
func closeBrowser() {
	if browser.ctx != nil && browser.err == nil {
		_ = chromedp.Cancel(browser.ctx) // nothing depends on how it ends
	}
}
