//go:build linux

package browser

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/farmstate/farmstate/netpoll/pages"
)

// maxPicture is how large a picture of the documents may be, in bytes.
const maxPicture = 150 << 10

var linePoints = flag.Int("screenshots.points", 100, "how long the lines of figures are in the pictures: one point is 2 s")

// TestScreenshots makes the pictures of docs/dashboard.md, with -update-screenshots; otherwise it looks whether they are all there, and not too large.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	if !*screenshots {
		for _, name := range []string{"overview-light", "overview-dark", "phone", "confirm", "draining", "dead", "locks", "tables"} {
			if info, err := os.Stat(picturePath(name)); err != nil || info.Size() > maxPicture {
				t.Errorf("%s: %v; go test ./fuzz/browser -run TestScreenshots -update-screenshots makes it, of at most %d bytes", name, err, maxPicture)
			}
		}
		return
	}
	openBrowser(t)
	farm := newFarm(t, options{nodes: 3, named: true})
	users := visit(t, farm)
	p := open(t, farm[0], chromedp.EmulateViewport(1280, 960))
	for points := 10; points <= *linePoints; points += 10 { // one every 2 s
		p.await("lines of some length", fmt.Sprintf(`document.querySelector('.spark path').getAttribute('d').split('L').length >= %d`, points))
	}
	p.await("nothing to be missing", `document.querySelector('#state').dataset.level === 'ok'`)
	p.picture("overview-light")
	p.dark(true)
	p.picture("overview-dark")
	p.do(chromedp.EmulateViewport(390, 844))
	p.picture("phone")
	p.dark(false)
	p.do(chromedp.EmulateViewport(1280, 960))

	p.click(p.namedButton("web2"))
	p.click("#drain")
	p.giveToken(adminToken)
	p.awaitText("#confirm", "Drain web2?")
	p.picture("confirm")
	p.click("#confirm-yes")
	users.leave[1]() // as the balancer has to see to
	p.awaitText("#draining", "empty")
	p.awaitText("#state-more", "empty")
	p.awaitText("#toast", "draining")
	p.picture("draining")
	p.click("#drain")
	p.awaitText("#confirm", "Stop draining web2?")
	p.click("#confirm-yes")
	p.await("all to be well", `document.querySelector('#state').dataset.level === 'ok'`)
	p.click("#scope-back")

	users.misconfigure()
	users.hang()
	p.awaitText("#alerts", "web servers disagree")
	p.await("locks of some age", `document.querySelectorAll('#locks tbody tr').length >= 4 && document.querySelector('#locks tbody tr').innerText.match(/\d\d s/)`)
	p.do(chromedp.ScrollIntoView("#apps", chromedp.ByQuery), chromedp.Evaluate(`document.querySelector('#locks').closest('section').scrollIntoView(); document.activeElement.blur()`, nil),
		chromedp.MouseEvent(input.MouseMoved, 1, 1))
	p.picture("tables")
	p.do(chromedp.Evaluate(`scrollTo(0, 0)`, nil))
	p.click("#locks button")
	p.awaitText("#confirm", "Break the lock")
	p.picture("locks")
	p.click("#confirm-no")

	p.do(chromedp.Evaluate(`scrollTo(0, 0); document.activeElement.blur()`, nil))
	farm[2].kill()
	p.awaitText("#state-text", "A node is dead")
	p.await("the picture of it", `document.querySelectorAll('#picture .node.dead').length === 1`)
	p.picture("dead")
}

func (p *tab) dark(on bool) {
	p.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	p.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}))
}

// namedButton is the selector of the button of a node in the table, by the node's name.
func (p *tab) namedButton(name string) string {
	p.t.Helper()
	p.await("the node in the table", `[...document.querySelectorAll('#nodes button')].some(b => b.innerText.startsWith(`+quote(name)+`) && (b.id = `+quote("node-"+name)+`))`)
	return "#node-" + name
}

func picturePath(name string) string {
	return filepath.Join("..", "..", "docs", "screenshots", name+".png")
}

