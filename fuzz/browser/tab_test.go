//go:build linux

package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a tab of the browser that shows the dashboard of a node.
type tab struct {
	t      testing.TB
	ctx    context.Context
	origin string

	mu       sync.Mutex
	problems []string // what went wrong in the page; guarded by mu
	foreign  []string // requests to other origins; guarded by mu
	expected []string // parts of problems that a test makes on purpose; guarded by mu
}

// open opens the dashboard of a node in a tab of its own. At the end of the test there must have been no error in it, no breach
// of the content security policy and no request to anywhere else; see expect.
func open(t *testing.T, n *node, before ...chromedp.Action) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(openBrowser(t))
	p := &tab{t: t, ctx: ctx, origin: "http://" + n.admin}
	t.Cleanup(func() {
		if t.Failed() {
			p.show()
		}
		cancel()
		p.judge()
	})
	chromedp.ListenTarget(ctx, p.listen)
	if err := chromedp.Run(ctx); err != nil { // the tab lives as long as the context of its first run
		t.Fatal(err)
	}
	p.do(network.Enable(), log.Enable(), runtime.Enable(), emulation.SetFocusEmulationEnabled(true)) // pages that nobody sees are slower
	p.do(before...)
	p.do(chromedp.Navigate(p.origin + "/"))
	p.await("the picture of the farm", `document.querySelectorAll('#picture .node').length > 0`)
	return p
}

// listen is called for what happens in the tab, by a goroutine of chromedp.
func (p *tab) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, p.origin+"/") {
			p.foreign = append(p.foreign, e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		p.problems = append(p.problems, "exception: "+e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		p.problems = append(p.problems, fmt.Sprintf("console.%s: %s", e.Type, e.Args[0].Value))
	case *log.EventEntryAdded:
		p.problems = append(p.problems, fmt.Sprintf("%s %s: %s %s", e.Entry.Level, e.Entry.Source, e.Entry.Text, e.Entry.URL))
	}
}

// expect says that errors with this part are what a test is about.
func (p *tab) expect(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, part)
}

func (p *tab) judge() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, problem := range p.problems {
		known := false
		for _, part := range p.expected {
			known = known || strings.Contains(problem, part)
		}
		if !known {
			p.t.Errorf("the page complains: %s", problem)
		}
	}
	if len(p.foreign) > 0 {
		p.t.Errorf("the page asked elsewhere: %q", p.foreign)
	}
}

// part is a subtest that goes on with this tab.
func (p *tab) part(t *testing.T, name string, do func(t *testing.T)) {
	t.Run(name, func(sub *testing.T) {
		p.t = sub
		defer func() { p.t = t }()
		do(sub)
	})
}

// do carries out actions.
func (p *tab) do(actions ...chromedp.Action) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// eval evaluates an expression of JavaScript.
func eval[T any](p *tab, expression string) (value T) {
	p.t.Helper()
	p.do(chromedp.Evaluate(expression, &value))
	return value
}

// await waits until an expression is true.
func (p *tab) await(what, expression string) {
	p.t.Helper()
	await(p.t, what+": "+expression, func() bool { return eval[bool](p, "Boolean("+expression+")") })
}

// awaitText waits until an element shows a text.
func (p *tab) awaitText(selector, part string) {
	p.t.Helper()
	p.await("a text", fmt.Sprintf(`document.querySelector(%s)?.innerText.includes(%s)`, quote(selector), quote(part)))
}

// click clicks on an element once it can be seen, as a mouse does.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible))
}

// nodeButton is the selector of the button of a node in the table.
func (p *tab) nodeButton(n *node) string {
	_, port, _ := strings.Cut(n.state, ":")
	p.await("the node in the table", fmt.Sprintf(`[...document.querySelectorAll('#nodes button')].some(b => b.innerText.includes(%s) && (b.id = %s))`, quote(port), quote("at"+port)))
	return "#at" + port
}

// choose shows a node.
func (p *tab) choose(n *node) {
	p.t.Helper()
	p.click(p.nodeButton(n))
	p.awaitText("#facts", n.state)
}

// giveToken types the token into the dialog that asks for it.
func (p *tab) giveToken(token string) {
	p.t.Helper()
	p.do(chromedp.WaitVisible("#token-input", chromedp.ByQuery), chromedp.SendKeys("#token-input", token, chromedp.ByQuery))
	p.click("#token-form button[type=submit]")
}

// show logs what the page shows.
func (p *tab) show() {
	var text string
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, chromedp.Evaluate(`document.body?.innerText`, &text)); err == nil {
		p.t.Logf("the page shows:\n%s", text)
	}
}

func quote(text string) string {
	b, _ := json.Marshal(text) // a text
	return string(b)
}
