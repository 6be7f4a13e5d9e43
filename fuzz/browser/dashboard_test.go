//go:build linux

package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/farmstate/farmstate/netpoll/pages"
)

// markup is an application that would run a script and load a picture from elsewhere, if it were taken for markup.
const markup = `/<img src="http://192.0.2.1/x" onerror="window.broken=1"><script>window.broken=1</script>`

// TestShows: what a farm of three that is well looks like, on several screens, and that it follows what happens.
func TestShows(t *testing.T) {
	t.Parallel()
	openBrowser(t)
	farm := newFarm(t, options{nodes: 3})
	shop := farm[0].application("/LM/W3SVC/1/ROOT")
	fill(t, shop, 20, 500)
	p := open(t, farm[0])

	p.part(t, "nodes and links", func(t *testing.T) {
		p.await("three nodes that are well", `document.querySelectorAll('#picture .node.ok').length === 3`)
		p.await("their links, encrypted", `document.querySelectorAll('#picture .line:not(.down):not(.plain)').length === 3`)
		p.await("where copies go", `document.querySelectorAll('#picture .arrow').length >= 2`)
		p.await("the table of nodes", `document.querySelectorAll('#nodes tbody tr').length === 3`)
		p.await("the table of links", `document.querySelectorAll('#links tbody tr').length >= 5`)
	})
	p.part(t, "follows", func(t *testing.T) {
		p.awaitText("#state-text", "All sessions are safe: 20 sessions, each on 2 nodes")
		fill(t, shop, 15, 500)
		p.awaitText("#state-text", "All sessions are safe: 35 sessions, each on 2 nodes")
		p.awaitText("#tiles", "35")
		p.await("the latency of what was asked", `document.querySelectorAll('#histogram rect:not(.empty)').length > 0`)
	})
	p.part(t, "events", func(t *testing.T) {
		p.await("events of other nodes", `new Set([...document.querySelectorAll('#events tbody td:nth-child(3)')].map(e => e.innerText)).size === 3`)
		p.do(chromedp.SendKeys("#event-text", "no such event", chromedp.ByQuery))
		p.awaitText("#events", "No event passes the filter.")
		p.do(chromedp.Evaluate(`document.querySelector('#event-text').select()`, nil), chromedp.SendKeys("#event-text", "ready", chromedp.ByQuery))
		p.await("those with the text alone", `[...document.querySelectorAll('#events tbody tr')].length > 0 && [...document.querySelectorAll('#events tbody tr')].every(r => r.innerText.includes('ready'))`)
		p.click("#event-pause")
		p.awaitText("#events-note", "paused")
	})
	p.part(t, "near miss", func(t *testing.T) {
		ids := fill(t, shop, 1, 100)
		ask(t, farm[0], strings.Replace(pages.Target("/LM/W3SVC/1/ROOT", ids[0]), "W3SVC%2f1", "W3SVC%2f2", 1))
		p.awaitText("#alerts", "web servers disagree")
		p.awaitText("#alerts", "lives under /LM/W3SVC/1/ROOT")
	})
	p.part(t, "markup is text", func(t *testing.T) {
		evil := farm[1].application(markup)
		ids := fill(t, evil, 3, 2000) // among the largest
		lock(t, evil, ids[0])
		for _, table := range []string{"#locks", "#apps", "#largest"} {
			p.awaitText(table, `<img src="http://192.0.2.1/x" onerror="window.broken=1">`)
		}
		if n := eval[int](p, `document.images.length + document.scripts.length`); n != 1 || eval[bool](p, `'broken' in window`) {
			t.Errorf("an application name has become markup: %d images and scripts, want the page's own script", n)
		}
	})
	p.part(t, "session ids are short", func(t *testing.T) {
		ids := fill(t, shop, 1, 90000)
		p.awaitText("#largest", ids[0][:6])
		if eval[bool](p, fmt.Sprintf(`document.documentElement.outerHTML.includes(%s)`, quote(ids[0]))) {
			t.Error("the page has a whole session id, without the token")
		}
	})
	p.part(t, "narrow", func(t *testing.T) {
		p.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
		p.await("no part to stick out", `document.documentElement.scrollWidth <= 360 && document.querySelector('#picture').getBoundingClientRect().width <= 360`)
		p.await("the nodes inside", `[...document.querySelectorAll('#picture .node')].every(n => { const r = n.getBoundingClientRect(); return r.left >= 0 && r.right <= 360 })`)
		p.do(chromedp.EmulateViewport(1280, 900))
	})
	p.part(t, "dark", func(t *testing.T) {
		bright := `(([r, g, b]) => r + g + b)(getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number))`
		p.await("a light page", bright+" > 600")
		p.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
		p.await("a dark page", bright+" < 150")
		p.await("light text", `getComputedStyle(document.querySelector('#state-text')).color.match(/\d+/g).map(Number).reduce((a, b) => a + b) > 350`)
	})
}