// picture writes what the tab shows.
func (p *tab) picture(name string) {
	p.t.Helper()
	var shot []byte
	p.do(chromedp.CaptureScreenshot(&shot))
	full, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		p.t.Fatal(err)
	}
	var small bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, fewColours(full)); err != nil {
		p.t.Fatal(err)
	}
	if small.Len() > maxPicture {
		p.t.Errorf("%s has %d bytes, more than %d", name, small.Len(), maxPicture)
	}
	if err := os.MkdirAll(filepath.Dir(picturePath(name)), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(picturePath(name), small.Bytes(), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// fewColours is a picture in 256 colours: of those that differ, the ones that it has most of. A page has few but for the edges of its letters.
func fewColours(full image.Image) image.Image {
	counts := map[color.RGBA]int{}
	for y := full.Bounds().Min.Y; y < full.Bounds().Max.Y; y++ {
		for x := full.Bounds().Min.X; x < full.Bounds().Max.X; x++ {
			counts[color.RGBAModel.Convert(full.At(x, y)).(color.RGBA)]++
		}
	}
	often := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int { return cmp.Compare(counts[b], counts[a]) })
	palette := color.Palette{}
	for _, c := range often { // none that looks like one that is there, or there would be greys alone
		if len(palette) < 256 && (len(palette) == 0 || distance(c, palette.Convert(c).(color.RGBA)) > 5) {
			palette = append(palette, c)
		}
	}
	few := image.NewPaletted(full.Bounds(), palette)
	draw.Draw(few, few.Bounds(), full, full.Bounds().Min, draw.Src)
	return few
}

// distance is how much two colours differ in the component in which they differ most.
func distance(a, b color.RGBA) int {
	apart := func(x, y uint8) int { return max(int(x), int(y)) - min(int(x), int(y)) }
	return max(apart(a.R, b.R), apart(a.G, b.G), apart(a.B, b.B))
}

// visitors are people who use the applications of a farm.
type visitors struct {
	t    *testing.T
	node *node
	shop *pages.Client // an application at that node
	ids  []string      // of its sessions; the first few are left alone

	leave []func() // each sends nobody any more to a node
}

// visit lets people look at pages until the test ends.
func visit(t *testing.T, farm []*node) *visitors {
	rnd := rand.New(rand.NewPCG(5, 5))
	v := &visitors{t: t}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	for i, n := range farm {
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		v.leave = append(v.leave, cancel)
		for j, app := range []string{"/LM/W3SVC/1/ROOT", "/LM/W3SVC/1/ROOT/Shop", "/LM/W3SVC/3/ROOT/Intranet"} {
			c := n.application(app)
			ids := fill(t, c, 300-90*j-40*i, 800+3000*j)
			if i == 0 && j == 1 {
				v.node, v.shop, v.ids = n, c, ids
			}
			seed := rnd.Uint64()
			all.Go(func() { look(ctx, c, ids[8:], float64(1+3*(j/2)), rand.New(rand.NewPCG(seed, 0))) })
		}
	}
	return v
}

// look reads and saves sessions; the higher bent is above 1, the more some are preferred to others.
func look(ctx context.Context, c *pages.Client, ids []string, bent float64, rnd *rand.Rand) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		pause.Reset(time.Duration(10+rnd.IntN(40)) * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		id := ids[int(float64(len(ids))*math.Pow(rnd.Float64(), bent))]
		item, err := c.GetItemExclusive(ctx, id)
		if err != nil || !item.Found {
			continue // its node may have been killed
		}
		_ = c.SetAndReleaseItemExclusive(ctx, id, make([]byte, max(100, len(item.Blob)+rnd.IntN(200)-100)), 20, item.Cookie) // as above
	}
}

// misconfigure has a web server with another site id ask for sessions.
func (v *visitors) misconfigure() {
	for _, id := range v.ids[:3] {
		ask(v.t, v.node, strings.Replace(pages.Target("/LM/W3SVC/1/ROOT/Shop", id), "W3SVC%2f1", "W3SVC%2f2", 1))
	}
}

// hang has pages that take locks and never give them back.
func (v *visitors) hang() {
	for _, id := range v.ids[:5] {
		lock(v.t, v.shop, id)
	}
}
