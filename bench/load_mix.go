package bench

import (
	"fmt"
	"strconv"
	"strings"
)

// pageKind is what a page does with its session.
type pageKind uint8

// The kinds. Those of ModePages come first, in the order of the fields of Mix. See docs/protocol.md §9.6.
const (
	pageWrite     pageKind = iota // acquire, then PUT with the cookie
	pageRead                      // GET
	pageUnchanged                 // acquire, then release: the page wanted to write and changed nothing
	pageTouch                     // HEAD: session state is off for the page
	pageNew                       // PUT with cookie 0: a visitor's first page
	pageAbandon                   // acquire, then DELETE, then PUT with cookie 0: log-off and the next visit

	pageGet // the raw modes
	pagePut
	pageCycle

	numPages
	numMixed = int(pageAbandon) + 1
)

var pageNames = [numPages]string{
	"write", "read", "unchanged", "touch", "new", "abandon",
	"get", "put", "cycle",
}

func (k pageKind) String() string { return pageNames[k] }

// rawPages are the pages of the modes that know only one.
var rawPages = map[Mode]pageKind{ModeGet: pageGet, ModePut: pagePut, ModeCycle: pageCycle}

// Mix is the share of each kind of page, in percent. Invariant: the shares of a valid Mix add up to 100.
//
// As text it is written name=share, with commas between and kinds without a share left out: write=70,read=30. That is how it
// stands in JSON and on a command line.
type Mix struct {
	Write     int // read-write pages that change the session
	Read      int // read-only pages
	Unchanged int // read-write pages that do not change it
	Touch     int // pages with session state off, which only keep the session alive
	New       int // first visits; each makes a session that nobody comes back to
	Abandon   int // pages that end the session; it is created again at once
}

// DefaultMix is the mix of an ordinary web shop: most pages have session state on, as ASP.NET has by default.
var DefaultMix = Mix{Write: 60, Read: 20, Unchanged: 12, Touch: 4, New: 3, Abandon: 1}

func (m *Mix) shares() [numMixed]*int {
	return [numMixed]*int{&m.Write, &m.Read, &m.Unchanged, &m.Touch, &m.New, &m.Abandon}
}

func (m *Mix) validate() error {
	sum := 0
	for i, p := range m.shares() {
		if *p < 0 || *p > 100 {
			return fmt.Errorf("mix: %s=%d: use 0 to 100 percent", pageKind(i), *p)
		}
		sum += *p
	}
	if sum != 100 {
		return fmt.Errorf("mix %s: the shares add up to %d percent; make it 100", m, sum)
	}
	return nil
}

// pick returns the kind whose share covers r, a number of 0 to 99.
func (m *Mix) pick(r int) pageKind {
	for i, p := range m.shares() {
		if r -= *p; r < 0 {
			return pageKind(i)
		}
	}
	panic("bench: a mix that does not add up to 100")
}

// String writes m as text.
func (m Mix) String() string {
	var b strings.Builder
	for i, p := range m.shares() {
		if *p == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s=%d", pageKind(i), *p)
	}
	return b.String()
}

// MarshalText writes m as text.
func (m Mix) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads m from text. Kinds that are not named have no share.
func (m *Mix) UnmarshalText(text []byte) error {
	var read Mix
	for part := range strings.SplitSeq(string(text), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		share, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("mix: %q: write name=percent", part)
		}
		p := read.share(name)
		if p == nil {
			return fmt.Errorf("mix: no kind of page is named %q; there are %s", name, strings.Join(pageNames[:numMixed], ", "))
		}
		*p = share
	}
	if err := read.validate(); err != nil {
		return err
	}
	*m = read
	return nil
}

// share returns the field with the given name, or nil.
func (m *Mix) share(name string) *int {
	for i, p := range m.shares() {
		if pageKind(i).String() == name {
			return p
		}
	}
	return nil
}