// TestActs: what can be done, and what cannot.
func TestActs(t *testing.T) {
	t.Parallel()
	openBrowser(t)
	farm := newFarm(t, options{nodes: 3})
	shop := farm[1].application("/LM/W3SVC/1/ROOT")
	ids := fill(t, shop, 30, 500)

	t.Run("wrong token", func(t *testing.T) {
		p := open(t, farm[0])
		p.expect("401")
		p.choose(farm[1])
		p.click("#drain")
		p.giveToken("not-the-token")
		p.awaitText("#token-error", "wrong")
		if stored := eval[int](p, `sessionStorage.length`); stored != 0 {
			t.Error("the wrong token was kept")
		}
		p.click("#token-cancel")
		p.await("nothing to confirm", `!document.querySelector('dialog[open]')`)
	})
	t.Run("break a lock", func(t *testing.T) {
		held := lock(t, shop, ids[0])
		p := open(t, farm[0])
		p.awaitText("#locks", ids[0][:6])
		p.click("#locks button")
		p.giveToken(adminToken)
		p.awaitText("#confirm", "Break the lock of session "+ids[0][:6])
		if item, err := shop.GetItemExclusive(t.Context(), ids[0]); err != nil || !item.Locked || item.Cookie != held.Cookie {
			t.Fatalf("the lock is gone before it was confirmed: locked %v, cookie %d, %v", item.Locked, item.Cookie, err)
		}
		p.click("#confirm-yes")
		p.awaitText("#toast", "is broken")
		if item := lock(t, shop, ids[0]); item.Cookie == held.Cookie {
			t.Error("the lock is the same as before")
		} else if err := shop.ReleaseItemExclusive(t.Context(), ids[0], item.Cookie); err != nil {
			t.Fatal(err)
		}
		p.click("#token")
		if stored := eval[int](p, `sessionStorage.length`); stored != 0 {
			t.Error("the token was not forgotten")
		}
	})
	t.Run("log level", func(t *testing.T) {
		p := open(t, farm[0])
		p.choose(farm[2])
		p.click("#level")
		p.giveToken(adminToken)
		p.await("the dialog", `document.querySelector('#confirm').open`)
		p.do(chromedp.SetValue("#confirm-choice", "debug", chromedp.ByQuery))
		p.click("#confirm-yes")
		p.awaitText("#toast", "is debug")
		p.awaitText("#facts", "debug")
		for _, v := range farm[2].page().Nodes[:1] {
			if v.Node.Status.LogLevel != "debug" {
				t.Errorf("the node's log level is %s", v.Node.Status.LogLevel)
			}
		}
	})
	t.Run("drain", func(t *testing.T) {
		p := open(t, farm[0])
		p.choose(farm[1])
		p.click("#drain")
		p.giveToken(adminToken)
		p.awaitText("#confirm-text", "No session is lost")
		p.click("#confirm-no")
		p.await("the dialog to close", `!document.querySelector('#confirm').open`)
		if draining(farm[1]) {
			t.Fatal("the node drains although that was cancelled")
		}
		p.click("#drain")
		p.await("the dialog", `document.querySelector('#confirm').open`)
		p.click("#confirm-yes")
		p.awaitText("#toast", "is draining")
		p.awaitText("#draining", "empty")
		p.awaitText("#state-text", "A node is leaving")
		p.await("it in the picture", `document.querySelectorAll('#picture .node.leaving').length === 1`)
		if !draining(farm[1]) || farm[1].page().Nodes[0].Node.Status.Sessions.Count != 0 {
			t.Error("the node has not been drained")
		}
	})
	t.Run("stop draining with the keyboard", func(t *testing.T) {
		p := open(t, farm[0])

		p.press(`#picture .node.leaving`, kb.Enter)
		p.await("its figures", `document.activeElement.id === 'scope-title' && document.querySelector('#scope-actions').offsetWidth > 0`)
		p.press("#drain", kb.Enter)
		p.await("the dialog for the token", `document.activeElement.id === 'token-input'`)
		p.do(chromedp.KeyEvent(adminToken + kb.Enter))
		p.await("the confirmation", `document.querySelector('#confirm').open`)
		p.press("#confirm-yes", kb.Enter)
		p.awaitText("#toast", "takes sessions again")
		await(t, "the node to take sessions again", func() bool { return !draining(farm[1]) })
	})
}

// press moves the focus with the tab key until an element has it, where it must be seen to be, and presses a key.
func (p *tab) press(selector, key string) {
	p.t.Helper()
	for range 60 {
		p.do(chromedp.KeyEvent(kb.Tab))
		if eval[bool](p, fmt.Sprintf(`document.activeElement?.matches(%s)`, quote(selector))) {
			if !eval[bool](p, `document.activeElement.matches(':focus-visible')`) {
				p.t.Errorf("nobody sees that %s has the focus", selector)
			}
			p.do(chromedp.KeyEvent(key))
			return
		}
	}
	p.t.Fatalf("the keyboard does not lead to %s", selector)
}

// draining reports whether a node says that it drains.
func draining(n *node) bool {
	all := n.page().Nodes
	return len(all) > 0 && all[0].Node.Farm.Drain.Draining
}

// TestDeath: a node is killed, which the page says, and comes back, which it says, too. Then the node that the page asks is killed.
func TestDeath(t *testing.T) {
	t.Parallel()
	openBrowser(t)
	farm := newFarm(t, options{nodes: 3})
	for _, n := range farm {
		fill(t, n.application("/LM/W3SVC/1/ROOT"), 10, 500)
	}
	p := open(t, farm[0])
	p.awaitText("#state-text", "All sessions are safe: 30 sessions")
	farm[2].kill()
	p.awaitText("#state-text", "A node is dead")
	p.awaitText("#alerts", "is dead since")
	p.await("it in the picture", `document.querySelectorAll('#picture .node.dead').length === 1`)
	p.click(`#picture .node.dead`)
	p.await("what is known of it", `document.querySelector('#facts').innerText.includes('dead') && document.querySelector('#scope-actions').offsetWidth === 0`)
	p.click("#scope-back")
	p.await("that it is announced", `document.querySelector('#announce').textContent.includes('is dead')`)
	p.awaitText("#state-more", "No session is missing a copy: 30 sessions")
	if err := farm[2].start(); err != nil {
		t.Fatal(err)
	}
	p.awaitText("#state-text", "All sessions are safe: 30 sessions")
	p.await("no alert to be left of it", `!document.querySelector('#alerts').innerText.includes('dead')`)
	p.await("three nodes that are well", `document.querySelectorAll('#picture .node.ok').length === 3`)

	p.expect("net::ERR")
	farm[0].kill()
	p.awaitText("#lost", "This node does not answer")
	p.awaitText("#lost", "The last figures are from")
	if err := farm[0].start(); err != nil {
		t.Fatal(err)
	}
	p.await("the node to answer again", `document.querySelector('#lost').hidden`)
}

// TestAlone: what a node without a farm and a node without another say.
func TestAlone(t *testing.T) {
	t.Parallel()
	openBrowser(t)
	n := newFarm(t, options{nodes: 1})[0]

	p := open(t, n)
	p.awaitText("#state-text", "This node is alone")
}
